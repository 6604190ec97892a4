"""`kensa serve` as a process on a free port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
from support.prefect_server import free_port


class VerdictService:
    """For `with`: the service of a folder of artifacts, once it is ready."""

    def __init__(self, folder: Path, artifacts: Path, *words: str, **env: str) -> None:
        self.port, self.log = free_port(), folder / "serve.log"
        self.address = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "kensa", "serve", "--port", str(self.port), "--artifacts", str(artifacts)]
        self.words, self.folder = [*command, *words], folder
        self.env = {"PATH": os.environ["PATH"], "HOME": str(folder), **env}

    def __enter__(self) -> VerdictService:
        with self.log.open("w") as log:
            self.process = subprocess.Popen(self.words, cwd=self.folder, env=self.env, stdout=log, stderr=log)
        end = time.monotonic() + 120
        while not self.is_ready():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.1)
        return self

    def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            return httpx.get(f"{self.address}/ready", timeout=5).is_success
        except httpx.TransportError:
            return False

    def post(self, body: bytes, kind: str, **headers: str) -> httpx.Response:
        """Ask for verdicts."""
        headers = {"Content-Type": kind, **{name.replace("_", "-"): text for name, text in headers.items()}}
        return httpx.post(f"{self.address}/v1/verdicts", content=body, headers=headers, timeout=60)

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Another of its addresses."""
        return httpx.get(f"{self.address}{path}", headers=headers, timeout=30)

    def memory(self) -> float:
        """Resident memory in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None:
            self.stop()
