"""All that `kensa up` says of itself: a look at every part and line, as JSON and as Prometheus metrics."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from flows.health.checks import (
    Check,
    RunLocks,
    check_folder,
    check_receiver,
    check_runs,
    check_server,
    check_worker,
    free_bytes,
    online_workers,
    run_locks,
    worst,
)
from flows.health.lines import LineStatus, check_line, count_versions, last_retrainings, line_status
from flows.service.lines import LINES_FILE, read_lines
from flows.service.server import PrefectServer, configured_server
from tasks.core.errors import KensaError, ServerUnreachable
from tasks.core.text import one_line

FRESH_SECONDS = 3  # for which a look is shown again: many scrapers cost no more than one
DATABASE_URLS = ("PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_API_DATABASE_CONNECTION_URL")
SERVER_CURE = "see its messages in the log of kensa up, which starts it again"


@dataclass(frozen=True)
class Status:
    """One look: the checks, and the figures from which the metrics are made."""

    checks: list[Check]
    workers: int | None = None
    locks: RunLocks = RunLocks({}, ())
    lines: list[LineStatus] = field(default_factory=list)
    free: dict[str, int] = field(default_factory=dict)
    databases: dict[str, int] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """ok, warning or failed: the worst of all checks."""
        return worst(self.checks)

    def as_json(self) -> dict[str, Any]:
        """What `GET /health` answers."""
        return {"status": self.verdict, "checks": [asdict(check) for check in self.checks]}


class StatusReader:
    """Looks at the parts and lines of this folder, at most once in FRESH_SECONDS. Safe for several threads."""

    def __init__(self, data: Path, artifacts: Path, receiver: str | None = None) -> None:
        self.data, self.artifacts, self.receiver = data, artifacts, receiver
        self.lock = threading.Lock()
        self.status: Status | None = None
        self.read_at = 0.0

    def read(self) -> Status:
        """The present status."""
        with self.lock:
            if self.status is None or time.monotonic() - self.read_at > FRESH_SECONDS:
                self.status = self._look()
                self.read_at = time.monotonic()
            return self.status

    def _look(self) -> Status:
        locks = run_locks(self.data)
        server, checks, workers = _check_services(self.receiver)
        lines, line_checks = self._check_lines(server)
        folders = {"data": self.data, "artifacts": self.artifacts}
        checks += [check_folder(f"disk, {name}", folder) for name, folder in folders.items()]
        return Status(
            checks=[*checks, check_runs(locks), *line_checks],
            workers=workers,
            locks=locks,
            lines=lines,
            free={name: free_bytes(folder) for name, folder in folders.items()},
            databases=dict(_database_sizes(self.data)),
        )

    def _check_lines(self, server: PrefectServer | None) -> tuple[list[LineStatus], list[Check]]:
        """The lines of kensa.toml, read anew; none where there is no such file: then only pages are served."""
        if not LINES_FILE.exists():
            return [], []
        try:
            lines = read_lines(LINES_FILE)
            versions = count_versions(lines, self.data)
            last = last_retrainings(server)
            statuses = [
                line_status(line, last.get(name), versions.get(name, {})) for name, line in lines.by_name.items()
            ]
        except KensaError as error:
            return [], [Check("lines", "failed", str(error), "correct it; see docs/production.md")]
        return statuses, [check_line(status) for status in statuses]


def _check_services(receiver: str | None) -> tuple[PrefectServer | None, list[Check], int | None]:
    """The server to go on with, None where it does not answer; the checks of the services; the workers online."""
    server, workers = configured_server(), None
    try:
        checks = [check_server(server), check_worker(server)]
        workers = len(online_workers(server)[0]) if server else None
    except (ServerUnreachable, ValueError) as error:  # or what answers there is another program
        unknown = Check("worker", "failed", "not known: the server does not answer", SERVER_CURE)
        server, checks = None, [Check("server", "failed", one_line(error), SERVER_CURE), unknown]
    return server, [*checks, Check("pages", "ok", "they answer"), check_receiver(receiver)], workers


def _database_sizes(data: Path) -> Iterator[tuple[str, int]]:
    """Bytes of the ledger, and of Prefect's database where it is a file of this machine, with their logs."""
    home = Path(os.environ.get("PREFECT_HOME", Path.home() / ".prefect"))
    files = {"ledger": data / "ledger.sqlite"}
    if not any(os.environ.get(name) for name in DATABASE_URLS):
        files["prefect"] = home / "prefect.db"
    for name, path in files.items():
        if path.exists():
            parts = [path, path.with_name(f"{path.name}-wal")]
            yield name, sum(part.stat().st_size for part in parts if part.exists())
