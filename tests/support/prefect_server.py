"""A real Prefect server on loopback that several processes use at once: the first starts it, the last one ends it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.project import BIN

# What looks after late, paused and cancelled runs and after workers, every few seconds; no test here waits for it.
IDLE_SERVICES = ("LATE_RUNS", "PAUSE_EXPIRATIONS", "CANCELLATION_CLEANUP", "FOREMAN")

STARTED: dict[int, subprocess.Popen] = {}  # by this process


@contextlib.contextmanager
def prefect_server(folder: Path) -> Iterator[str]:
    """The address of the server that lives in `folder`, without `/api`."""
    folder.mkdir(exist_ok=True)
    with _state(folder) as state:
        if not state.get("users"):
            state |= {"port": free_port(), "users": 0}
            state["pid"] = _start(folder, state["port"])
        state["users"] += 1
        url = f"http://127.0.0.1:{state['port']}"
    try:
        yield url
    finally:
        with _state(folder) as state:
            state["users"] -= 1
            if not state["users"]:
                _end(state["pid"])


@contextlib.contextmanager
def _state(folder: Path) -> Iterator[dict[str, Any]]:
    """What the processes know of the server, while no other changes it."""
    with (folder / "state.json").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        state = json.loads(file.read() or "{}")
        yield state
        file.seek(0)
        file.truncate()
        file.write(json.dumps(state))


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _start(folder: Path, port: int) -> int:
    place = {"PREFECT_SERVER_API_HOST": "127.0.0.1", "PREFECT_SERVER_API_PORT": str(port)}  # as options: not for the UI
    quiet = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1", "HOME": str(folder)}
    idle = {f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in IDLE_SERVICES}
    env = {"PATH": os.environ["PATH"], "PREFECT_HOME": str(folder), **place, **quiet, **idle}
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [str(BIN / "prefect"), "server", "start"],
            env=env,
            stdout=log,
            stderr=log,
            cwd=folder,
            start_new_session=True,
        )
    STARTED[process.pid] = process
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended before it answered"
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=5):
            return process.pid
        time.sleep(0.3)
    raise TimeoutError(f"no server at port {port}")


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and _lives(pid):
        time.sleep(0.2)


def _lives(pid: int) -> bool:
    if pid in STARTED:
        return STARTED[pid].poll() is None
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"  # its parent, another process of the session, has not looked yet
