"""The verdicts that the service gives, kept as Parquet by day where that is asked for.

    FOLDER/2026-11-29/140312-4711-000.parquet     rows as `kensa score` writes them: UTC day, time, process, number

A file is written anew every few seconds until it is full, beside and then renamed: it can be read at any time, and a
killed service loses the verdicts of those seconds alone.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kensa.serving.bodies import Parts
from kensa.serving.served_release import NUMBERS, Verdicts
from tasks.core.errors import UnusableFolder
from tasks.core.files import draft_prefix, ensure_writable, remove_stale_drafts, replace_durably, sync_to_disk
from tasks.core.log_lines import say
from tasks.core.text import one_line

KEEP_SECONDS = 10.0  # between two writes: what a killed service loses
FULL_ROWS = 50_000  # of a file
MOST_WAITING = 500_000  # rows that wait while the disk takes none; more are not kept


@dataclass(frozen=True)
class _Request:
    """The verdicts of one request, when they were given, and what is known of each part; not the maps, but hashes."""

    time: datetime.datetime
    verdicts: Verdicts
    records: list[str]
    names: list[str | None] | None
    registered: list[bool] | None

    @property
    def day(self) -> str:
        return f"{self.time:%Y-%m-%d}"

    def __len__(self) -> int:
        return len(self.verdicts)


class VerdictKeeper:
    """Keeps verdicts in a folder, by a thread of its own; raises UnusableFolder where it cannot be written.

    problem: why the last write failed, empty where it did not; waiting: rows that are not yet written; lost: rows that
    were not kept, because too many waited.
    """

    def __init__(self, folder: Path, seconds: float = KEEP_SECONDS) -> None:
        self.folder, self.seconds = ensure_writable(folder), seconds
        self.problem, self.waiting, self.lost = "", 0, 0
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._waiting: list[_Request] = []
        self._files = 0
        self._day, self._path, self._table = "", folder, None  # of the file that is being filled
        self._thread = threading.Thread(target=self._write_on, name="kept verdicts", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self) -> None:
        """Write what is left; nobody adds any more."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self.write()

    def add(self, verdicts: Verdicts, parts: Parts) -> None:
        """Keep the verdicts of one request."""
        now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        records = [hashlib.blake2b(row, digest_size=16).hexdigest() for row in parts.maps]
        request = _Request(now, verdicts, records, parts.names, parts.registered)
        with self._lock:
            if self.waiting + len(request) > MOST_WAITING:
                self.lost += len(request)
                return
            self._waiting.append(request)
            self.waiting += len(request)

    def _write_on(self) -> None:
        while not self._ended.wait(self.seconds):
            self.write()

    def write(self) -> None:
        """Write what waits; what the disk does not take waits on."""
        try:
            while requests := self._next_requests():
                self._write(requests)
                with self._lock:
                    del self._waiting[: len(requests)]
                    self.waiting -= sum(map(len, requests))
            self.problem = ""
        except (OSError, UnusableFolder) as error:
            problem = one_line(error)
            if problem != self.problem:
                say(f"kensa serve: {self.folder}: verdicts wait, they cannot be kept: {problem}", "error")
            self.problem = problem

    def _next_requests(self) -> list[_Request]:
        """The first that wait, of one day and about as many as a file holds."""
        with self._lock:
            waiting = list(self._waiting)
        requests, rows = [], 0
        for request in waiting:
            if request.day != waiting[0].day or rows >= FULL_ROWS:
                break
            requests.append(request)
            rows += len(request)
        return requests

    def _write(self, requests: list[_Request]) -> None:
        """Write the file that is being filled, or the next one, with these; after an OSError nothing has changed."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        table, day = to_table(requests), requests[0].day
        if self._table is None or day != self._day or len(self._table) >= FULL_ROWS:
            path = ensure_writable(self.folder / day) / self._new_name(requests[0].time)
        else:
            path, table = self._path, pa.concat_tables([self._table, table]).combine_chunks()
        remove_stale_drafts(path.parent, "verdicts")
        draft = path.with_name(f"{draft_prefix('verdicts')}0")
        try:
            pq.write_table(table, draft, compression="zstd")
            sync_to_disk(draft)
            replace_durably(draft, path)
        finally:
            draft.unlink(missing_ok=True)
        self._day, self._path, self._table = day, path, table

    def _new_name(self, time: datetime.datetime) -> str:
        self._files += 1
        return f"{time:%H%M%S}-{os.getpid()}-{self._files:03d}.parquet"


def to_table(requests: list[_Request]) -> Any:
    """The verdicts of requests as rows of a table of `kensa score`, with `registered` of photographs, else null."""
    import pyarrow as pa

    from tasks.scoring.verdict_columns import DIGEST_DIGITS, VERDICTS_SCHEMA

    def each(value: Callable[[_Request], list[Any]]) -> list[Any]:
        return [item for request in requests for item in value(request)]

    def none(request: _Request) -> list[None]:
        return [None] * len(request)

    columns = {
        "row": np.concatenate([np.arange(len(request)) for request in requests]),
        "part": each(lambda request: request.names or none(request)),
        "record": each(lambda request: request.records),
        "release": each(lambda request: [request.verdicts.release] * len(request)),
        "digest": each(lambda request: [request.verdicts.digest[:DIGEST_DIGITS]] * len(request)),
        "time": each(lambda request: [request.time] * len(request)),
        "registered": each(lambda request: request.registered or none(request)),
    }
    for name in ("verdict", "mode", *NUMBERS):
        columns[name] = np.concatenate([request.verdicts.columns[name] for request in requests])
    schema = pa.schema([*VERDICTS_SCHEMA, ("registered", pa.bool_())])
    arrays = [pa.array(columns[field.name], field.type) for field in schema]
    metadata = {"kensa": json.dumps({"source": "kensa serve"})}
    return pa.Table.from_arrays(arrays, schema=schema.with_metadata(metadata))
