"""Checks of the parts on which unattended runs depend: each says what was found, and what to do where that is wrong.

`kensa doctor` and `GET /health` of `kensa up` show them. Nothing here is changed, and no large library is imported.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import httpx

from flows.service.server import PrefectServer, translate_server_errors
from tasks.core.files import is_locked

POOL = "kensa"
TIMEOUT_SECONDS = 4
LEAST_GIGABYTES, FEW_GIGABYTES = 1, 10  # free; a line of 10 000 records takes 170 MB
LONG_RUN_HOURS = 24  # after which a run's lock is worth a look

Verdict = Literal["ok", "warning", "failed"]
VERDICTS: tuple[Verdict, ...] = ("ok", "warning", "failed")


@dataclass(frozen=True)
class Check:
    """One check: its name, the verdict, what was found, and what to do where that is not right."""

    name: str
    verdict: Verdict
    found: str
    cure: str = ""


def worst(checks: Sequence[Check]) -> Verdict:
    """The worst verdict of all."""
    return max((check.verdict for check in checks), key=VERDICTS.index)


def ask_server(server: PrefectServer, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
    """The answer of a Prefect server; raises ServerUnreachable."""
    user, _, password = (server.auth or "").partition(":")
    auth, address = (user, password) if server.auth else None, f"{server.url.rstrip('/')}/{path}"
    with translate_server_errors(server):
        method = "GET" if body is None else "POST"
        answer = httpx.request(method, address, json=body, auth=auth, timeout=TIMEOUT_SECONDS)
        return answer.raise_for_status()


def check_server(server: PrefectServer | None) -> Check:
    """Whether the server answers, and with our version of Prefect. Raises ServerUnreachable."""
    if server is None:
        return Check("server", "ok", "PREFECT_API_URL is not set: each command starts a server of its own")
    ours, theirs = version("prefect"), str(ask_server(server, "admin/version").json())
    state = f"{server.display_url}: Prefect {theirs}"
    if ours == theirs:
        return Check("server", "ok", state)
    return Check("server", "warning", f"{state}, here {ours}", "run the same version on both sides")


def online_workers(server: PrefectServer) -> tuple[list[str], int]:
    """The names of the workers in our pool that are online, and how many ever were. Raises ServerUnreachable."""
    pools = ask_server(server, "work_pools/filter", {}).json()
    workers = []
    if POOL in [pool["name"] for pool in pools]:
        workers = ask_server(server, f"work_pools/{POOL}/workers/filter", {}).json()
    return [worker["name"] for worker in workers if worker.get("status") == "ONLINE"], len(workers)


def check_worker(server: PrefectServer | None) -> Check:
    """Whether a worker takes the runs of the deployments. Raises ServerUnreachable."""
    if server is None:
        return Check("worker", "ok", "none is needed without a server")
    online, ever = online_workers(server)
    if online:
        return Check("worker", "ok", f"{len(online)} in the pool {POOL}: {', '.join(online[:3])}")
    state = f"none is online in the pool {POOL}; {ever} were" if ever else f"none was ever in a pool {POOL}"
    return Check("worker", "failed", state, f"run kensa up, or prefect worker start --pool {POOL}")


def check_receiver(address: str | None) -> Check:
    """Whether the webhook receiver answers; None where it was not started."""
    if address is None:
        state = "not started, KENSA_WEBHOOK_SECRET is not set: new versions are found by a check every 15 minutes"
        return Check("receiver", "ok", state)
    try:
        httpx.get(f"{address}/health", timeout=TIMEOUT_SECONDS).raise_for_status()
    except httpx.HTTPError as error:
        cure = "see its messages in the log of kensa up, which starts it again"
        return Check("receiver", "failed", f"{address}: no answer ({type(error).__name__})", cure)
    return Check("receiver", "ok", f"{address} answers")


def free_bytes(folder: Path) -> int:
    """Free bytes on the disk of a folder, which need not exist yet."""
    return shutil.disk_usage(_existing(folder)).free


def _existing(folder: Path) -> Path:
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())


def check_folder(name: str, folder: Path) -> Check:
    """Whether a folder can be written, and how much room its disk has."""
    there, free = _existing(folder), free_bytes(folder) / 1e9
    state = f"{folder}: {free:.1f} GB free"
    if not os.access(there, os.W_OK):
        return Check(name, "failed", f"{there}: cannot be written", "make it writable, or name another")
    if free < LEAST_GIGABYTES:
        return Check(name, "failed", state, "make room; kensa prune deletes what nothing needs")
    few = free < FEW_GIGABYTES
    return Check(name, "warning" if few else "ok", state, "make room soon; see kensa prune" if few else "")


@dataclass(frozen=True)
class RunLocks:
    """The locks of the runs of deployments on this machine: hours since each living one began, and the dead."""

    alive: dict[str, float]
    dead: tuple[str, ...]


def run_locks(data: Path) -> RunLocks:
    """The locks below a data folder; a run that starts or ends meanwhile may be missing."""
    alive, dead, now = {}, [], time.time()
    for path in sorted((data / "runs").glob("*.lock")):
        try:
            began = path.stat().st_mtime  # the file is made when the run starts, and never written to
        except FileNotFoundError:
            continue
        if is_locked(path):
            alive[path.stem] = (now - began) / 3600
        else:
            dead.append(path.stem)
    return RunLocks(alive, tuple(dead))


def check_runs(locks: RunLocks) -> Check:
    """Which runs live, for how long, and which died and were not restarted."""
    state = "; ".join(f"{run} for {hours:.1f} h" for run, hours in locks.alive.items()) or "none is running"
    if locks.dead:
        return Check("runs", "warning", f"{state}; died: {', '.join(locks.dead)}", "kensa up restarts them")
    if any(hours > LONG_RUN_HOURS for hours in locks.alive.values()):
        cure = f"a run is older than {LONG_RUN_HOURS} h: look at its log in the UI; prefect flow-run cancel stops it"
        return Check("runs", "warning", state, cure)
    return Check("runs", "ok", state)
