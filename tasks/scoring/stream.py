"""A source walked record by record with a release: what scoring and drift have in common."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from tasks.core.errors import UnreadableSource
from tasks.core.progress import Counted
from tasks.core.results import Downloaded
from tasks.data.decode import Decoded, decode
from tasks.data.readers import streamed
from tasks.data.schema import Shape, map_columns, recognise
from tasks.registry.loading import Released
from tasks.scoring.verdicts import Verdicts, verdicts_on


def judged(downloaded: Downloaded, opened: Released) -> Iterator[tuple[int, Decoded, Verdicts]]:
    """The first row's number, the records and the verdicts of each batch of a source.

    Raises UnreadableSource for maps of another size, values that are not finite, or no record at all.
    """
    source, start, progress = downloaded.resolved.source, 0, Counted("judged")
    with streamed(downloaded, opened.data, True) as batches:
        for batch in batches:
            shape = fitting(batch.schema, opened, source)
            (part,) = decode(batch, shape, opened.data)
            yield start, part, verdicts_on(opened, _finite(part, start, opened))
            start += batch.num_rows
            progress(start)
    if not start:
        raise UnreadableSource(f"{source}: expected records to judge, found none")


def fitting(schema: pa.Schema, opened: Released, source: str) -> Shape:
    """The shape of a source whose records the release can judge; labels and modes are not needed."""
    settings = opened.data
    shape = recognise(schema, settings)
    if len(shape.blocks) != 1 or len(shape.columns[0]) != len(map_columns(shape.blocks[0], settings)):
        raise UnreadableSource(
            f"{source}: expected records with {settings.rows}×{settings.cols} maps (data0… or map), which "
            f"{opened.release.version} judges, found {shape.kind} that are not; score another source, or with "
            "another --release"
        )
    return shape


def _finite(part: Decoded, start: int, opened: Released) -> np.ndarray:
    whole = np.isfinite(part.maps).all(axis=1)
    if not whole.all():
        row = int(np.argmin(whole))
        found = "one of another size" if part.odd[row] else "values that are not"
        raise UnreadableSource(
            f"row {start + row}: expected a map of {opened.data.rows}×{opened.data.cols} finite values, as "
            f"{opened.release.version} was trained on, found {found}; mend or remove the record"
        )
    return part.maps
