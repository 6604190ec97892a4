"""The cached records in memory, read without a copy, and taken or joined with their triplets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


@dataclass(frozen=True)
class Records:
    """n distinct records, and the triplets that a wide source brought.

    maps (n, values) float32; hash (n,) S32 hex; label, mode, group (n,) str ("" where there is no
    group); contradictory (n,) bool; triplets (t, 3) int64: row in `brought`, positive row, negative
    row; brought (a, values) float32 anchors of the source, brought_mode (a,) str.
    """

    maps: np.ndarray
    hash: np.ndarray
    label: np.ndarray
    mode: np.ndarray
    group: np.ndarray
    contradictory: np.ndarray
    triplets: np.ndarray
    brought: np.ndarray
    brought_mode: np.ndarray

    def __len__(self) -> int:
        return len(self.maps)

    def take(self, rows: np.ndarray) -> Records:
        """The records at `rows`, with the triplets that lie wholly among them."""
        number = np.full(len(self), -1, np.int64)
        number[rows] = np.arange(len(rows))
        triplets = np.column_stack([self.triplets[:, :1], number[self.triplets[:, 1:]]])
        columns = {
            name: getattr(self, name)[rows] for name in ("maps", "hash", "label", "mode", "group", "contradictory")
        }
        return replace(self, **columns, triplets=triplets[(triplets >= 0).all(axis=1)])

    def joined(self, more: Records) -> Records:
        """These records and then those of `more`, whose triplets are not taken along."""
        names = ("maps", "hash", "label", "mode", "group", "contradictory")
        return replace(self, **{name: np.concatenate([getattr(self, name), getattr(more, name)]) for name in names})


def read_records(folder: str | Path) -> Records:
    """All records of a cache folder."""
    folder = Path(folder)
    table = pq.ParquetFile(folder / "records.parquet").read()
    hashes = np.array([key.as_py().hex() for key in table["record"]], "S32")
    listed = (folder / "contradictory.txt").read_text().split()
    brought, brought_mode, triplets = _wide_parts(folder)
    return Records(
        maps=maps_of(table["map"]),
        hash=hashes,
        label=_texts(table["label"]),
        mode=_texts(table["mode"]),
        group=_texts(table["group"]),
        contradictory=np.isin(hashes, np.array(listed, "S32")),
        triplets=triplets,
        brought=brought,
        brought_mode=brought_mode,
    )


def maps_of(column: pa.ChunkedArray) -> np.ndarray:
    """A fixed-size-list column as (rows, values) float32, copied at most once."""
    whole = column.combine_chunks()
    values = whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
    return values.flatten().to_numpy().reshape(-1, values.type.list_size)


def _texts(column: pa.ChunkedArray) -> np.ndarray:
    return np.array([value or "" for value in column.to_pylist()], str)


def _wide_parts(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if not (folder / "triplets.parquet").exists():
        return np.empty((0, 0), np.float32), np.empty(0, str), np.empty((0, 3), np.int64)
    anchors = pq.ParquetFile(folder / "anchors.parquet").read()
    rows = pq.ParquetFile(folder / "triplets.parquet").read()
    return maps_of(anchors["map"]), _texts(anchors["mode"]), np.stack([c.to_numpy() for c in rows.columns], axis=1)
