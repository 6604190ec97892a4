"""The Parquet table of verdicts: one row a record, with the release and source that it comes from."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.core.files import file_digest
from tasks.core.results import PinnedSource
from tasks.core.stages import MANIFEST
from tasks.data.bank import hex_of
from tasks.registry.loading import LoadedRelease
from tasks.scoring.batch import ScoredBatch
from tasks.scoring.verdict_columns import DIGEST_DIGITS, PREDICTIONS, PREDICTIONS_SCHEMA, VERDICTS_SCHEMA
from tasks.scoring.verdicts import VERDICTS

GROUP_ROWS = 1 << 16  # of a row group of a file of verdicts
Write = Callable[[pa.RecordBatch], None]  # such as RowGroups' write


class RowGroups:
    """Writes batches to a Parquet file in row groups of about GROUP_ROWS rows.

    What a file knows of its row groups is in memory until it is closed: of small groups, more than the rows at hand.
    """

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self.writer = writer
        self.waiting: list[pa.RecordBatch] = []

    def write(self, batch: pa.RecordBatch) -> None:
        """Add a batch."""
        self.waiting.append(batch)
        if sum(map(len, self.waiting)) >= GROUP_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what waits; to be called before the file is closed."""
        if self.waiting:
            self.writer.write_table(pa.Table.from_batches(self.waiting))
            self.waiting = []


class VerdictWriter:
    """Writes the verdicts of batches as rows of VERDICTS_SCHEMA, and counts them.

    Each row names the part, its record (the hash of its map), the release with the digest of its manifest, and the time
    (UTC) at which the scoring began.
    """

    def __init__(self, release: LoadedRelease, *writes: Write) -> None:
        self.modes, self.writes = release.classifier.modes, writes
        self.release, self.digest = release.version, release_digest(release)
        self.time = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        self.counts = dict.fromkeys(VERDICTS, 0)

    def update(self, batch: ScoredBatch) -> None:
        """Write and count the batch's verdicts."""
        rows = self._with_origin(batch)
        for write in self.writes:
            write(rows)
        for verdict, count in zip(*np.unique(batch.predictions.verdict, return_counts=True), strict=True):
            self.counts[str(verdict)] += int(count)

    def result(self) -> dict[str, int]:
        """How many records have each of VERDICTS."""
        return self.counts

    def _with_origin(self, batch: ScoredBatch) -> pa.RecordBatch:
        count = len(batch)
        hashes = hex_of(np.frombuffer(b"".join(batch.records.hashes), "S16"))
        columns = [pa.array(batch.records.id or [None] * count, VERDICTS_SCHEMA.field("part").type)]
        columns.append(pa.array(hashes).cast(VERDICTS_SCHEMA.field("record").type))
        same = {"release": self.release, "digest": self.digest, "time": self.time}
        for name, value in same.items():
            columns.append(pa.repeat(pa.scalar(value, VERDICTS_SCHEMA.field(name).type), count))
        verdicts = to_record_batch(batch, self.modes).columns
        return pa.RecordBatch.from_arrays([*verdicts, *columns], schema=VERDICTS_SCHEMA)


def release_digest(release: LoadedRelease) -> str:
    """The first 16 digits of the SHA-256 of the release's manifest, which holds those of all its files."""
    return file_digest(release.path / MANIFEST)[:DIGEST_DIGITS]


def file_metadata(
    source: PinnedSource, release: LoadedRelease, against: LoadedRelease | None = None, unread: Sequence[str] = ()
) -> dict[str, str]:
    """The file's metadata: release, source, revision and its files that were not read, as JSON under `kensa`."""
    origin: dict[str, Any] = {"release": release.version, "source": source.source, "revision": source.revision}
    origin |= {} if against is None else {"against": against.version}
    origin |= {"not_read": list(unread)} if unread else {}
    return {"kensa": json.dumps(origin)}


def to_record_batch(batch: ScoredBatch, modes: list[str]) -> pa.RecordBatch:
    """A batch's verdicts as rows of PREDICTIONS_SCHEMA."""
    predictions = batch.predictions
    columns = {name: getattr(predictions, name) for name in PREDICTIONS}
    columns |= {"row": batch.rows, "mode": np.array(modes, object)[predictions.mode]}
    return pa.RecordBatch.from_pydict(columns, PREDICTIONS_SCHEMA)
