"""Small inspected parts for the tests of the steps: maps of 4 × 5 values, in every kind of table.

Everything is seeded. `inspected` has modes that a tower can separate, `noise` has nothing to be learnt.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from support.evaluations import report

from tasks.cache import cache
from tasks.config.model import TowerConfig, TrainingConfig
from tasks.config.run import DataConfig, RunConfig
from tasks.core.files import digest_of, write_json
from tasks.core.results import CachedSource, DownloadedSource, PinnedSource, Stage
from tasks.core.stages import get_or_make_stage, seal_folder
from tasks.data.bank import Bank
from tasks.data.sampling import triplets_by_part
from tasks.data.split import PARTS, split_units
from tasks.registry.release_files import EVALUATION_FILES
from tasks.triplets import triplets

ROWS, COLS = 4, 5
DATA = DataConfig(rows=ROWS, cols=COLS)
SHARES = (0.5, 0.1, 0.2, 0.2)


@dataclass(frozen=True)
class Parts:
    """n records: maps (n, values) float32, label (n,) int 0 good, mode (n,) int 0 good, group (n,) str or ""."""

    maps: np.ndarray
    label: np.ndarray
    mode: np.ndarray
    group: np.ndarray

    def __len__(self) -> int:
        return len(self.maps)

    def take(self, rows: Any) -> Parts:
        """The records at `rows`."""
        return Parts(*(getattr(self, name)[rows] for name in ("maps", "label", "mode", "group")))


def inspected(modes: int = 3, each: int = 12, groups: int = 0, seed: int = 0) -> Parts:
    """`each` records of every mode, their mode's pattern plus noise; groups L0, L1, … hold all modes alike."""
    rng = np.random.default_rng(seed)
    mode = np.tile(np.arange(modes), each)
    patterns = np.random.default_rng(1000).uniform(0, 4, (modes, ROWS * COLS))
    maps = patterns[mode] + rng.normal(0, 0.5, (len(mode), ROWS * COLS))
    lot = np.arange(len(mode)) // modes % groups if groups else None
    group = np.array([""] * len(mode) if lot is None else [f"L{i}" for i in lot])
    return Parts(np.abs(maps).astype(np.float32), (mode > 0).astype(int), mode, group)


def noise(modes: int, each: int, values: int = 1404, seed: int = 0) -> Parts:
    """Maps of a measured part's size in which the mode is a name and nothing else."""
    maps = np.random.default_rng(seed).normal(size=(modes * each, values)).astype(np.float32)
    mode = np.tile(np.arange(modes), each)
    return Parts(maps, (mode > 0).astype(int), mode, np.array([""] * len(mode)))


def map_column(parts: Parts) -> pa.Table:
    """Records with one list column `map`."""
    return pa.table({"map": pa.array(list(parts.maps)), **_described(parts)})


def wide_records(parts: Parts) -> pa.Table:
    """Records with columns data0, data1, …"""
    return pa.table({**_wide("data", parts.maps), **_described(parts)})


def wide_triplets(parts: Parts, pairs: np.ndarray) -> pa.Table:
    """Rows of anchor (mean of all records of the positive's mode), positive and negative; pairs: (t, 2) rows."""
    positive, negative = parts.take(pairs[:, 0]), parts.take(pairs[:, 1])
    means = np.stack([parts.maps[parts.mode == mode].mean(axis=0) for mode in range(parts.mode.max() + 1)])
    columns = {
        **_wide("arch", means[positive.mode]),
        **_wide("pos", positive.maps),
        **_wide("neg", negative.maps),
        "plabel": positive.label,
        "nlabel": negative.label,
        "pmode": positive.mode,
        "nmode": negative.mode,
    }
    if (parts.group != "").any():
        columns |= {"pgroup": positive.group, "ngroup": negative.group}
    return pa.table(columns)


def pairs_within(parts: Parts, blocks: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """`count` (positive, negative) pairs of different modes, both of one block; blocks: (n,) codes."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(parts), (count * 400, 2))
    fit = (blocks[drawn[:, 0]] == blocks[drawn[:, 1]]) & (parts.mode[drawn[:, 0]] != parts.mode[drawn[:, 1]])
    return drawn[fit][:count]


def _wide(prefix: str, maps: np.ndarray) -> dict[str, np.ndarray]:
    return {f"{prefix}{i}": maps[:, i] for i in range(maps.shape[1])}


def _described(parts: Parts) -> dict[str, np.ndarray]:
    group = {"group": parts.group} if (parts.group != "").any() else {}
    return {"label": parts.label, "fmode": parts.mode, **group}


def source(table: pa.Table, folder: Path) -> DownloadedSource:
    """The table as a folder of Parquet files whose revision is its content's digest."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / "table.parquet")
    revision = hashlib.sha256((folder / "table.parquet").read_bytes()).hexdigest()[:40]
    return DownloadedSource(PinnedSource(str(folder), "folder", str(folder), revision), str(folder))


def configured(folder: Path, **changes: Any) -> RunConfig:
    """A small, quick run with its data and artifacts below `folder`."""
    config = RunConfig(
        preset="notebook",
        data=DATA,
        tower=TowerConfig(widths="16-8"),
        fit=TrainingConfig(learning_rate=0.003, epochs=3),
        data_folder=str(folder / "data"),
        artifacts_folder=str(folder / "artifacts"),
    )
    return replace(config, **changes)


def cached(table: pa.Table, folder: Path, config: RunConfig | None = None, name: str = "source") -> CachedSource:
    """The table after the step `cache`; a test source has another name than `source`."""
    config = config or configured(folder)
    return cache(source(table, folder / name), config.data, config.data_path, held_out=name != "source")


def split_stage(table: pa.Table, folder: Path, config: RunConfig | None = None) -> Stage:
    """The table after the steps `cache` and `triplets`."""
    config = config or configured(folder)
    return triplets(cached(table, folder, config), None, config)


def banked(parts: Parts, shares: tuple[float, ...] = SHARES, seed: int = 42, leak: bool = False) -> Bank:
    """A bank straight from records, without any file; `leak` makes anchors of all records, as nobody should."""
    names = np.array([hashlib.blake2b(row, digest_size=16).hexdigest() for row in parts.maps], "S32")
    part = split_units(names, parts.mode, shares, seed)
    rows, _ = triplets_by_part(parts.mode, part, np.empty((0, 2), np.int64), 2, True, seed)
    used = np.ones(len(parts), bool) if leak else part == PARTS.index("train")
    modes = range(parts.mode.max() + 1)
    anchors = np.stack([parts.maps[used & (parts.mode == mode)].mean(axis=0) for mode in modes])
    return Bank(
        parts.maps, anchors, parts.mode, parts.label == 0, part, names, parts.group, [str(m) for m in modes], rows
    )


def hidden_bank(flipped: int, parts: bool = False) -> Any:
    """A bank of 300 records in three modes that lie well apart, and the rows of those with a wrong mode.

    With `parts` the records themselves, none of them flipped.
    """
    rng = np.random.default_rng(0)
    mode = np.tile(np.arange(3), 100)
    maps = (rng.normal(0, 0.3, (300, ROWS * COLS)) + 1 + np.eye(ROWS * COLS)[mode * 6] * 3).astype(np.float32)
    rows = rng.choice(300, flipped, replace=False)
    mode[rows] = (mode[rows] + rng.integers(1, 3, flipped)) % 3
    records = Parts(maps, (mode > 0).astype(int), mode, np.array([""] * 300))
    return records if parts else (banked(records), rows)


FACTS = {
    "train": {"source": "acme/boards", "kind": "hub", "revision": "0123abc", "records": 200, "modes": 3},
    "test": None,
}


def judged(folder: Path, reasons: tuple[str, ...] = ()) -> dict[str, Stage]:
    """The four stages that `publish` takes, with a few bytes for the model and the pictures."""
    evaluation = report(reasons=reasons)

    def model(draft: Path) -> dict[str, Any]:
        (draft / "model.keras").write_bytes(b"weights")
        return {"weights": "w" * 64}

    def judgement(draft: Path) -> dict[str, Any]:
        for name in set(EVALUATION_FILES) - {"report.json"}:
            (draft / name).write_text(name)
        write_json(draft / "report.json", evaluation.as_json())
        return {"metrics": evaluation.metrics.plain_numbers()}

    digest = digest_of(*reasons)
    stages = {name: Stage(str(folder), name * 4, {}, reused=True) for name in ("cache", "triplets")}
    stages["model"] = get_or_make_stage(folder / "stages", "model", digest, model)
    return stages | {"report": get_or_make_stage(folder / "stages", "report", digest, judgement)}


def release(artifacts: Path, version: str, **facts: Any) -> Path:
    """A sealed release folder; no pointer is moved."""
    folder = artifacts / "releases" / version
    folder.mkdir(parents=True)
    for name in ("model.keras", "README.md", *EVALUATION_FILES):
        (folder / name).write_bytes(name.encode() * 9)
    manifest = {"version": version, "fingerprint": f"print of {version}", "status": "released", "reasons": []}
    manifest |= {"compared_with": None, "metrics": {}, **FACTS, "config": {"data": {"rows": ROWS, "cols": COLS}}}
    seal_folder(folder, manifest | facts)
    return folder


def line(records: Parts, folder: Path, config: RunConfig, fingerprint: str = "f" * 64) -> dict[str, Any]:
    """The walk from records to a release or draft, without Prefect: its outcome, and the stages by name."""
    from tasks.evaluate import evaluate  # Keras, which most tests of the parts do without
    from tasks.publish import publish
    from tasks.registry.champion import current_champion
    from tasks.train import train

    cached_source = cached(map_column(records), folder, config)
    bank = triplets(cached_source, None, config)
    model, before = train(bank, config), current_champion(config.artifacts_path)
    source = {"source": "parts", "kind": "folder", "revision": "0" * 40, "records": len(records.maps), "modes": 3}
    facts = {"train": {**source, "source_kind": "map", "triplets": 1}, "test": None, "changes": None}
    report = evaluate(bank, model, config, before, facts, cached_source.findings)
    stages = {"cache": cached_source.stage, "triplets": bank, "model": model, "report": report}
    return {**stages, "outcome": publish(stages, config, before and before.version, fingerprint, facts)}
