"""Many retrainings by one `kensa up`, as in production, with restarts: memory, disk, database and time stay flat.

Each is a new dataset version at a Hub, reported to the receiver, and trained by the worker in a process of its own.
After every five of them stages are pruned. After every 25 the database's past is moved back (as if a month and a
half had gone by), and something dies or is stopped: in turn all of it by Ctrl-C, all by SIGKILL, the server, the
worker; what is killed is killed in the middle of a run, which must end well all the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.factory import BIN, Factory, news, until, without_locked_database
from support.fake_hub import Hub

from bench.faults.harness import find_damage, hidden, left_over
from bench.faults.result_row import RECOVERED, Row, say
from bench.faults.soak_trend import KEPT, draw, read, summary
from flows.service.ledger import Ledger
from tasks.registry.releases import releases

FULL = 200
LIFE = 25  # retrainings between two restarts
PRUNED = 5  # retrainings between two `kensa prune --keep 3`
KEEP = 3
AGED = 46  # days by which the past is moved back at each restart: of 90 days, the runs of two lives stay
PATIENCE = 600  # seconds for one retraining, taken up again where it was killed
RESTARTS = ("Ctrl-C", "all killed", "server killed", "worker killed")
KINDS = {
    "server": ("flows.service.server_process", "server start", "uvicorn"),
    "worker": ("worker start",),
    "receiver": ("flows.service.webhook",),
}
LOCKED = "sqlalchemy.exc.OperationalError: (sqlite3.OperationalError) database is locked"
ENGINE = ("flow_run execute", "flow-run execute", "prefect.engine", "prefect.flow_engine")


def soak(folder: Path, seed: int, share: float) -> list[Row]:
    """The one row of this part."""
    kind = "retrainings by one `kensa up`, each of a new version, pruned and restarted"
    return [Row("soak", kind, seed).timed(lambda row: _soaked(folder, row, max(4, round(FULL * share))))]


def _soaked(folder: Path, row: Row, count: int) -> None:
    """Ctrl-C ends it early; what was done until then counts."""
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    KEPT.write_text("")
    with contextlib.suppress(KeyboardInterrupt), _running(folder) as place:
        for number in range(count):
            restart = RESTARTS[number // LIFE % len(RESTARTS) - 1] if number and number % LIFE == 0 else None
            try:
                if number and number % PRUNED == 0:
                    _prune(place)
                line = {"number": number, "restart": restart, **_one(place, row.seed + number, restart)}
            except AssertionError as wrong:
                row.count(f"retraining {number}: {wrong}")
                break
            row.count(RECOVERED)
            with KEPT.open("a") as file:
                file.write(json.dumps(line) + "\n")
            say(json.dumps(line))
    row.notes = summary(read())
    draw(read())


@contextlib.contextmanager
def _running(folder: Path) -> Iterator[Factory]:
    with Hub() as hub:
        place = Factory(folder / "place", hub, **{"fit.epochs": 6})
        place.publish(hidden(160))
        try:
            place.start()
            yield place
        finally:
            if place.process and place.process.poll() is None:
                place.stop()
            place.sweep()
            shutil.copy(place.log, KEPT.with_suffix(".log"))


def _one(place: Factory, seed: int, restart: str | None) -> dict[str, Any]:
    """One new version until it is concluded, with a restart before it or amidst it; what was measured after it."""
    if restart == "Ctrl-C":
        place.stop()
        _age(place)
        place.start()
    sha = place.publish(hidden(160, seed))
    start = time.monotonic()
    assert place.deliver(news(sha)).status_code == 202
    if restart and restart != "Ctrl-C":
        until(lambda: _engine(place) and place.epochs(), PATIENCE, "it trains")
        _age(place)
        _kill(place, restart)
    peak = 0

    def ended() -> Any:
        nonlocal peak
        peak = max(peak, _memory(_engine(place), "VmHWM"))
        time.sleep(0.3)
        return next((run for run in _runs(place, sha) if run["state_type"] == "COMPLETED"), None)

    run = until(ended, PATIENCE, "the run is completed")
    wall = time.monotonic() - start
    artifacts = place.folder / "artifacts" / "boards"
    states = {version.revision: version.state for version in Ledger(place.folder / "data").versions()}
    assert states[sha] == "done", states[sha]
    assert not (wrong := find_damage(artifacts)), wrong
    assert not (files := left_over(place.folder / "artifacts")), files
    seconds = {"seconds": run["total_run_time"], "wall": wall}
    memory = {kind: _memory(place.processes(*words), "VmRSS") for kind, words in KINDS.items()}
    log = place.log.read_text()
    tracebacks = {"locked": log.count(LOCKED), "tracebacks": without_locked_database(log).count("Traceback (")}
    counts = {"releases": len(releases(artifacts)), **tracebacks}
    return {**seconds, **memory, "training": peak, **_disk(place), **counts}


def _runs(place: Factory, sha: str) -> list[dict[str, Any]]:
    """The runs of this revision; none while the server is down."""
    request = {"deployments": {"name": {"any_": ["on-new-version"]}}, "sort": "EXPECTED_START_TIME_DESC", "limit": 5}
    try:
        runs = place.ask("/flow_runs/filter", request)
    except OSError:
        return []
    except Exception as error:  # httpx: it is being started again
        if type(error).__module__.partition(".")[0] != "httpx":
            raise
        return []
    return [run for run in runs if run["parameters"].get("revision") == sha]


def _engine(place: Factory) -> dict[int, str]:
    """The processes that walk the line."""
    return place.processes(*ENGINE)


def _kill(place: Factory, what: str) -> None:
    if what == "all killed":
        place.sweep()
        place.process.wait()
        place.start()
        return
    for pid in place.processes(*KINDS[what.partition(" ")[0]]):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _prune(place: Factory) -> None:
    """As a timer would, but for the age: the whole soak takes an hour."""
    done = place.run(BIN / "kensa", "prune", "--keep", KEEP, "--older-than", 0)
    assert done.returncode == 0, done.stderr


def _age(place: Factory) -> None:
    """Move back all that has ended, as if so many days had gone by."""
    ended = ("COMPLETED", "FAILED", "CANCELLED", "CRASHED")
    shift = "{0} = strftime('%Y-%m-%d %H:%M:%f', {0}, '-%d days') || '000'"
    with contextlib.closing(sqlite3.connect(_database(place), timeout=60)) as table, table:
        for column in ("start_time", "end_time"):
            sql = f"UPDATE flow_run SET {shift.format(column).replace('%d days', f'{AGED} days')}"
            table.execute(f"{sql} WHERE state_type IN {ended} AND {column} IS NOT NULL")
        for name in ("events", "event_resources"):
            table.execute(f"UPDATE {name} SET {shift.format('occurred').replace('%d days', f'{AGED} days')}")


def _database(place: Factory) -> Path:
    return place.folder / "prefect" / "prefect.db"


def _memory(pids: dict[int, str], field: str) -> float:
    """MB of these processes together; those that have ended count nothing."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            total += int(status.partition(f"{field}:")[2].split()[0])
    return total / 1024


def _disk(place: Factory) -> dict[str, float]:
    """MB of each folder, and the database's rows that are counted."""
    folder, artifacts = place.folder, place.folder / "artifacts"
    database = _database(place)
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=60)) as table:
        rows = {
            name: table.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("flow_run", "log", "events")
        }
        free, page = (table.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_size"))
    sizes = {
        "stages": _size(folder / "data"),
        "artifacts": _size(artifacts),
        "released": _size(artifacts / "boards" / "releases"),
        "hub": _size(folder / "home"),
        "database": sum(_size(path) for path in database.parent.glob("prefect.db*")),
        "prefect": _size(folder / "prefect"),
        "free": free * page / 1e6,
        "said": _size(place.log),
    }
    return {**sizes, **rows}


def _size(path: Path) -> float:
    """MB below a folder, or of a file; a file that has two names counts once."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file() and not file.is_symlink()]
    sizes = {}
    for file in files:
        with contextlib.suppress(OSError):
            status = file.stat()
            sizes[status.st_ino] = status.st_size
    return sum(sizes.values()) / 1e6
