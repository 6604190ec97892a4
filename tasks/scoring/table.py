"""The Parquet table of verdicts: one row a record, with the release and source that it comes from."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tasks.core.results import PinnedSource
from tasks.registry.loading import LoadedRelease
from tasks.scoring.batch import ScoredBatch
from tasks.scoring.verdicts import VERDICTS

PREDICTIONS = ("distance", "score", "verdict", "margin", "beta", "sqrt_ve")  # columns that are fields of Predictions
KINDS = {name: pa.string() if name == "verdict" else pa.float64() for name in PREDICTIONS}
VERDICTS_SCHEMA = pa.schema({"row": pa.int64(), "mode": pa.string(), **KINDS})

Write = Callable[[pa.RecordBatch], None]  # such as a ParquetWriter's write_batch


class VerdictWriter:
    """Writes the verdicts of batches as rows of VERDICTS_SCHEMA, and counts them."""

    def __init__(self, release: LoadedRelease, write: Write) -> None:
        self.modes, self.write = release.classifier.modes, write
        self.counts = dict.fromkeys(VERDICTS, 0)

    def update(self, batch: ScoredBatch) -> None:
        """Write and count the batch's verdicts."""
        self.write(to_record_batch(batch, self.modes))
        for verdict, count in zip(*np.unique(batch.predictions.verdict, return_counts=True), strict=True):
            self.counts[str(verdict)] += int(count)

    def result(self) -> dict[str, int]:
        """How many records have each of VERDICTS."""
        return self.counts


def file_metadata(
    source: PinnedSource, release: LoadedRelease, against: LoadedRelease | None = None, unread: Sequence[str] = ()
) -> dict[str, str]:
    """The file's metadata: release, source, revision and its files that were not read, as JSON under `kensa`."""
    origin: dict[str, Any] = {"release": release.version, "source": source.source, "revision": source.revision}
    origin |= {} if against is None else {"against": against.version}
    origin |= {"not_read": list(unread)} if unread else {}
    return {"kensa": json.dumps(origin)}


def to_record_batch(batch: ScoredBatch, modes: list[str]) -> pa.RecordBatch:
    """A batch's verdicts as rows of VERDICTS_SCHEMA."""
    predictions = batch.predictions
    columns = {name: getattr(predictions, name) for name in PREDICTIONS}
    columns |= {"row": batch.rows, "mode": np.array(modes, object)[predictions.mode]}
    return pa.RecordBatch.from_pydict(columns, VERDICTS_SCHEMA)
