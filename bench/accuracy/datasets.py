"""The inspection sets that the figures are made on, as folders of tables: one a fold.

The sets are other people's (see the notes beside the data): they are read where they lie, and what is
made of them goes under bench/out, which git ignores.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

BOARDS = ("92000", "00041", "12100", "13000", "20085")  # the first is the one named in advance


def write_sets(data: Path, out: Path) -> dict[str, tuple[Path, Path | None]]:
    """Training and test folder of every fold: each board group in turn, and two sets that are split."""
    boards = _grouped(data, "deeppcb_dev", "group")
    group = np.array(boards["group"].to_pylist())
    folds: dict[str, tuple[Path, Path | None]] = {}
    for name in BOARDS:
        parts = (("train", group != name), ("test", group == name))
        folds[name] = tuple(_written(boards.filter(pa.array(rows)), out / name / part) for part, rows in parts)
    folds["mt"] = _written(_grouped(data, "mt", "duplicate_group"), out / "mt"), None
    folds["elpv"] = _written(pq.read_table(data / "elpv_records.parquet"), out / "elpv"), None
    return folds


def _grouped(data: Path, name: str, column: str) -> pa.Table:
    """A set's records with their group joined as the column `group`."""
    group = pq.read_table(data / f"{name}_meta.parquet")[column].cast(pa.string())
    return pq.read_table(data / f"{name}_records.parquet").append_column("group", group)


def _written(table: pa.Table, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / "records.parquet")
    return folder
