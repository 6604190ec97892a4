"""Judges new parts with a release: one row a record, batch by batch, so that memory does not grow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.config import Data, Retrain
from tasks.decode import Decoded, decode
from tasks.errors import UnreadableSource
from tasks.handover import Downloaded, Scored
from tasks.labelled import Labelled
from tasks.progress import Counted
from tasks.released import Released, opened_release
from tasks.schema import Shape, map_columns, recognise
from tasks.stages import drafting, usable
from tasks.tables import streamed
from tasks.verdicts import VERDICTS, Verdicts, verdicts_on


def score(downloaded: Downloaded, config: Retrain, version: str | None, out: str) -> Scored:
    """Write the verdict on every record of a source to the Parquet file `out`.

    Columns: row, mode (nearest), distance to it, score (the release's own, larger = more anomalous),
    verdict (good, defect, or unknown = farther from every mode than the same-mode threshold), margin
    (threshold minus score), beta and sqrt_ve against the nearest mode's anchor. The file's metadata name
    release, source and revision. `version` is a release, by default the champion. Where records have labels,
    the returned figures say what the verdicts are worth.
    Raises what opening a release does, and UnreadableSource where the maps do not fit.
    """
    opened = opened_release(Path(config.artifacts_folder), version)
    target = Path(out)
    folder = usable(target.parent)
    counts, labelled = dict.fromkeys(VERDICTS, 0), Labelled(opened)
    with drafting(folder, "verdicts") as draft:
        with pq.ParquetWriter(draft / "verdicts.parquet", SCHEMA.with_metadata(_origin(downloaded, opened))) as writer:
            for start, part, found in judged(downloaded, opened):
                writer.write_batch(_rows(found, opened, start))
                labelled.take(found, part.label, part.mode)
                for verdict, count in zip(*np.unique(found.verdict, return_counts=True), strict=True):
                    counts[str(verdict)] += int(count)
        (draft / "verdicts.parquet").replace(target)
    resolved = downloaded.resolved
    return Scored(resolved.source, resolved.revision, opened.release.version, str(target), counts, labelled.figures())


def judged(downloaded: Downloaded, opened: Released) -> Iterator[tuple[int, Decoded, Verdicts]]:
    """The first row's number, the records and the verdicts of each batch of a source.

    Raises UnreadableSource for maps of another size, values that are not finite, or no record at all.
    """
    source, start, progress = downloaded.resolved.source, 0, Counted("judged")
    with streamed(downloaded, opened.data, True) as batches:
        for batch in batches:
            shape = fitting(batch.schema, opened, source)
            (part,) = decode(batch, shape, opened.data)
            yield start, part, verdicts_on(opened, _finite(part, start, opened.release.version))
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
            f"{source}: expected records with {_size(settings)} maps (data0… or map), which {opened.release.version} "
            f"judges, found {shape.kind}; score a source of that kind, or with another --release"
        )
    return shape


def _size(settings: Data) -> str:
    return f"{settings.rows}×{settings.cols}"


def _finite(part: Decoded, start: int, version: str) -> np.ndarray:
    whole = np.isfinite(part.maps).all(axis=1)
    if not whole.all():
        row = int(np.argmin(whole))
        found = "a map of another size" if part.odd[row] else "others"
        raise UnreadableSource(
            f"row {start + row}: expected {part.maps.shape[1]} finite values, as {version} was trained on, "
            f"found {found}; mend or remove the record"
        )
    return part.maps


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


def _origin(downloaded: Downloaded, opened: Released) -> dict[str, str]:
    resolved = downloaded.resolved
    told = {"release": opened.release.version, "source": resolved.source, "revision": resolved.revision}
    return {"kensa": json.dumps(told)}


def _rows(found: Verdicts, opened: Released, start: int) -> pa.RecordBatch:
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
