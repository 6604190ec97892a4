"""The small Hub with what a model repository needs: large files by the LFS protocol, and tags.

    with ModelHub() as hub:
        hub.faults.append(Fault("/lfs/objects/", method="PUT", cut_after=1_000_000))
        ...
        assert hub.received(content) == 1_000_000

An object is stored when the whole of it came with the SHA-256 that was announced, and can be committed then.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections import Counter
from fnmatch import fnmatch
from urllib.parse import unquote, urlsplit

from support.fake_hub import Answer, Ask, Fault, Handler, Hub, Refusal, blob_id, changes, page

LARGE = ("*.keras", "*.npz", "*.bin")
BATCH = re.compile(r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch")
PIECE = 65536


class ModelHub(Hub):
    """A Hub that takes large files apart from commits, and knows tags."""

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, bytes] = {}  # by SHA-256
        self.came: Counter[str] = Counter()  # bytes of each object that ever came, whole or not
        self.tags: dict[str, dict[str, str]] = {}  # commit by tag, by repository
        self.full = False  # whether large files are refused
        self.messages: list[str] = []
        self.made: list[dict] = []  # what repositories were asked for
        self._server.RequestHandlerClass = type("OurHandler", (ModelHandler,), {"hub": self})

    def received(self, content: bytes) -> int:
        """How many bytes of that content came in all."""
        return self.came[hashlib.sha256(content).hexdigest()]

    def _true_answer(self, ask: Ask) -> Answer:
        try:
            if match := BATCH.fullmatch(ask.path):
                self._open("models", match[1], ask.token, content=True)
                return self._batch(json.loads(ask.body))
            if ask.path.startswith("/lfs/"):
                return self._object(ask)
        except Refusal as refusal:
            return refusal.answer
        return super()._true_answer(ask)

    def _batch(self, wanted: dict) -> Answer:
        def entry(oid: str, size: int) -> dict:
            if self.full:
                return {"oid": oid, "size": size, "error": {"code": 507, "message": "Storage limit reached"}}
            upload = {"href": f"{self.endpoint}/lfs/objects/{oid}"}
            actions = {"upload": upload, "verify": {"href": f"{self.endpoint}/lfs/verify"}}
            return {"oid": oid, "size": size} | ({} if oid in self.objects else {"actions": actions})

        return page({"transfer": "basic", "objects": [entry(item["oid"], item["size"]) for item in wanted["objects"]]})

    def _object(self, ask: Ask) -> Answer:
        oid = ask.path.rpartition("/")[2]
        if oid == "verify":
            item = json.loads(ask.body)
            if len(self.objects.get(item["oid"], b"")) != item["size"]:
                raise Refusal(404, "", "Object does not exist")
            return page({})
        if hashlib.sha256(ask.body).hexdigest() != oid:
            raise Refusal(400, "", "Content does not have its SHA-256")
        self.objects[oid] = ask.body
        return page({})

    def _api(self, ask: Ask, kind: str, name: str, what: str | None, revision: str | None, path: str | None) -> Answer:
        if what not in ("preupload", "commit", "tag", "refs"):
            return super()._api(ask, kind, name, what, revision, path)
        repo = self._open(kind, name, ask.token, content=True)
        tags = self.tags.setdefault(name, {})
        if what == "refs":
            refs = [{"name": tag, "ref": f"refs/tags/{tag}", "targetCommit": sha} for tag, sha in tags.items()]
            main = {"name": "main", "ref": "refs/heads/main", "targetCommit": repo.find("main")}
            return page({"branches": [main], "converts": [], "tags": refs, "pullRequests": []})
        if not ask.token:
            raise Refusal(401, "", "Invalid username or password.")
        if what == "tag":
            tag = json.loads(ask.body)["tag"]
            if tag in tags:
                raise Refusal(409, "", f"Tag {tag} already exists")
            tags[tag] = repo.find(unquote(revision))
            return page({})
        return self._preupload(ask, repo) if what == "preupload" else self._commit(ask, repo, name)

    def _preupload(self, ask: Ask, repo) -> Answer:
        files = repo.commits[repo.find("main")]

        def entry(path: str) -> dict:
            large = any(fnmatch(path, pattern) for pattern in LARGE)
            content = files.get(path)
            oid = content and (hashlib.sha256(content).hexdigest() if large else blob_id(content))
            return {"path": path, "oid": oid, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}

        return page({"files": [entry(item["path"]) for item in json.loads(ask.body)["files"]]})

    def _commit(self, ask: Ask, repo, name: str) -> Answer:
        lines = [json.loads(line) for line in ask.body.splitlines()]
        large = {line["value"]["path"]: line["value"]["oid"] for line in lines if line["key"] == "lfsFile"}
        if lost := [path for path, oid in large.items() if oid not in self.objects]:
            raise Refusal(400, "", f"Large file was never uploaded: {lost[0]}")
        new = repo.add({**changes(ask.body), **{path: self.objects[oid] for path, oid in large.items()}})
        self.messages += [line["value"]["summary"] for line in lines if line["key"] == "header"]
        return page({"commitUrl": f"{self.endpoint}/{name}/commit/{new}", "commitOid": new})

    def _create(self, ask: Ask) -> Answer:
        if ask.token:
            self.made.append(json.loads(ask.body))
        return super()._create(ask)


class ModelHandler(Handler):
    """Reads an object piece by piece, so that a cut in the middle of one is a cut."""

    hub: ModelHub

    def do_PUT(self) -> None:
        """As every request, unless the fault cuts it: then nothing is stored, and nothing answered."""
        ask = Ask("PUT", urlsplit(self.path).path, "", "", "", b"")
        fault, oid = self.hub.fault_for(ask), self.path.rpartition("/")[2]
        body = self._pieces(oid, fault)
        if fault.cut_after is not None:
            time.sleep(fault.delay)
            self.close_connection = True
            return
        answer = self.hub.answer(ask._replace(body=body), fault)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def _pieces(self, oid: str, fault: Fault) -> bytes:
        body, size = b"", int(self.headers["Content-Length"])
        wanted = size if fault.cut_after is None else min(size, fault.cut_after)
        while len(body) < wanted and (piece := self.rfile.read(min(PIECE, wanted - len(body)))):
            body += piece
            self.hub.came[oid] += len(piece)
        return body
