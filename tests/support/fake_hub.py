"""A small Hub on the loopback interface, for tests with the real `huggingface_hub` and `datasets`.

    with Hub() as hub:
        sha = hub.commit("acme/boards", {"data/train.parquet": Path("train.parquet"), "README.md": b"# Boards"})
        hub.faults.append(Fault("train.parquet", status=503, times=2))
        subprocess.run([sys.executable, "-c", code], env=hub.env(tmp_path), check=True)
        assert ("HEAD", f"/datasets/acme/boards/resolve/{sha}/README.md", 200) in hub.requests

The clients read HF_ENDPOINT when they are imported, so they run in a child process that has `Hub.env`.
Files are served as plain content: no redirect to a storage, no Xet headers, no LFS pointers.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

Files = Mapping[str, bytes]

API = re.compile(r"/api/(datasets|models)/([^/]+/[^/]+)(?:/([a-z-]+)(?:/([^/]+)(?:/(.+))?)?)?")
FILE = re.compile(r"/(?:(datasets)/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


@dataclass
class Fault:
    """Something that goes wrong with the next `times` requests whose path holds `match`."""

    match: str
    times: float = 1  # math.inf: for ever
    method: str = ""  # such as "HEAD"; empty: any
    status: int = 0  # answer with this error; 0: give the real answer
    headers: Mapping[str, str] = field(default_factory=dict)  # on top of the answer's own
    delay: float = 0.0  # seconds of silence before the answer
    cut_after: int | None = None  # bytes of the body after which the connection is closed
    etag: str | None = None  # sent instead of the true one
    length: int | None = None  # claimed as Content-Length


class Seen(NamedTuple):
    """A request as it was answered; `path` is without the query."""

    method: str
    path: str
    status: int


class Ask(NamedTuple):
    """A request as it came in."""

    method: str
    path: str
    query: str
    token: str
    range: str
    body: bytes


class Answer(NamedTuple):
    """What goes back; HEAD gets the same without the body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Refusal(Exception):
    """An error answer; `code` is the X-Error-Code by which the clients choose their exception."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.answer = page({"error": message}, status, {"X-Error-Code": code, "X-Error-Message": message} | headers)


class Proposal(NamedTuple):
    """A pull request: its title, and what it changes."""

    title: str
    changes: dict[str, bytes | None]


@dataclass
class Repo:
    """A repository: its commits, oldest first, each with all of its files, and who may read it."""

    commits: dict[str, Files] = field(default_factory=dict)
    proposals: list[Proposal] = field(default_factory=list)  # pull requests
    count: int = 0  # commits ever made, so that a sha never comes back
    private: bool = False
    gated: bool = False
    token: str = ""  # the one that opens a private or gated repository; empty: none does

    def add(self, changes: Mapping[str, bytes | None]) -> str:
        """A new commit with `changes` on top of the newest; None deletes. Returns its sha."""
        merged = {**(self.commits[self.find("main")] if self.commits else {}), **changes}
        files = {path: content for path, content in sorted(merged.items()) if content is not None}
        self.count += 1
        text = "\n".join([str(self.count), *(f"{blob_id(content)} {path}" for path, content in files.items())])
        sha = hashlib.sha1(text.encode()).hexdigest()
        self.commits[sha] = files
        return sha

    def find(self, revision: str) -> str:
        """The sha that `revision` means; `main` is the newest commit."""
        sha = next(reversed(self.commits), "") if revision == "main" else revision
        if sha not in self.commits:
            raise Refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return sha

    def admit(self, token: str, content: bool) -> None:
        """Refuses a token that may not read. A gated repository hides its content, not its facts."""
        if (token and token == self.token) or not (self.private or (self.gated and content)):
            return
        if self.gated:
            raise Refusal(403 if token else 401, "GatedRepo", "Access to this repository is restricted.")
        raise Refusal(404 if token else 401, "RepoNotFound", "Repository not found")


class Hub:
    """The server with its repositories; `kind` is "datasets" or "models" throughout."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.requests: list[Seen] = []
        self._tokens: list[str] = []  # of the same requests; apart, so that no failed assertion prints them
        self._repos: dict[tuple[str, str], Repo] = {}
        self._lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("OurHandler", (Handler,), {"hub": self}))
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Hub:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def env(self, home: Path, token: str = "") -> dict[str, str]:
        """The whole environment of a client that keeps its files below `home` and talks to nobody else."""
        quiet = ("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS", "HF_DATASETS_DISABLE_PROGRESS_BARS")
        place = {"HF_ENDPOINT": self.endpoint, "HF_HOME": str(home), "HOME": str(home), "PATH": os.environ["PATH"]}
        return place | dict.fromkeys(quiet, "1") | {"HF_UPDATE_DOWNLOAD_COUNTS": "0", "HF_TOKEN": token}

    def commit(self, repo: str, files: Mapping[str, bytes | Path | None], kind: str = "datasets") -> str:
        """A new commit on `main`, in a new repository if need be; files given as None are deleted."""
        read = {path: content.read_bytes() if isinstance(content, Path) else content for path, content in files.items()}
        with self._lock:
            return self._repos.setdefault((kind, repo), Repo()).add(read)

    def files(self, repo: str, revision: str = "main", kind: str = "datasets") -> dict[str, bytes]:
        """The content of every file at `revision`."""
        repository = self._repos[kind, repo]
        return dict(repository.commits[repository.find(revision)])

    def head(self, repo: str, kind: str = "datasets") -> str:
        """The sha of the newest commit."""
        return self._repos[kind, repo].find("main")

    def proposals(self, repo: str, kind: str = "datasets") -> list[Proposal]:
        """The pull requests, oldest first."""
        return self._repos[kind, repo].proposals

    def private(self, repo: str, token: str, kind: str = "datasets") -> None:
        """From now on only `token` sees that the repository exists."""
        repository = self._repos[kind, repo]
        repository.private, repository.token = True, token

    def gated(self, repo: str, token: str = "", kind: str = "datasets") -> None:
        """From now on only `token` may read content; names, sizes and shas stay open, as on the Hub."""
        repository = self._repos[kind, repo]
        repository.gated, repository.token = True, token

    def vanish(self, repo: str, sha: str, kind: str = "datasets") -> None:
        """Takes a commit out of the history; `main` falls back if it was the newest."""
        del self._repos[kind, repo].commits[sha]

    def saw_token(self, token: str, match: str = "") -> bool:
        """Whether a request whose path holds `match` carried `token`."""
        with self._lock:
            return any(t == token and match in seen.path for seen, t in zip(self.requests, self._tokens, strict=True))

    def fault_for(self, ask: Ask) -> Fault:
        """The first fault that is due for this request, used up by one; else one that does nothing."""
        with self._lock:
            for fault in self.faults:
                if fault.times > 0 and fault.match in ask.path and fault.method in ("", ask.method):
                    fault.times -= 1
                    return fault
        return Fault("")

    def answer(self, ask: Ask, fault: Fault) -> Answer:
        """The answer to a request, with the status and the headers that the fault wants."""
        with self._lock:
            true = page({"error": "fault"}, fault.status) if fault.status else self._true_answer(ask)
            self.requests.append(Seen(ask.method, ask.path, true.status))
            self._tokens.append(ask.token)
        length = len(true.body) if fault.length is None else fault.length
        etag = {"ETag": f'"{fault.etag}"'} if fault.etag else {}
        return true._replace(headers={**true.headers, "Content-Length": str(length), **etag, **fault.headers})

    def _true_answer(self, ask: Ask) -> Answer:
        fixed = {"/api/whoami-v2": whoami, "/api/validate-yaml": no_findings, "/api/repos/create": self._create}
        try:
            if ask.path in fixed:
                return fixed[ask.path](ask)
            if match := FILE.fullmatch(ask.path):
                return self._file(ask, *match.groups())
            if match := API.fullmatch(ask.path):
                return self._api(ask, *match.groups())
            raise Refusal(404, "", f"No such page: {ask.path}")
        except Refusal as refusal:
            return refusal.answer

    def _open(self, kind: str, name: str, token: str, content: bool) -> Repo:
        if (kind, name) not in self._repos:
            raise Refusal(404, "RepoNotFound", "Repository not found")
        self._repos[kind, name].admit(token, content)
        return self._repos[kind, name]

    def _file(self, ask: Ask, kind: str | None, name: str, revision: str, path: str) -> Answer:
        repo = self._open(kind or "models", name, ask.token, content=True)
        sha = repo.find(unquote(revision))
        content = repo.commits[sha].get(unquote(path))
        if content is None:
            raise Refusal(404, "EntryNotFound", "Entry not found", **{"X-Repo-Commit": sha})
        stamp = {"X-Repo-Commit": sha, "ETag": f'"{blob_id(content)}"', "Accept-Ranges": "bytes"}
        return cut_range(Answer(200, stamp, content), ask.range) if ask.range else Answer(200, stamp, content)

    def _api(self, ask: Ask, kind: str, name: str, what: str | None, revision: str | None, path: str | None) -> Answer:
        repo = self._open(kind, name, ask.token, content=what == "auth-check")
        sha = repo.find(unquote(revision or "main"))
        if what in (None, "revision"):
            return page(facts(name, repo, sha))
        if what in ("preupload", "commit") and not ask.token:
            raise Refusal(401, "RepoNotFound", "Invalid username or password.")
        if what == "commit":
            return page(self._commit(ask, repo, sha, self._url(kind, name)))
        if what not in PAGES:
            raise Refusal(404, "", f"No such page: {ask.path}")
        return PAGES[what](ask, repo.commits[sha], sha, unquote(path or ""))

    def _commit(self, ask: Ask, repo: Repo, head: str, url: str) -> dict[str, str]:
        """A commit, unless another came after the parent that it names; or a pull request."""
        header = next(x["value"] for x in map(json.loads, ask.body.splitlines()) if x["key"] == "header")
        if header.get("parentCommit", head) != head:
            raise Refusal(412, "", "A commit has happened since. Please refresh and try again.")
        if "create_pr=1" in ask.query:
            repo.proposals.append(Proposal(header["summary"], changes(ask.body)))
            number = len(repo.proposals)
            return {
                "commitUrl": f"{url}/commit/{head}",
                "commitOid": head,
                "pullRequestUrl": f"{url}/discussions/{number}",
            }
        new = repo.add(changes(ask.body))
        return {"commitUrl": f"{url}/commit/{new}", "commitOid": new}

    def _create(self, ask: Ask) -> Answer:
        whoami(ask)
        wanted = json.loads(ask.body)
        kind, name = f"{wanted.get('type', 'model')}s", f"{wanted.get('organization') or 'acme'}/{wanted['name']}"
        exists = (kind, name) in self._repos
        if not exists:
            self.commit(name, {".gitattributes": b""}, kind)
        return page({"url": self._url(kind, name)}, 409 if exists else 200)

    def _url(self, kind: str, name: str) -> str:
        return f"{self.endpoint}/{name if kind == 'models' else f'{kind}/{name}'}"


def page(what: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """`what` as JSON."""
    return Answer(status, {"Content-Type": "application/json", **(headers or {})}, json.dumps(what).encode())


def blob_id(content: bytes) -> str:
    """The id that git gives to a file; the clients compare it with their own."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def cut_range(answer: Answer, wanted: str) -> Answer:
    """The part of a file that a Range header names, as 206."""
    first, last = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted).groups()
    size = len(answer.body)
    start, end = int(first), min(int(last or size), size - 1)
    if start > end:
        raise Refusal(416, "", "Range Not Satisfiable", **{"Content-Range": f"bytes */{size}"})
    return Answer(206, answer.headers | {"Content-Range": f"bytes {start}-{end}/{size}"}, answer.body[start : end + 1])


def facts(name: str, repo: Repo, sha: str) -> dict[str, Any]:
    """What `dataset_info` and `model_info` tell about a commit."""
    siblings = [{"rfilename": p, "size": len(c), "blobId": blob_id(c)} for p, c in repo.commits[sha].items()]
    access = {"private": repo.private, "gated": "auto" if repo.gated else False, "disabled": False}
    return {"id": name, "sha": sha, "siblings": siblings, **access}


def listing(files: Files) -> dict[str, dict[str, Any]]:
    """Every file and every folder, by path; a folder's id is made from its path, which is enough here."""
    folders = {str(above) for path in files for above in Path(path).parents} - {"."}
    items = {path: {"type": "file", "size": len(c), "oid": blob_id(c)} for path, c in files.items()}
    items |= {path: {"type": "directory", "size": 0, "oid": blob_id(path.encode())} for path in folders}
    return {path: item | {"path": path} for path, item in sorted(items.items())}


def tree(ask: Ask, files: Files, sha: str, folder: str) -> Answer:
    """All that lies below `folder`, or only directly in it unless `recursive` is asked for."""
    start = f"{folder}/" if folder else ""
    below = [item for path, item in listing(files).items() if path.startswith(start)]
    if folder and not below:
        raise Refusal(404, "EntryNotFound", f"{folder} does not exist", **{"X-Repo-Commit": sha})
    deep = "recursive=true" in ask.query
    return page([item for item in below if deep or "/" not in item["path"].removeprefix(start)])


def paths_info(ask: Ask, files: Files, *_: str) -> Answer:
    """The requested paths that exist."""
    paths = parse_qs(ask.body.decode()).get("paths", [])
    return page([item for path, item in listing(files).items() if path in paths])


def refs(ask: Ask, files: Files, sha: str, *_: str) -> Answer:
    """The one branch there is."""
    main = {"name": "main", "ref": "refs/heads/main", "targetCommit": sha}
    return page({"branches": [main], "converts": [], "tags": [], "pullRequests": []})


def preupload(ask: Ask, files: Files, *_: str) -> Answer:
    """Every file may come inside the commit; its present id lets the client skip an unchanged one."""
    ids = {path: blob_id(content) for path, content in files.items()}
    paths = [item["path"] for item in json.loads(ask.body)["files"]]
    mode = {"uploadMode": "regular", "shouldIgnore": False}
    return page({"files": [{"path": path, "oid": ids.get(path), **mode} for path in paths]})


def changes(body: bytes) -> dict[str, bytes | None]:
    """The files that an uploaded commit, one JSON object a line, brings or deletes."""
    lines = [json.loads(line) for line in body.splitlines()]
    brought = {x["value"]["path"]: base64.b64decode(x["value"]["content"]) for x in lines if x["key"] == "file"}
    return {x["value"]["path"]: None for x in lines if x["key"] == "deletedFile"} | brought


def whoami(ask: Ask) -> Answer:
    """The owner of any token; refuses those who have none."""
    if not ask.token:
        raise Refusal(401, "", "Invalid username or password.")
    return page({"type": "user", "name": "acme", "orgs": [], "auth": {"type": "access_token"}})


def no_findings(*_: object) -> Answer:
    """This server has nothing against a model card, nor against a reader that it let in."""
    return page({"errors": [], "warnings": []})


PAGES = {"tree": tree, "paths-info": paths_info, "refs": refs, "preupload": preupload, "auth-check": no_findings}


class Handler(BaseHTTPRequestHandler):
    """Reads a whole request, asks the hub, and sends the answer as the fault wants it."""

    hub: Hub
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def serve(self) -> None:
        """Every method ends here."""
        ask = self._ask()
        fault = self.hub.fault_for(ask)
        time.sleep(fault.delay)
        answer = self.hub.answer(ask, fault)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if ask.method != "HEAD":
            self.wfile.write(answer.body[: fault.cut_after])
            # After a body that is not as long as promised, the connection cannot be used again.
            self.close_connection |= fault.cut_after is not None or fault.length is not None

    do_GET = do_HEAD = do_POST = serve

    def _ask(self) -> Ask:
        url, body = urlsplit(self.path), self.rfile.read(int(self.headers.get("Content-Length", 0)))
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        return Ask(self.command, url.path, url.query, token, self.headers.get("Range", ""), body)

    def log_message(self, *_: object) -> None:
        """Says nothing: `Hub.requests` is the log."""
