"""Generated sets for the bench: records of ten modes that overlap, and wide triplets made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.data.bank import Bank
from tasks.data.split import PARTS

ROWS, COLS, MODES = 36, 39, 10
VALUES = ROWS * COLS


def maps_of_modes(mode: np.ndarray, seed: int) -> np.ndarray:
    """A map for each mode code (n,), (n, 1404) float32: its mode's pattern under noise."""
    centres = np.random.default_rng(1).gamma(1.0, 1.0, (MODES, VALUES))
    noise = np.random.default_rng(seed).standard_exponential((len(mode), VALUES))
    return (centres[mode] * 0.3 + noise).astype(np.float32)


def pairs(mode: np.ndarray, count: int, seed: int) -> np.ndarray:
    """`count` (positive, negative) rows of different modes, (count, 2)."""
    drawn = np.random.default_rng(seed).integers(0, len(mode), (4 * count, 2))
    return drawn[mode[drawn[:, 0]] != mode[drawn[:, 1]]][:count]


def wide_triplets(folder: Path, count: int = 4000, records: int = 2000) -> None:
    """One Parquet file of `count` wide triplets, 4 212 float64 columns and four that describe them."""
    mode = np.arange(records) % MODES
    maps = maps_of_modes(mode, 0).astype(np.float64)
    anchors = np.stack([maps[mode == code].mean(axis=0) for code in range(MODES)])
    chosen = pairs(mode, count, 2)
    positive, negative = mode[chosen[:, 0]], mode[chosen[:, 1]]
    blocks = {"arch": anchors[positive], "pos": maps[chosen[:, 0]], "neg": maps[chosen[:, 1]]}
    columns = {f"{name}{i}": values[:, i] for name, values in blocks.items() for i in range(VALUES)}
    columns |= {"plabel": (positive > 0).astype(int), "nlabel": (negative > 0).astype(int)}
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({**columns, "pmode": positive, "nmode": negative}), folder / "triplets.parquet")


def bank(train: int = 3800, stop: int = 200, records: int = 4000) -> Bank:
    """A bank with so many triplets to train and to stop on."""
    mode = (np.arange(records) % MODES).astype(np.int32)
    maps, part = maps_of_modes(mode, 0), np.where(np.arange(records) // MODES % 10 == 9, 1, 0).astype(np.int8)
    made = {name: np.empty((0, 3), np.int32) for name in PARTS}
    for code, (name, count) in enumerate((("train", train), ("stop", stop))):
        rows = np.flatnonzero(part == code)
        chosen = rows[pairs(mode[rows], count, code)]
        made[name] = np.column_stack([mode[chosen[:, 0]], chosen]).astype(np.int32)
    anchors = np.stack([maps[(mode == code) & (part == 0)].mean(axis=0) for code in range(MODES)])
    hashes = np.array([f"{row:032x}" for row in range(records)], "S32")
    named = (hashes, np.full(records, ""), [str(code) for code in range(MODES)], made)
    return Bank(maps, anchors, mode, mode == 0, part, *named)
