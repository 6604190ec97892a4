"""Judges new parts with a release: one row a record, batch by batch, so that memory does not grow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.config import Data, Retrain
from tasks.decode import Decoded, decode
from tasks.errors import UnreadableSource
from tasks.handover import Downloaded, Scored
from tasks.released import Released, opened_release
from tasks.releases import Release
from tasks.schema import Shape, map_columns, recognise
from tasks.stages import drafting, usable
from tasks.tables import BATCH_ROWS
from tasks.tables import opened as opened_table
from tasks.verdicts import VERDICTS, Verdicts, verdicts_on


def score(downloaded: Downloaded, config: Retrain, version: str | None, out: str) -> Scored:
    """Write the verdict on every record of a source to the Parquet file `out`.

    Columns: row, mode (nearest), distance to it, score (the release's own, larger = more anomalous),
    verdict (good, defect, or unknown = farther from every mode than the same-mode threshold), margin
    (threshold minus score), beta and sqrt_ve against the nearest mode's anchor. `version` is a release,
    by default the champion. Raises UnknownRelease, or UnreadableSource where the maps do not fit.
    """
    opened = opened_release(Path(config.artifacts_folder), version)
    release, settings = opened.release, opened.data
    target = Path(out)
    folder = usable(target.parent)
    with opened_table(downloaded, settings, True, folder) as table, drafting(folder, "verdicts") as draft:
        shape = _fitting(table.schema, settings, downloaded.resolved.source)
        counts = _write(table, shape, opened, draft / "verdicts.parquet")
        (draft / "verdicts.parquet").replace(target)
    return Scored(downloaded.resolved.source, downloaded.resolved.revision, release.version, str(target), counts)


def _fitting(schema: pa.Schema, settings: Data, source: str) -> Shape:
    """The shape of a source whose records can be judged; labels and modes are not needed."""
    shape = recognise(schema, settings)
    if len(shape.blocks) != 1 or len(shape.columns[0]) != len(map_columns(shape.blocks[0], settings)):
        size = f"{settings.rows}×{settings.cols}"
        raise UnreadableSource(
            f"{source}: expected records with {size} maps (data0… or map), which this release judges"
        )
    return shape


def _write(table: pa.Table, shape: Shape, opened: Released, path: Path) -> dict[str, int]:
    counts = dict.fromkeys(VERDICTS, 0)
    start, writer = 0, None
    for batch in table.to_batches(max_chunksize=BATCH_ROWS):
        (part,) = decode(batch, shape, opened.data)
        rows = _rows(verdicts_on(opened, _finite(part, start, opened.release)), opened, start)
        writer = writer or pq.ParquetWriter(path, rows.schema)
        writer.write_batch(rows)
        start += batch.num_rows
        for verdict in rows["verdict"].to_pylist():
            counts[verdict] += 1
    if writer is None:
        raise UnreadableSource("expected records to judge, found none")
    writer.close()
    return counts


def _finite(part: Decoded, start: int, release: Release) -> np.ndarray:
    whole = np.isfinite(part.maps).all(axis=1)
    if not whole.all():
        row = start + int(np.argmin(whole))
        raise UnreadableSource(
            f"row {row}: expected {part.maps.shape[1]} finite values, as {release.version} was trained on"
        )
    return part.maps


def _rows(found: Verdicts, opened: Released, start: int) -> pa.RecordBatch:
    columns = {
        "row": np.arange(start, start + len(found.mode)),
        "mode": np.array(opened.judge.modes)[found.mode],
        "distance": found.distance,
        "score": found.score,
        "verdict": found.verdict,
        "margin": found.margin,
        "beta": found.beta,
        "sqrt_ve": found.sqrt_ve,
    }
    return pa.RecordBatch.from_pydict({name: pa.array(values.tolist()) for name, values in columns.items()})
