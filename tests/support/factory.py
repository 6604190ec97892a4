"""A factory on one machine, for tests: `kensa up` in its own folder, with a Hub-shaped server beside it.

Every process that belongs to it has the folder in its environment, so that none of them can hide.
"""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
from support.fake_hub import Hub
from support.inspected_parts import COLS, ROWS, Parts, map_column
from support.prefect_server import free_port
from support.project import ROOT

from tasks.model.checkpoint import load_checkpoint

BIN = Path(sys.executable).parent
SECRET = "a secret of more than sixteen"
NAME = "acme/boards"
# A traceback chain as Python prints it, with SQLAlchemy's lines after its error, whose SQL may have several.
TRACE = r"Traceback \(most recent call last\):\n(?:[ \t].*\n)+"
DETAIL = r"(?:\[SQL: (?:(?!Traceback \().*\n)*?\(Background on this error at: .*(?:\n|\Z))?+"
CHAIN = r"\n(?:The above exception was the direct cause of|During handling of the above exception, another) .*:\n\n"
BUSY = r"(?:sqlalchemy\.exc\.OperationalError: \()?sqlite3\.OperationalError[:)] database is locked"
LOCKED = re.compile(rf"(?:{TRACE}\S.*\n{DETAIL}{CHAIN})*{TRACE}{BUSY}(?:\n|\Z){DETAIL}(?!{CHAIN})")
FITTING = {"tower.widths": "64-32-8", "fit.learning_rate": 0.01, "fit.epochs": 12, "fit.prototype": "mean-embedding"}
SETTINGS = {"data.rows": ROWS, "data.cols": COLS, "evaluate.bootstrap": 100, **FITTING}


def until(question: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first true answer; fails after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = question()
        if answer:
            return answer
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds} s: {what}")


def without_locked_database(log: str) -> str:
    """The log without those tracebacks of Prefect's server that end in SQLite's "database is locked".

    On a starved machine a transaction of the server that has read finds that another has written since, which
    no waiting mends; the server tries again, and says so with a traceback. One that passes through a file
    outside of Python's libraries, such as one of ours, or that ends in anything else, stays.
    """

    def without_ours(entry: re.Match[str]) -> str:
        files = re.findall(r'^ +File "([^"]+)"', entry[0], re.M)
        servers = any("/prefect/server/" in name for name in files) and all("/lib/python3" in name for name in files)
        return "" if servers else entry[0]

    return LOCKED.sub(without_ours, log)


def news(sha: str, name: str = NAME, ref: str = "refs/heads/main") -> dict[str, Any]:
    """What the Hub sends when a branch of a dataset has a new commit."""
    return {
        "event": {"action": "update", "scope": "repo.content"},
        "repo": {"type": "dataset", "name": name, "id": "0", "private": False, "headSha": sha},
        "updatedRefs": [{"ref": ref, "oldSha": "0" * 40, "newSha": sha}],
        "webhook": {"id": "1", "version": 3},
    }


class Factory:
    """The folder, the Hub, and `kensa up` once it was started."""

    def __init__(self, folder: Path, hub: Hub, toml: str = "", **settings: Any) -> None:
        self.folder, self.hub, self.process = folder, hub, None
        self.auth: tuple[str, str] | None = None  # of a server that requires one
        self.words: tuple[str, ...] = ()  # further ones of `kensa up`
        self.port, self.webhook_port, self.pages_port = free_port(), free_port(), free_port()
        folder.mkdir(parents=True)
        for part in ("flows", "tasks"):
            (folder / part).symlink_to(ROOT / part)
        self._plan_the_watch(minutes_ahead=40)
        words = ", ".join(f'"{key}={value}"' for key, value in {**SETTINGS, **settings}.items())
        (folder / "kensa.toml").write_text(
            f'{toml}\n[lines.boards]\ntrain = "{NAME}"\npreset = "notebook"\nset = [{words}]\n'
        )
        quick = {"PREFECT_WORKER_QUERY_SECONDS": "1", "KENSA_WEBHOOK_SECRET": SECRET, "PREFECT_API_URL": self.api}
        folders = {"PREFECT_HOME": str(folder / "prefect"), "MPLCONFIGDIR": str(folder.parent / "matplotlib")}
        self.env = {**hub.env(folder / "home"), **folders, **quick, "PATH": f"{BIN}:{os.environ['PATH']}"}

    def _plan_the_watch(self, minutes_ahead: int) -> None:
        """Each hour, `minutes_ahead` from now: at a quarter hour it would train what a test is about to deliver."""
        quarter_hour = 'cron: "*/15 * * * *"'
        deployments = (ROOT / "prefect.yaml").read_text()
        assert deployments.count(quarter_hour) == 1
        minute = (time.gmtime().tm_min + minutes_ahead) % 60
        (self.folder / "prefect.yaml").write_text(deployments.replace(quarter_hour, f'cron: "{minute} * * * *"'))

    @property
    def api(self) -> str:
        """Address of the Prefect server."""
        return f"http://127.0.0.1:{self.port}/api"

    def publish(self, parts: Parts) -> str:
        """A new commit of the dataset; returns its sha."""
        file = io.BytesIO()
        pq.write_table(map_column(parts), file)
        return self.hub.commit(NAME, {"train.parquet": file.getvalue()})

    def start(self) -> float:
        """`kensa up` until it says that it is ready; returns the seconds that it took."""
        began = time.monotonic()
        ports = {"--port": self.port, "--webhook-port": self.webhook_port, "--pages-port": self.pages_port}
        words = [BIN / "kensa", "up", *(str(word) for option in ports.items() for word in option), *self.words]
        with self.log.open("a") as log:
            log.write("---- started\n")
            log.flush()
            self.process = subprocess.Popen(words, cwd=self.folder, env=self.env, stdout=log, stderr=log)
        until(lambda: "kensa up: ready" in self.said() or self.process.poll() is not None, 180, "kensa up is ready")
        assert self.process.poll() is None, self.said()
        until(self._receiver_listens, 30, "the receiver listens")
        return time.monotonic() - began

    @property
    def log(self) -> Path:
        """The log of `kensa up` and its services."""
        return self.folder / "up.log"

    def said(self) -> str:
        """The log since the last start."""
        return self.log.read_text().rpartition("---- started\n")[2]

    def _receiver_listens(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.webhook_port}/health", timeout=2).is_success
        except httpx.TransportError:
            return False

    def stop(self) -> float:
        """Ctrl-C; returns the seconds until `kensa up` had ended, which it must with 0."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(120) == 0, self.said()
        return time.monotonic() - began

    def processes(self, *words: str) -> dict[int, str]:
        """Every living process of this factory whose command line holds one of `words` (or any), by pid."""
        mark, lines = f"PREFECT_HOME={self.folder / 'prefect'}".encode(), {}
        for place in Path("/proc").glob("[0-9]*"):
            try:
                ours = mark in (place / "environ").read_bytes().split(b"\0")
                line = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
            except OSError:
                continue  # it has ended, or is not ours to look at
            if ours and line and (not words or any(word in line for word in words)):
                lines[int(place.name)] = line
        return lines

    def sweep(self) -> None:
        """After a failed test: end what is left."""
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def run(self, *words: str) -> subprocess.CompletedProcess:
        """A command in the folder, with its environment."""
        return subprocess.run(
            [*map(str, words)], cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=600, check=False
        )

    def deliver(self, body: Any, secret: str = SECRET) -> httpx.Response:
        """One delivery of the Hub's webhook."""
        return httpx.post(
            f"http://127.0.0.1:{self.webhook_port}/webhook", json=body, headers={"X-Webhook-Secret": secret}, timeout=30
        )

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """The Prefect server's answer."""
        url = f"{self.api}{path}"
        method = "GET" if body is None else "POST"
        answer = httpx.request(method, url, json=body, auth=self.auth, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def runs(self, deployment: str = "on-new-version") -> list[dict[str, Any]]:
        """The runs of a deployment, oldest first."""
        return self.ask(
            "/flow_runs/filter", {"deployments": {"name": {"any_": [deployment]}}, "sort": "START_TIME_ASC"}
        )

    def tasks(self, run: str) -> list[tuple[str, str]]:
        """Name and state of every task of a flow run; those of a run that was taken up again stand there twice."""
        tasks = self.ask("/task_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})
        return [(task["name"], task["state_name"]) for task in tasks]

    def releases(self) -> list[dict[str, Any]]:
        """The manifests of all releases of the line and of all rejected drafts."""
        folder = self.folder / "artifacts" / "boards"
        paths = [*sorted(folder.glob("releases/v*/manifest.json")), *sorted(folder.glob("drafts/*/manifest.json"))]
        return [json.loads(path.read_text()) for path in paths]

    def epochs(self) -> int:
        """How many epochs of a training are done; 0 while none is under way."""
        states = self.folder.glob("data/stages/.training-*[0-9a-f].npz")
        checkpoint = next((state for state in map(load_checkpoint, states) if state), None)
        return len(checkpoint.log) if checkpoint else 0


@contextmanager
def dask_cluster(home: Path, env: dict[str, str]) -> Iterator[tuple[str, Path]]:
    """A Dask scheduler and two workers, each a process of its own in a folder of its own; the address and the logs."""
    port, processes = free_port(), []
    address = f"tcp://127.0.0.1:{port}"
    commands = {
        "scheduler": ["scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"],
        **{name: ["worker", address, "--nthreads", 1, "--no-dashboard", "--name", name] for name in ("one", "two")},
    }
    try:
        for name, words in commands.items():
            (home / name).mkdir()
            with (home / f"{name}.log").open("w") as log:
                command = [str(word) for word in (BIN / "dask", *words)]
                processes.append(
                    subprocess.Popen(command, cwd=home / name, env={**os.environ, **env}, stdout=log, stderr=log)
                )
        registered = (home / "scheduler.log").read_text
        until(lambda: registered().count("Register worker") == 2, 120, "two workers")
        yield address, home
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait(60)
