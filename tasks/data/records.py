"""The records of a cache: selected or joined with their triplets; their maps are read on demand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

BATCH_ROWS = 4096
BUFFER_BYTES = 1 << 20  # of the column of maps that Arrow reads at once; without it, a whole row group
COLUMNS = ("file", "row", "hash", "label", "mode", "group", "contradictory", "id", "decided")
DECIDED_CODES = "decided.json"  # of a cache folder with labels that people decided


@dataclass(frozen=True)
class Records:
    """n distinct records, and the triplets of a wide source.

    files: where their maps are; file, row (n,) ints: in which of them, and its row there, ascending; hash (n,)
    S32 hex; label, mode, group (n,) str ("" where there is no group); contradictory (n,) bool; triplets
    (t, 3) int64: row in `anchors`, positive row, negative row; anchors (a, values) float32 of the source,
    anchor_mode (a,) str; id (n,) str, what names the part, "" in a cache of an earlier version; decided (n,) int8,
    the code of tasks/sources/decided_labels.py.
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
    anchors: np.ndarray
    anchor_mode: np.ndarray
    id: np.ndarray
    decided: np.ndarray

    def __len__(self) -> int:
        return len(self.hash)

    def select(self, rows: np.ndarray) -> Records:
        """The records at `rows`, which ascend, with the triplets whose two records are among them."""
        number = np.full(len(self), -1, np.int64)
        number[rows] = np.arange(len(rows))
        triplets = np.column_stack([self.triplets[:, :1], number[self.triplets[:, 1:]]])
        columns = {name: getattr(self, name)[rows] for name in COLUMNS}
        return replace(self, **columns, triplets=triplets[(triplets >= 0).all(axis=1)])

    def append(self, more: Records) -> Records:
        """These records and then those of `more`, without the triplets of `more`."""
        more = replace(more, file=more.file + len(self.files))
        columns = {name: np.concatenate([getattr(self, name), getattr(more, name)]) for name in COLUMNS}
        return replace(self, files=(*self.files, *more.files), **columns)

    def blocks(self) -> Iterator[np.ndarray]:
        """The maps of all records in their order, (rows, values) float32, at most BATCH_ROWS at a time."""
        for number, path in enumerate(self.files):
            rows, start = self.row[self.file == number], 0
            reader = pq.ParquetFile(path, pre_buffer=False, buffer_size=BUFFER_BYTES)
            for batch in reader.iter_batches(BATCH_ROWS, columns=["map"]):
                first, last = np.searchsorted(rows, (start, start + batch.num_rows))
                maps = maps_of(batch.column("map"))
                yield maps if last - first == len(maps) else maps[rows[first:last] - start]
                start += batch.num_rows


def read_records(folder: str | Path) -> Records:
    """All records of a cache folder."""
    folder = Path(folder)
    path = folder / "records.parquet"
    file = pq.ParquetFile(path)
    has_ids = "id" in file.schema_arrow.names
    table = file.read(columns=["record", "label", "mode", "group", *(["id"] if has_ids else [])])
    keys = table["record"].combine_chunks()
    hashes = np.frombuffer(b"".join(keys.to_pylist()).hex().encode(), "S32")
    contradictory = (folder / "contradictory.txt").read_text(encoding="utf-8").split()
    anchors, anchor_mode, triplets = _read_wide_triplets(folder)
    return Records(
        files=(path,),
        file=np.zeros(len(hashes), np.int8),
        row=np.arange(len(hashes)),
        hash=hashes,
        label=_texts(table["label"]),
        mode=_texts(table["mode"]),
        group=_texts(table["group"]),
        contradictory=np.isin(hashes, np.array(contradictory, "S32")),
        triplets=triplets,
        anchors=anchors,
        anchor_mode=anchor_mode,
        id=_texts(table["id"]) if has_ids else np.full(len(hashes), ""),
        decided=_read_codes(folder, hashes),
    )


def _read_codes(folder: Path, hashes: np.ndarray) -> np.ndarray:
    """The codes (n,) int8 of records whose label people decided, 0 of all others."""
    if not (folder / DECIDED_CODES).exists():
        return np.zeros(len(hashes), np.int8)
    codes = json.loads((folder / DECIDED_CODES).read_text(encoding="utf-8"))
    return np.array([codes.get(key.decode(), 0) for key in hashes.tolist()], np.int8)


def _read_wide_triplets(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Anchors (a, values), their modes (a,) and triplets (t, 3) of a cache folder; empty where it has none."""
    if not (folder / "triplets.parquet").exists():
        return np.empty((0, 0), np.float32), np.empty(0, str), np.empty((0, 3), np.int64)
    anchors = pq.ParquetFile(folder / "anchors.parquet").read()
    columns = pq.ParquetFile(folder / "triplets.parquet").read().columns
    triplets = np.stack([column.to_numpy() for column in columns], axis=1)
    return maps_of(anchors["map"]), _texts(anchors["mode"]), triplets


def maps_of(column: pa.ChunkedArray | pa.FixedSizeListArray) -> np.ndarray:
    """A fixed-size-list column as (rows, values) float32, copied at most once."""
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return values.flatten().to_numpy().reshape(-1, values.type.list_size)


def _texts(column: pa.ChunkedArray) -> np.ndarray:
    return np.array([value or "" for value in column.to_pylist()], str)
