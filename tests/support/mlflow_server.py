"""A real MLflow server on loopback, from the environment that `make everything` gives it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from support.prefect_server import free_port
from support.project import ROOT

MLFLOW = ROOT / ".venv" / "mlflow" / "bin" / "mlflow"


@contextlib.contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """The address of a server whose runs, models and artifacts live in `folder`; it ends with the block."""
    assert MLFLOW.exists(), "the tests of the MLflow hook need its server: make everything"
    port = free_port()
    words = ["server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    words += [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.sqlite",
        "--artifacts-destination",
        str(folder / "files"),
    ]
    env = {"PATH": f"{MLFLOW.parent}:{os.environ['PATH']}", "HOME": str(folder), "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "mlflow.log").open("w") as log:
        process = subprocess.Popen(
            [MLFLOW, *words], env=env, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _await_answer(process, f"http://127.0.0.1:{port}", folder / "mlflow.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # it has children: its workers
        process.wait(60)


def _await_answer(process: subprocess.Popen, url: str, log: Path) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=5):
            return
        time.sleep(0.3)
    raise TimeoutError(f"no server at {url}: {log.read_text(encoding='utf-8')}")
