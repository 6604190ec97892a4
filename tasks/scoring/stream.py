"""A source walked record by record with a release: what scoring and drift have in common."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from tasks.core.errors import UnreadableSource
from tasks.core.progress import RecordCounter
from tasks.core.results import DownloadedSource
from tasks.data.decode import DecodedBlock, decode
from tasks.data.readers import stream_source
from tasks.data.schema import TableLayout, detect_layout, map_columns
from tasks.registry.loading import LoadedRelease
from tasks.scoring.verdicts import Predictions, predict


def score_batches(
    downloaded: DownloadedSource, opened: LoadedRelease
) -> Iterator[tuple[int, DecodedBlock, Predictions]]:
    """The first row's number, the records and the verdicts of each batch of a source.

    Raises UnreadableSource for maps of another size, values that are not finite, or no record at all.
    """
    source, start, progress = downloaded.resolved.source, 0, RecordCounter("judged")
    with stream_source(downloaded, opened.data, True) as batches:
        for batch in batches:
            shape = require_matching_layout(batch.schema, opened, source)
            (part,) = decode(batch, shape, opened.data)
            yield start, part, predict(opened, _finite(part, start, opened))
            start += batch.num_rows
            progress.update(start)
    if not start:
        raise UnreadableSource(f"{source}: expected records to judge, found none")


def require_matching_layout(schema: pa.Schema, opened: LoadedRelease, source: str) -> TableLayout:
    """The shape of a source whose records the release can judge; labels and modes are not needed."""
    settings = opened.data
    shape = detect_layout(schema, settings)
    if len(shape.blocks) != 1 or len(shape.columns[0]) != len(map_columns(shape.blocks[0], settings)):
        raise UnreadableSource(
            f"{source}: expected records with {settings.rows}×{settings.cols} maps (data0… or map), which "
            f"{opened.release.version} judges, found {shape.kind} that are not; score another source, or with "
            "another --release"
        )
    return shape


def _finite(part: DecodedBlock, start: int, opened: LoadedRelease) -> np.ndarray:
    whole = np.isfinite(part.maps).all(axis=1)
    if not whole.all():
        row = int(np.argmin(whole))
        found = "one of another size" if part.odd[row] else "values that are not"
        raise UnreadableSource(
            f"row {start + row}: expected a map of {opened.data.rows}×{opened.data.cols} finite values, as "
            f"{opened.release.version} was trained on, found {found}; mend or remove the record"
        )
    return part.maps
