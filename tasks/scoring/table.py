"""The table of verdicts as it is written: a row a record, and from what it was made."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from tasks.core.results import DownloadedSource
from tasks.registry.loading import LoadedRelease
from tasks.scoring.verdicts import Predictions

SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("mode", pa.string()),
        ("distance", pa.float64()),
        ("score", pa.float64()),
        ("verdict", pa.string()),
        ("margin", pa.float64()),
        ("beta", pa.float64()),
        ("sqrt_ve", pa.float64()),
    ]
)


def file_metadata(
    downloaded: DownloadedSource, opened: LoadedRelease, against: LoadedRelease | None = None
) -> dict[str, str]:
    """The file's metadata: release, source and revision as JSON under `kensa`."""
    resolved = downloaded.resolved
    told = {"release": opened.release.version, "source": resolved.source, "revision": resolved.revision}
    return {"kensa": json.dumps(told if against is None else {**told, "against": against.release.version})}


def to_record_batch(found: Predictions, opened: LoadedRelease, start: int) -> pa.RecordBatch:
    """The verdicts of a batch that begins with row `start`."""
    columns = [
        np.arange(start, start + len(found.mode)),
        np.array(opened.judge.modes, object)[found.mode],
        found.distance,
        found.score,
        found.verdict.astype(object),
        found.margin,
        found.beta,
        found.sqrt_ve,
    ]
    return pa.record_batch([pa.array(values, kind.type) for values, kind in zip(columns, SCHEMA, strict=True)], SCHEMA)
