"""A Hub that is busy, slow, cut off, or not what it says: the real clients against the Hub of the tests."""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from support.fake_hub import Fault, Hub, blob_id
from support.inspected_parts import map_column

from bench.faults.harness import hidden
from bench.faults.result_row import RECOVERED, REFUSED, Row

FILE = "train.parquet"
TRIES = 5  # as tasks/steps.py has them: one, and four more
# What flows/retrain.py does with the two network steps, retried as tasks/steps.py retries them, but sooner.
CODE = f"""
import sys, time, json
from pathlib import Path
from tasks.download import download, resolve
from tasks.core.errors import KensaError
def retry(step, *arguments):
    for number in range({TRIES}):
        try:
            return step(*arguments)
        except KensaError as error:
            if not error.may_pass or number == {TRIES} - 1:
                raise
            time.sleep(0.05)
try:
    pinned = retry(resolve, "acme/boards", None, Path("data"))
    if len(sys.argv) > 1: print(pinned.revision, flush=True); sys.stdin.readline()
    source = retry(download, pinned)
except KensaError as error:
    print(f"kensa: {{error}}", file=sys.stderr); sys.exit(error.exit_code)
print(json.dumps([str(path.resolve()) for path in Path(source.folder).rglob("*.parquet")]))
"""
BUSY = {"Retry-After": "1"}
FAULTS = {
    "429 with Retry-After, twice": [Fault("", 2, status=429, headers=BUSY)],
    "429 for ever": [Fault("", math.inf, status=429, headers=BUSY)],
    "500 at the look, twice": [Fault("/api/", 2, status=500)],
    "500 for ever": [Fault("", math.inf, status=500)],
    "503 at the file, three times": [Fault(FILE, 3, status=503)],
    "503 for ever at the file": [Fault(FILE, math.inf, status=503)],
    "two seconds of silence at every answer": [Fault("", 6, delay=2)],
    "cut in the file, twice": [Fault(FILE, 2, "GET", cut_after=5000)],
    "cut in the file, for ever": [Fault(FILE, math.inf, "GET", cut_after=100)],
    "a wrong ETag, once": [Fault(FILE, 1, etag="0" * 40)],
    "a wrong ETag, for ever": [Fault(FILE, math.inf, etag="f" * 40)],
    "a length too long, once": [Fault(FILE, 1, "HEAD", length=10**6)],
    "a length too long, for ever": [Fault(FILE, math.inf, length=10**6)],
    "a length too short, for ever": [Fault(FILE, math.inf, length=100)],
    "an answer that is a web page": [Fault("/api/", math.inf, headers={"Content-Type": "text/html"}, cut_after=10)],
}


def network(folder: Path, seed: int, share: float) -> list[Row]:
    """All rows of this part."""
    table = io.BytesIO()
    pq.write_table(map_column(hidden()), table)
    content = table.getvalue()
    rows = []
    for number, (kind, faults) in enumerate(FAULTS.items()):
        rows.append(
            Row("network", kind).timed(
                lambda row, number=number, faults=faults: row.count(
                    _with(folder / str(number), content, [replace(fault) for fault in faults])
                )
            )
        )
    rows.append(Row("network", "a name that nobody resolves").timed(lambda row: row.count(_nobody(folder / "dns"))))
    for kind, between in (("vanishes", _vanish), ("is followed by another", _follow)):
        rows.append(
            Row("network", f"a revision that {kind} between look and download").timed(
                lambda row, kind=kind, between=between: row.count(_between(folder / kind[:4], content, between))
            )
        )
    rows.append(
        Row("network", "another file under the same name and commit").timed(
            lambda row: row.count(_changed(folder / "changed", content))
        )
    )
    return rows


def _start(folder: Path, env: dict[str, str], *words: str) -> subprocess.Popen[str]:
    folder.mkdir(parents=True, exist_ok=True)
    root = str(Path(__file__).parents[2])
    return subprocess.Popen(
        [sys.executable, "-c", CODE, *words],
        cwd=folder,
        env={**env, "PYTHONPATH": root, "HF_HUB_DOWNLOAD_TIMEOUT": "5"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _outcome(process: subprocess.Popen[str], content: bytes, folder: Path) -> str:
    """Recovered with the very bytes, or refused in one line with nothing half-cached that a next run would use."""
    try:
        out, err = process.communicate(timeout=280)
    except subprocess.TimeoutExpired:
        process.kill()
        return "it hangs"
    lines = [line for line in err.splitlines() if line.startswith("kensa: ")]
    if "Traceback" in err or (process.returncode and (process.returncode != 2 or len(lines) != 1)):
        return f"no clear line: {err[-1500:]}"
    if process.returncode:
        return REFUSED if not _half(folder, content) else f"half-cached: {_half(folder, content)}"
    (file,) = json.loads(out.splitlines()[-1])
    return RECOVERED if Path(file).read_bytes() == content else "other bytes than the Hub's"


def _half(folder: Path, content: bytes) -> list[str]:
    """Files of a snapshot whose content is not the Hub's."""
    return [str(path) for path in folder.rglob("snapshots/*/**/*.parquet") if path.read_bytes() != content]


def _with(folder: Path, content: bytes, faults: list[Fault]) -> str:
    """One download under faults; then, where it was refused, one without them."""
    with Hub() as hub:
        hub.commit("acme/boards", {f"data/{FILE}": content})
        hub.faults += faults
        outcome = _outcome(_start(folder, hub.env(folder / "home")), content, folder)
        if outcome != REFUSED:
            return outcome
        hub.faults.clear()
        again = _outcome(_start(folder, hub.env(folder / "home")), content, folder)
        return REFUSED if again == RECOVERED else f"once the Hub is well again: {again}"


def _nobody(folder: Path) -> str:
    with Hub() as hub:
        env = hub.env(folder / "home") | {"HF_ENDPOINT": "http://no-such-host.invalid"}
    return _outcome(_start(folder, env), b"", folder)


def _vanish(hub: Hub, sha: str, content: bytes) -> None:
    hub.commit("acme/boards", {"note.csv": b"later"})
    hub.vanish("acme/boards", sha)


def _follow(hub: Hub, sha: str, content: bytes) -> None:
    hub.commit("acme/boards", {f"data/{FILE}": content[::-1]})


def _between(folder: Path, content: bytes, change: Any) -> str:
    """Something happens to the repository after its head was looked up."""
    with Hub() as hub:
        sha = hub.commit("acme/boards", {f"data/{FILE}": content})
        process = _start(folder, hub.env(folder / "home"), "wait")
        if process.stdout.readline().strip() != sha:
            return "another revision than the head"
        change(hub, sha, content)
        process.stdin.write("\n")
        process.stdin.flush()
        return _outcome(process, content, folder)


def _changed(folder: Path, content: bytes) -> str:
    """A proxy that gives the digest of the commit's file with another file of the same length."""
    other = bytearray(content)
    other[len(other) // 2] ^= 1
    with Hub() as hub:
        sha = hub.commit("acme/boards", {f"data/{FILE}": bytes(other)})
        hub.faults.append(Fault(FILE, math.inf, etag=blob_id(content)))
        outcome = _outcome(_start(folder, hub.env(folder / "home")), content, folder)
        if outcome != REFUSED:
            return outcome
        hub.faults.clear()
        hub._repos["datasets", "acme/boards"].commits[sha] = {f"data/{FILE}": content}
        again = _outcome(_start(folder, hub.env(folder / "home")), content, folder)
        return REFUSED if again == RECOVERED else f"once the proxy is gone: {again}"
