"""A real Prefect server on loopback, as `kensa up` starts it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

# What looks after late, paused and cancelled runs and after workers, every few seconds; no test here waits for it.
IDLE_SERVICES = ("LATE_RUNS", "PAUSE_EXPIRATIONS", "CANCELLATION_CLEANUP", "FOREMAN")


@contextlib.contextmanager
def prefect_server(folder: Path, **settings: str) -> Iterator[str]:
    """The address of a server that lives in `folder`, without `/api`; it ends with the block."""
    port = free_port()
    quiet = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1", "HOME": str(folder)}
    idle = {f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in IDLE_SERVICES}
    env = {"PATH": os.environ["PATH"], "PREFECT_HOME": str(folder), **quiet, **idle, **settings}
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.service.server_process", "--port", str(port)],
            env=env,
            stdout=log,
            stderr=log,
            cwd=folder,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _await_answer(process, url)
        yield url
    finally:
        process.terminate()
        process.wait(60)


def _await_answer(process: subprocess.Popen, url: str) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended before it answered"
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/api/health", timeout=5):
            return
        time.sleep(0.3)
    raise TimeoutError(f"no server at {url}")


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
