"""The receiver of the Hub's push: a real process on the loopback interface, and what is sent to it."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient
from support.factory import SECRET, news, until
from support.prefect_server import free_port
from support.project import ROOT

from flows.service import webhook
from flows.service.events import EVENT
from flows.service.ledger import Ledger
from flows.service.lines import read_lines

A, B = "a" * 40, "b" * 40
LINES = """
[lines.boards]
train = "acme/boards"
[lines.boards-stable]
train = "acme/boards@stable"
[lines.housings]
train = "acme/housings"
"""


class Prefect:
    """Stands where Prefect's server would, and keeps the events that it is sent."""

    def __init__(self):
        self.events, self.status = [], 204
        events, prefect = self.events, self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_error(404)  # no CSRF tokens here

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if prefect.status == 204:
                    events.extend(body)
                self.send_response(prefect.status)
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.api = f"http://127.0.0.1:{self._server.server_port}/api"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


class Receiver:
    """`python -m flows.service.webhook` in a folder of its own."""

    def __init__(self, folder, api, **env):
        self.folder, self.port = folder, free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        (folder / "kensa.toml").write_text(LINES)
        home = {"HOME": str(folder), "PREFECT_HOME": str(folder / "prefect"), "PYTHONPATH": str(ROOT)}
        self.env = {"PATH": os.environ["PATH"], **home, "KENSA_WEBHOOK_SECRET": SECRET, "PREFECT_API_URL": api}
        self.env |= env
        self.log = folder / "receiver.log"
        self.client = httpx.Client(verify=False)  # one for all: each makes a TLS context, which costs more than to send
        self.start()

    def start(self):
        words = [sys.executable, "-m", "flows.service.webhook", "--port", str(self.port)]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(words, cwd=self.folder, env=self.env, stdout=log, stderr=log)
        until(self._answers, 30, "the receiver answers")

    def _answers(self):
        assert self.process.poll() is None, self.log.read_text()
        try:
            return httpx.get(f"{self.address}/health", timeout=2).is_success
        except httpx.TransportError:
            return False

    def stop(self):
        self.client.close()
        self.process.terminate()
        return self.process.wait(20)

    def post(self, content, secret=SECRET):
        """One delivery; content may be bytes, an iterator of bytes (sent in chunks), or anything JSON can say."""
        if not isinstance(content, bytes) and not hasattr(content, "__next__"):
            content = json.dumps(content).encode()
        headers = {} if secret is None else {"X-Webhook-Secret": secret}
        return self.client.post(f"{self.address}/webhook", content=content, headers=headers, timeout=30)

    def noted(self):
        return {(version.line, version.revision) for version in Ledger(self.folder / "data").versions()}

    def memory(self):
        """Resident memory in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@pytest.fixture(scope="module")
def prefect():
    with Prefect() as running:
        yield running


@pytest.fixture
def receiver(tmp_path, prefect):
    """A fresh one for each test, with an empty ledger."""
    running = Receiver(tmp_path, prefect.api)
    yield running
    if running.process.poll() is None:
        running.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory, prefect):
    """One for all tests in which nothing may be let in."""
    running = Receiver(tmp_path_factory.mktemp("receiver"), prefect.api)
    yield running
    running.stop()


def changed(**parts):
    """A delivery with other parts; None leaves one out."""
    told = {**news(A), **parts}
    return {name: part for name, part in told.items() if part is not None}


def refs(*rows):
    return changed(updatedRefs=[{"ref": ref, "oldSha": "0" * 40, "newSha": sha} for ref, sha in rows])


def repo(**parts):
    return changed(repo={**news(A)["repo"], **parts})


def scope(name):
    return changed(event={"action": "update", "scope": name})


@pytest.mark.slow
def test_a_right_delivery_is_noted_and_prefect_is_told_once(receiver, prefect):
    answer = receiver.post(news(A))
    assert answer.status_code == 202
    assert answer.json() == {"noted": [{"line": "boards", "revision": A}], "known": 0}
    told = until(
        lambda: [event for event in prefect.events if event["payload"]["revision"] == A], 60, "Prefect is told"
    )
    again = receiver.post(news(A))
    assert (again.status_code, again.json()) == (202, {"noted": [], "known": 1})
    assert told[0]["event"] == EVENT
    assert told[0]["resource"]["prefect.resource.id"] == "kensa.line.boards"
    time.sleep(0.5)
    assert len([event for event in prefect.events if event["payload"]["revision"] == A]) == 1
    assert receiver.noted() == {("boards", A)}
    assert httpx.get(f"{receiver.address}/health").json()["versions"] == 1
    assert receiver.stop() in (0, -signal.SIGTERM)


def test_every_line_on_the_dataset_gets_its_own_branch(receiver):
    answer = receiver.post(refs(("refs/heads/main", A), ("refs/heads/stable", B), ("refs/heads/other", "c" * 40)))
    assert answer.status_code == 202
    assert receiver.noted() == {("boards", A), ("boards-stable", B)}


BAD = {
    "a model": (repo(type="model"), 422),
    "a space": (repo(type="space"), 422),
    "no type": (repo(type=None), 422),
    "a discussion": (scope("discussion"), 422),
    "a setting": (scope("repo.config"), 422),
    "no scope": (changed(event={}), 422),
    "a scope that is no text": (scope(["repo.content"]), 422),
    "no event": (changed(event=None), 422),
    "an event that is a list": (changed(event=[]), 422),
    "no repo": (changed(repo=None), 422),
    "another's dataset": (repo(name="evil/boards"), 403),
    "a name that only begins like ours": (repo(name="acme/boards2"), 403),
    "a name that is a list": (repo(name=["acme/boards"]), 422),
    "no refs": (changed(updatedRefs=None), 422),
    "refs that are no list": (changed(updatedRefs={"ref": "refs/heads/main"}), 422),
    "refs that are no objects": (changed(updatedRefs=["refs/heads/main", 3, None]), 422),
    "a pull request": (refs(("refs/pr/1", A)), 422),
    "a tag": (refs(("refs/tags/main", A)), 422),
    "a branch that nobody watches": (refs(("refs/heads/dev", A)), 422),
    "a deleted branch": (refs(("refs/heads/main", None)), 422),
    "a short sha": (refs(("refs/heads/main", "a" * 7)), 422),
    "a sha of other letters": (refs(("refs/heads/main", "A" * 40)), 422),
    "a sha with a line's end": (refs(("refs/heads/main", A + "\n")), 422),
    "a sha that is Jinja": (refs(("refs/heads/main", "{{ 7 * 7 }}")), 422),
    "a list": ([news(A)], 400),
    "text": ("news", 400),
    "nothing": (b"", 400),
    "half of it": (json.dumps(news(A)).encode()[:-20], 400),
    "bytes": (bytes(range(256)), 400),
    "a deep nest": (b"[" * 30000, 400),
}


@pytest.mark.parametrize(("content", "status"), BAD.values(), ids=BAD)
def test_what_should_not_be_let_in_is_not(shared, content, status):
    answer = shared.post(content)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"refused"}
    assert shared.noted() == set()


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET[:-1], SECRET + "x", SECRET.upper(), "ä" * 30])
def test_nobody_comes_in_without_the_secret(shared, secret):
    sent = secret if secret is None else secret.encode()
    answer = shared.post(news(A), sent)
    assert answer.status_code == 401
    assert shared.noted() == set()


def test_the_secret_of_a_file_changes_without_a_restart(tmp_path, prefect):
    """With both lines nothing is refused while the Hub is told; then the old one is refused at once."""
    old, new, path = "the old secret, 20 ch", "the new secret, 20 ch", tmp_path / "secret"
    path.write_text(f"{old}\n")
    running = Receiver(tmp_path, prefect.api, KENSA_WEBHOOK_SECRET_FILE=str(path))
    try:
        pid = running.process.pid

        def answers():
            return [running.post(news(A), secret.encode()).status_code for secret in (old, new, SECRET)]

        assert answers() == [202, 401, 401], "the file counts, not the variable"
        path.write_text(f"{new}\n{old}\n")
        assert answers() == [202, 202, 401]
        path.write_text(new)
        assert answers() == [401, 202, 401]
        path.write_text("short\n")
        assert answers() == [503, 503, 503]
        path.unlink()
        assert answers() == [503, 503, 503]
        path.write_text(new)
        assert answers() == [401, 202, 401]
        assert running.process.pid == pid
        assert running.process.poll() is None
    finally:
        running.stop()
    log = running.log.read_text()
    assert "expected a file that can be read, found No such file or directory" in log
    assert not [secret for secret in (old, new) if secret in log]
    assert "Traceback" not in log


def test_a_body_beyond_the_cap_is_refused_with_or_without_its_length(shared):
    big = json.dumps({**news(A), "padding": "x" * 70_000}).encode()
    assert shared.post(big).status_code == 413
    assert shared.post(iter([big[:40_000], big[40_000:]])).status_code == 413
    assert shared.noted() == set()


def test_an_endless_body_is_cut_off(shared):
    """Chunk after chunk without a length: the receiver answers or hangs up, and holds none of it."""
    before = shared.memory()
    with socket.create_connection(("127.0.0.1", shared.port), timeout=20) as stranger:
        head = f"POST /webhook HTTP/1.1\r\nHost: x\r\nX-Webhook-Secret: {SECRET}\r\nTransfer-Encoding: chunked\r\n\r\n"
        stranger.sendall(head.encode())
        chunk, sent = b"10000\r\n" + b"x" * 0x10000 + b"\r\n", 0
        try:
            while sent < 2000:
                stranger.sendall(chunk)
                sent += 1
        except OSError:
            pass  # it hung up
    assert sent < 2000
    assert shared.memory() < before + 10
    assert shared._answers()


def test_only_these_two_addresses_are_there(shared):
    assert httpx.get(f"{shared.address}/webhook").status_code == 405
    assert httpx.get(f"{shared.address}/").status_code == 404
    assert httpx.get(f"{shared.address}/docs").status_code == 404


@pytest.mark.parametrize("secret", [None, "", "fifteen letters"])
def test_refuses_to_start_without_a_secret(tmp_path, secret):
    (tmp_path / "kensa.toml").write_text(LINES)
    given = {} if secret is None else {"KENSA_WEBHOOK_SECRET": secret}
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), **given}
    done = subprocess.run(
        [sys.executable, "-m", "flows.service.webhook", "--port", str(free_port())],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("kensa: KENSA_WEBHOOK_SECRET: expected a secret of 16 characters or more")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_what_was_answered_with_202_survives_kill_9_and_prefects_absence(receiver, prefect):
    """Prefect refuses; the receiver is killed right after its answer; the next one tells Prefect by itself."""
    prefect.status = 503
    try:
        assert receiver.post(news(B, "acme/housings")).status_code == 202
        receiver.process.kill()
        receiver.process.wait()
        assert receiver.noted() == {("housings", B)}
    finally:
        prefect.status = 204
    receiver.start()
    until(lambda: [e for e in prefect.events if e["payload"] == {"line": "housings", "revision": B}], 60, "told")
    assert receiver.post(news(B, "acme/housings")).json() == {"noted": [], "known": 1}


def test_a_flood_is_bounded_and_a_strangers_flood_shuts_nobody_out(tmp_path):
    """A burst is let in, and no more; deliveries without the secret do not count."""
    (tmp_path / "kensa.toml").write_text(LINES)
    application = webhook.receiver(
        read_lines(tmp_path / "kensa.toml"),
        Ledger(tmp_path),
        lambda: [SECRET],
        webhook.TokenBucket(per_second=0, burst=3),
    )

    def send(secret):
        return client.post("/webhook", json=news(A), headers={"X-Webhook-Secret": secret}).status_code

    client = TestClient(application)
    assert {send("wrong") for _ in range(20)} == {401}
    assert [send(SECRET) for _ in range(5)] == [202, 202, 202, 429, 429]


def test_tokens_come_back_with_time(monkeypatch):
    now = 0.0
    monkeypatch.setattr(webhook.time, "monotonic", lambda: now)
    bucket = webhook.TokenBucket(per_second=2, burst=2)
    bucket.last = now
    assert [bucket.allows() for _ in range(3)] == [True, True, False]
    now = 0.5
    assert [bucket.allows() for _ in range(2)] == [True, False]
    now = 60.0
    assert [bucket.allows() for _ in range(3)] == [True, True, False], "no more than a burst is saved"


@pytest.mark.slow
def test_five_hundred_deliveries_at_80_a_second(receiver, prefect):
    """200 right ones, 75 replays of them, and 225 that must stay outside, in any order."""
    right = [news(f"{number:040x}", "acme/housings") for number in range(1000, 1200)]
    bad = [(content, SECRET, status) for content, status in BAD.values()] * 5
    jobs = [(told, SECRET, 202) for told in right] + bad[:125]
    jobs += [(news(f"{number:040x}"), "wrong", 401) for number in range(50)]
    jobs += [({**news(A), "padding": "x" * 70_000}, SECRET, 413)] * 50
    jobs += [(told, SECRET, 202) for told in right[:75]]
    random.Random(0).shuffle(jobs)
    assert len(jobs) == 500
    assert receiver.post(news(A)).status_code == 202
    until(lambda: Ledger(receiver.folder / "data").due() == [], 60, "Prefect is imported, and was told")
    memory, began = [], time.monotonic()
    with ThreadPoolExecutor(16) as senders:
        pending = []
        for number, (content, secret, _) in enumerate(jobs):
            time.sleep(max(0, began + number / 80 - time.monotonic()))
            pending.append(senders.submit(receiver.post, content, secret))
            if number % 50 == 49:
                memory.append(receiver.memory())
        answers = [answer.result() for answer in pending]
    took = time.monotonic() - began
    wrong = [
        (a.status_code, status, a.text)
        for a, (_, _, status) in zip(answers, jobs, strict=True)
        if a.status_code != status
    ]
    assert wrong == []
    assert receiver.noted() == {("boards", A), *(("housings", told["updatedRefs"][0]["newSha"]) for told in right)}
    assert memory[-1] - memory[4] < 8, memory  # a leak of 40 kB each would be more
    slowest = sorted(answer.elapsed.total_seconds() for answer in answers)[495]
    print(f"500 in {took:.1f} s, {memory[0]:.1f} to {memory[-1]:.1f} MB, 99 % within {slowest * 1000:.0f} ms")
    until(lambda: Ledger(receiver.folder / "data").due() == [], 60, "Prefect was told of what is due")
    assert receiver.stop() in (0, -signal.SIGTERM)
    assert "Traceback" not in receiver.log.read_text()


def post(app, receive):
    """What the application answers to a delivery whose body `receive` brings."""
    sent = []

    async def send(message):
        sent.append(message)

    headers = [(b"x-webhook-secret", SECRET.encode())]
    scope = {"type": "http", "method": "POST", "path": "/webhook", "headers": headers, "query_string": b""}
    asyncio.run(asyncio.wait_for(app(scope, receive, send), 10))
    return sent[0]["status"]


@pytest.fixture
def application(tmp_path):
    (tmp_path / "kensa.toml").write_text(LINES)
    return webhook.receiver(read_lines(tmp_path / "kensa.toml"), Ledger(tmp_path), lambda: [SECRET])


def test_a_body_that_does_not_come_is_given_up(application, monkeypatch):
    monkeypatch.setattr(webhook, "BODY_SECONDS", 0.05)
    assert post(application, lambda: asyncio.sleep(60)) == 408


def test_a_line_of_several_sources_is_left_to_the_watch(tmp_path):
    (tmp_path / "kensa.toml").write_text('[lines.a]\ntrain = ["acme/boards", "./night"]\n')
    with pytest.raises(webhook.Refused, match="has several sources, at which the watch looks") as refused:
        webhook.new_versions(json.dumps(news(A)).encode(), read_lines(tmp_path / "kensa.toml"))
    assert refused.value.status == 422


def test_the_secret_is_compared_in_a_time_that_tells_nothing(application, monkeypatch):
    compared = []
    monkeypatch.setattr(webhook.hmac, "compare_digest", lambda *sides: compared.append(sides) or False)
    assert post(application, None) == 401
    assert compared == [(SECRET.encode(), SECRET.encode())]
