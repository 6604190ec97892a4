"""Judges new parts with a release: one row a record, batch by batch, so that memory does not grow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks import rt
from tasks.champion import champion_judge
from tasks.config import Data, Retrain
from tasks.decode import Decoded, decode
from tasks.errors import UnknownRelease, UnreadableSource
from tasks.handover import Downloaded, Scored
from tasks.judge import Judge
from tasks.releases import Release, champion, find, verified
from tasks.schema import Shape, map_columns, recognise
from tasks.stages import drafting, usable
from tasks.tables import BATCH_ROWS, opened


def score(downloaded: Downloaded, config: Retrain, version: str | None, out: str) -> Scored:
    """Write the verdict on every record of a source to the Parquet file `out`.

    Columns: row, mode (nearest), distance to it, score (the release's own, larger = more anomalous),
    verdict (good, defect, or unknown = farther from every mode than the same-mode threshold), margin
    (threshold minus score), beta and sqrt_ve against the nearest mode's anchor. `version` is a release,
    by default the champion. Raises UnknownRelease, or UnreadableSource where the maps do not fit.
    """
    artifacts = Path(config.artifacts_folder)
    release = verified(find(artifacts, version)) if version else champion(artifacts)
    if release is None:
        raise UnknownRelease(
            f"{artifacts}: expected a champion to judge with, found none; kensa retrain makes the first"
        )
    settings = Data(**release.manifest["config"]["data"])
    target = Path(out)
    folder = usable(target.parent)
    with opened(downloaded, settings, True, folder) as table, drafting(folder, "verdicts") as draft:
        shape = _fitting(table.schema, settings, downloaded.resolved.source)
        counts = _write(table, shape, release, settings, draft / "verdicts.parquet")
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


def _write(table: pa.Table, shape: Shape, release: Release, settings: Data, path: Path) -> dict[str, int]:
    judge, anchors, cuts = _judge(release)
    counts = {"good": 0, "defect": 0, "unknown": 0}
    start, writer = 0, None
    for batch in table.to_batches(max_chunksize=BATCH_ROWS):
        (part,) = decode(batch, shape, settings)
        rows = _verdicts(_finite(part, start, release), judge, anchors, cuts, start)
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


def _judge(release: Release) -> tuple[Judge, np.ndarray, dict[str, float]]:
    """The release as a judge, its anchors (modes, values), and its thresholds by name."""
    told = json.loads((release.path / "threshold.json").read_text())
    with np.load(release.path / "anchors.npz", allow_pickle=False) as file:
        anchors = file["maps"].astype(np.float64)
    return champion_judge(release), anchors, {cut["name"]: cut["value"] for cut in told["thresholds"]}


def _verdicts(maps: np.ndarray, judge: Judge, anchors: np.ndarray, cuts: dict[str, Any], start: int) -> pa.RecordBatch:
    distances = judge.to_modes(maps)
    nearest = distances.argmin(axis=1)
    near = distances[np.arange(len(maps)), nearest]
    anomaly = judge.score(maps) if judge.to_good else np.full(len(maps), np.nan)
    cut = cuts.get("good or defect", np.nan)
    verdict = np.where(anomaly <= cut, "good", np.where(near > cuts["same mode"], "unknown", "defect"))
    y = np.stack([rt.coordinates(row[None], anchors[code])[0] for row, code in zip(maps, nearest, strict=True)])
    columns = {
        "row": np.arange(start, start + len(maps)),
        "mode": np.array(judge.modes)[nearest],
        "distance": near,
        "score": anomaly,
        "verdict": verdict,
        "margin": cut - anomaly,
        "beta": y[:, 0],
        "sqrt_ve": y[:, 1],
    }
    return pa.RecordBatch.from_pydict({name: pa.array(values.tolist()) for name, values in columns.items()})
