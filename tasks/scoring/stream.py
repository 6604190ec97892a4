"""A source scored batch by batch with a release: what the steps `score` and `drift` have in common."""

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
from tasks.scoring.batch import ScoredBatch
from tasks.scoring.verdicts import predict


def score_batches(source: DownloadedSource, release: LoadedRelease) -> Iterator[ScoredBatch]:
    """The records of a source and the release's predictions on them, in the source's order.

    Raises UnreadableSource for maps of another size, values that are not finite, or a source without records.
    """
    name, start, progress = source.resolved.source, 0, RecordCounter("scored")
    with stream_source(source, release.data, True) as batches:
        for batch in batches:
            layout = require_matching_layout(batch.schema, release, name)
            (records,) = decode(batch, layout, release.data)
            _require_finite(records, start, release)
            yield ScoredBatch(start, records, predict(release, records.maps))
            start += batch.num_rows
            progress.update(start)
    if not start:
        raise UnreadableSource(f"{name}: expected records to score, found none")


def require_matching_layout(schema: pa.Schema, release: LoadedRelease, source: str) -> TableLayout:
    """The layout of a table that the release can score; labels and modes are not needed.

    Raises UnreadableSource for a table without maps of the release's size.
    """
    data = release.data
    layout = detect_layout(schema, data)
    if len(layout.blocks) != 1 or len(layout.columns[0]) != len(map_columns(layout.blocks[0], data)):
        raise UnreadableSource(
            f"{source}: expected records with {data.rows}×{data.cols} maps (data0… or map), which "
            f"{release.version} judges, found {layout.kind} that are not; score another source, or with "
            "another --release"
        )
    return layout


def _require_finite(records: DecodedBlock, start: int, release: LoadedRelease) -> None:
    finite = np.isfinite(records.maps).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        problem = "one of another size" if records.wrong_size[row] else "values that are not"
        raise UnreadableSource(
            f"row {start + row}: expected a map of {release.data.rows}×{release.data.cols} finite values, as "
            f"{release.version} was trained on, found {problem}; correct or remove the record"
        )
