"""The ledger of dataset versions: each line and revision is retrained once, whoever reports it.

A SQLite file, because the flow `watch`, the receiver and the runs are separate processes, and any of them may be
killed at any moment: what a method has written is on the disk when it returns.

    pending -> running -> done
       |          |-> failed -> pending again, within the bound
       |          |-> cancelled, by a person: not tried again
       |-> skipped: a newer revision of the line came before this one was trained

Numbers order a line's versions. Deliveries alone cannot: one may be late, or an old one replayed. So whoever looks
at the source writes down its head, and the head has the highest number.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tasks.core.errors import DamagedLedger, UnusableFolder
from tasks.core.files import ensure_writable
from tasks.core.text import one_line

LOCK_SECONDS = 60  # to wait for other processes that write
REANNOUNCE_SECONDS = 600  # seconds after which an event that started no run counts as lost
RETRY_SECONDS = 300  # seconds before a failed version is tried again
TABLE = """
CREATE TABLE IF NOT EXISTS versions (
    line TEXT NOT NULL, revision TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'pending',
    tries INTEGER NOT NULL DEFAULT 0, told INTEGER NOT NULL DEFAULT 0, run TEXT, noted REAL NOT NULL,
    changed REAL NOT NULL, number INTEGER PRIMARY KEY AUTOINCREMENT, UNIQUE (line, revision)
)
"""
Answer = Literal["train", "done", "running", "skipped", "cancelled", "given up"]
End = Literal["done", "failed", "cancelled"]
STATES = ("pending", "running", "done", "failed", "cancelled", "skipped")
COLUMNS = "line, revision, state, tries, told, run"


@dataclass(frozen=True)
class Version:
    """One line of the ledger. `announcements` counts the events sent for it, `tries` the runs that took it."""

    line: str
    revision: str
    state: str
    tries: int
    announcements: int
    run: str | None


class Ledger:
    """The versions of all lines; every method is one transaction. Raises DamagedLedger and UnusableFolder."""

    def __init__(self, folder: str | Path, tries: int = 3) -> None:
        self.path = ensure_writable(Path(folder)) / "ledger.sqlite"
        self.tries = tries
        with self._writing() as table:
            table.execute(TABLE)
            self._require_intact(table)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One exclusive transaction, on the disk when it returns."""
        try:
            table = sqlite3.connect(self.path, timeout=LOCK_SECONDS, isolation_level=None)
            try:
                _begin(table)
                yield table
                table.execute("COMMIT")
            finally:
                table.close()  # without COMMIT, this rolls back
        except sqlite3.OperationalError as error:  # no room, no permission, or minutes of waiting for a lock
            raise UnusableFolder(f"{self.path}: cannot be written ({error}); repair the disk, and run again") from None
        except sqlite3.DatabaseError as error:
            raise self._damaged(str(error)) from None

    def _require_intact(self, table: sqlite3.Connection) -> None:
        """Raise DamagedLedger where a page, an index or a state is not as it was written."""
        ((answer,), *_) = table.execute("PRAGMA integrity_check(1)").fetchall()
        if answer != "ok":
            raise self._damaged(answer)
        marks = ", ".join("?" * len(STATES))
        row = table.execute(f"SELECT state FROM versions WHERE state NOT IN ({marks})", STATES).fetchone()  # noqa: S608
        if row:
            raise self._damaged(f"unknown state {row[0]!r}")

    def _damaged(self, reason: str) -> DamagedLedger:
        return DamagedLedger(
            f"{self.path}: expected an intact ledger, found a damaged one ({one_line(reason)}); restore it from a "
            "backup, or delete it with its -wal and -shm: each line's head is then looked up anew, and what was "
            "retrained before is found unchanged"
        )

    def note(self, line: str, revision: str) -> bool:
        """Write a revision down; False where it was there already."""
        with self._writing() as table:
            return _noted(table, line, revision)

    def head(self, line: str, revision: str) -> bool:
        """Write down the source's present revision as the newest of the line; False where it was there already.

        All others are older. A head that was skipped is pending again: somebody set the source back to it.
        """
        with self._writing() as table:
            new = _noted(table, line, revision)
            table.execute(
                "UPDATE versions SET number = (SELECT MAX(number) + 1 FROM versions), "
                "state = CASE state WHEN 'skipped' THEN 'pending' ELSE state END, "
                "told = CASE state WHEN 'skipped' THEN 0 ELSE told END WHERE line = ? AND revision = ? "
                "AND (state = 'skipped' OR number < (SELECT MAX(number) FROM versions WHERE line = ?))",
                (line, revision, line),
            )
            return new

    def due(self) -> list[Version]:
        """Versions to announce to Prefect now: the newest pending one of each line.

        Older pending ones are skipped. A failed one is pending again while tries are left. One that was announced
        and not claimed is announced again, unless a run is training: then it waits in Prefect's queue.
        """
        with self._writing() as table:
            now = time.time()
            table.execute(
                "UPDATE versions SET state = 'pending', told = 0, changed = ? "
                "WHERE state = 'failed' AND tries < ? AND changed < ?",
                (now, self.tries, now - RETRY_SECONDS),
            )
            table.execute(
                "UPDATE versions SET state = 'skipped', changed = ? WHERE state = 'pending' AND EXISTS "
                "(SELECT 1 FROM versions newer WHERE newer.line = versions.line AND newer.number > versions.number)",
                (now,),
            )
            return _read(
                table,
                "state = 'pending' AND (told = 0 OR changed < ? AND NOT EXISTS "
                "(SELECT 1 FROM versions WHERE state = 'running'))",
                (now - REANNOUNCE_SECONDS,),
            )

    def mark_announced(self, line: str, revision: str) -> None:
        """Write down that the server accepted the version's event."""
        with self._writing() as table:
            table.execute(
                "UPDATE versions SET told = told + 1, changed = ? WHERE line = ? AND revision = ?",
                (time.time(), line, revision),
            )

    def claim(self, line: str, revision: str, run: str) -> Answer:
        """Whether the run may train this version; at most one run at a time gets the answer `train`.

        The same run may claim again what it has claimed: it was restarted after a crash.
        """
        with self._writing() as table:
            row = table.execute(
                "SELECT state, tries, run, number FROM versions WHERE line = ? AND revision = ?", (line, revision)
            ).fetchone()
            if row is None:
                raise LookupError(f"{line}@{revision} was never noted")
            state, tries, owner, number = row
            if state == "running" and owner == run:
                return "train"
            if state in {"done", "skipped", "running", "cancelled"}:
                return state
            if tries >= self.tries:
                return "given up"
            newer = "SELECT 1 FROM versions WHERE line = ? AND number > ?"
            claimed = "skipped" if table.execute(newer, (line, number)).fetchone() else "running"
            table.execute(
                "UPDATE versions SET state = ?, tries = tries + ?, run = ?, changed = ? WHERE number = ?",
                (claimed, claimed == "running", run, time.time(), number),
            )
            return "train" if claimed == "running" else "skipped"

    def finish(self, line: str, revision: str, run: str, state: End) -> None:
        """Write down how the run that claimed the version ended."""
        with self._writing() as table:
            table.execute(
                "UPDATE versions SET state = ?, changed = ? "
                "WHERE line = ? AND revision = ? AND run = ? AND state = 'running'",
                (state, time.time(), line, revision, run),
            )

    def versions(self, line: str | None = None) -> list[Version]:
        """Everything noted, oldest first."""
        with self._writing() as table:
            return _read(table, "? IS NULL OR line = ?", (line, line))


def _begin(table: sqlite3.Connection) -> None:
    """Begin a transaction that no other process writes beside.

    SQLite itself waits for another writer, but not while another process makes the file a write-ahead log or, as the
    last to close it, takes that log away: then it says at once that the database is locked.
    """
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            table.execute("PRAGMA journal_mode=WAL")
            table.execute("PRAGMA synchronous=FULL")
            table.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)


def _noted(table: sqlite3.Connection, line: str, revision: str) -> bool:
    """Whether the revision was unknown, and is written down now."""
    now = time.time()
    words = "INSERT OR IGNORE INTO versions (line, revision, noted, changed) VALUES (?, ?, ?, ?)"
    return table.execute(words, (line, revision, now, now)).rowcount == 1


def _read(table: sqlite3.Connection, where: str, values: tuple[object, ...]) -> list[Version]:
    """The versions that fit, oldest first; `where` is one of our own phrases, never a stranger's."""
    rows = table.execute(f"SELECT {COLUMNS} FROM versions WHERE {where} ORDER BY number", values)  # noqa: S608
    return [Version(*row) for row in rows.fetchall()]
