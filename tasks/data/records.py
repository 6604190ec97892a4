"""What the cache says of its records, taken or joined with their triplets; their maps are read when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

BATCH_ROWS = 4096
BUFFER = 1 << 20  # bytes of the column of maps that Arrow reads at once; else all of a row group


@dataclass(frozen=True)
class Records:
    """n distinct records, and the triplets that a wide source brought.

    files: where their maps lie; file, row (n,) ints: in which of them, and where in it, ascending; hash (n,)
    S32 hex; label, mode, group (n,) str ("" where there is no group); contradictory (n,) bool; triplets
    (t, 3) int64: row in `brought`, positive row, negative row; brought (a, values) float32 anchors of the
    source, brought_mode (a,) str.
    """

    files: tuple[Path, ...]
    file: np.ndarray
    row: np.ndarray
    hash: np.ndarray
    label: np.ndarray
    mode: np.ndarray
    group: np.ndarray
    contradictory: np.ndarray
    triplets: np.ndarray
    brought: np.ndarray
    brought_mode: np.ndarray

    def __len__(self) -> int:
        return len(self.hash)

    def take(self, rows: np.ndarray) -> Records:
        """The records at `rows`, which ascend, with the triplets that lie wholly among them."""
        number = np.full(len(self), -1, np.int64)
        number[rows] = np.arange(len(rows))
        triplets = np.column_stack([self.triplets[:, :1], number[self.triplets[:, 1:]]])
        columns = {name: getattr(self, name)[rows] for name in COLUMNS}
        return replace(self, **columns, triplets=triplets[(triplets >= 0).all(axis=1)])

    def joined(self, more: Records) -> Records:
        """These records and then those of `more`, whose triplets are not taken along."""
        more = replace(more, file=more.file + len(self.files))
        columns = {name: np.concatenate([getattr(self, name), getattr(more, name)]) for name in COLUMNS}
        return replace(self, files=(*self.files, *more.files), **columns)

    def blocks(self) -> Iterator[np.ndarray]:
        """The maps of all records in their order, (rows, values) float32 of a few thousand at a time."""
        for number, path in enumerate(self.files):
            rows, start = self.row[self.file == number], 0
            reader = pq.ParquetFile(path, pre_buffer=False, buffer_size=BUFFER)
            for batch in reader.iter_batches(BATCH_ROWS, columns=["map"]):
                first, last = np.searchsorted(rows, (start, start + batch.num_rows))
                maps = maps_of(batch.column("map"))
                yield maps if last - first == len(maps) else maps[rows[first:last] - start]
                start += batch.num_rows


COLUMNS = ("file", "row", "hash", "label", "mode", "group", "contradictory")


def read_records(folder: str | Path) -> Records:
    """All records of a cache folder."""
    path = Path(folder) / "records.parquet"
    table = pq.ParquetFile(path).read(columns=["record", "label", "mode", "group"])
    keys = table["record"].combine_chunks()
    hashes = np.frombuffer(b"".join(keys.to_pylist()).hex().encode(), "S32")
    listed = (Path(folder) / "contradictory.txt").read_text().split()
    brought, brought_mode, triplets = _wide_parts(Path(folder))
    return Records(
        files=(path,),
        file=np.zeros(len(hashes), np.int8),
        row=np.arange(len(hashes)),
        hash=hashes,
        label=_texts(table["label"]),
        mode=_texts(table["mode"]),
        group=_texts(table["group"]),
        contradictory=np.isin(hashes, np.array(listed, "S32")),
        triplets=triplets,
        brought=brought,
        brought_mode=brought_mode,
    )


def maps_of(column: pa.ChunkedArray | pa.FixedSizeListArray) -> np.ndarray:
    """A fixed-size-list column as (rows, values) float32, copied at most once."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
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
