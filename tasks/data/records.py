"""The records of a cache: selected or joined with their triplets; their maps are read on demand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.core.npz import ArrayBlocks
from tasks.data.bank import hex_of

BATCH_ROWS = 4096
BUFFER_BYTES = 1 << 20  # of the column of maps that Arrow reads at once; without it, a whole row group
COLUMNS = ("file", "row", "key", "label", "mode", "group", "contradictory", "decided")
ONE_TABLE, TABLES = "records.parquet", "records-*.parquet"  # of a cache folder: the one or the others
LEFT_OUT_FILE, CONTRADICTORY_FILE = "left_out.npy", "contradictory.txt"
DECIDED_CODES = "decided.json"  # of a cache folder with labels that people decided


@dataclass(frozen=True)
class Records:
    """n distinct records, and the triplets of a wide source.

    files: where their maps are; file, row (n,) ints: in which of them, and its row there, ascending; key (n,) S16,
    the bytes of the hash; label, mode, group (n,) str ("" where there is no group); contradictory (n,) bool; triplets
    (t, 3) int64: row in `anchors`, positive row, negative row; anchors (a, values) float32 of the source,
    anchor_mode (a,) str; decided (n,) int8, the code of tasks/sources/decided_labels.py.
    """

    files: tuple[Path, ...]
    file: np.ndarray
    row: np.ndarray
    key: np.ndarray
    label: np.ndarray
    mode: np.ndarray
    group: np.ndarray
    contradictory: np.ndarray
    triplets: np.ndarray
    anchors: np.ndarray
    anchor_mode: np.ndarray
    decided: np.ndarray

    def __len__(self) -> int:
        return len(self.key)

    @property
    def hash(self) -> np.ndarray:
        """The hash of each record, (n,) S32 hex."""
        return hex_of(self.key)

    @property
    def id(self) -> np.ndarray:
        """What names each part, (n,) str; "" in a cache of an earlier version."""
        return np.concatenate([np.empty(0, str), *self.ids()])

    def select(self, rows: np.ndarray) -> Records:
        """The records at `rows`, which ascend, with the triplets whose two records are among them."""
        if len(rows) == len(self):
            return self
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

    def hash_blocks(self) -> ArrayBlocks:
        """The hashes, to be written."""
        starts = range(0, len(self), BATCH_ROWS)
        return ArrayBlocks(np.dtype("S32"), len(self), lambda: (hex_of(self.key[i : i + BATCH_ROWS]) for i in starts))

    def id_blocks(self) -> ArrayBlocks | np.ndarray:
        """The names of the parts, to be written; an empty array where no part has one."""
        longest = max((ids.dtype.itemsize for ids in self.ids() if (ids != "").any()), default=0)
        return ArrayBlocks(np.dtype(f"U{longest // 4}"), len(self), self.ids) if longest else np.empty(0, str)

    def blocks(self) -> Iterator[np.ndarray]:
        """The maps of all records in their order, (rows, values) float32, at most BATCH_ROWS at a time."""
        for column in self._column("map"):
            yield maps_of(column)

    def ids(self) -> Iterator[np.ndarray]:
        """What names the parts, in the order of the records, (rows,) str, at most BATCH_ROWS at a time."""
        for column in self._column("id"):
            yield np.array(pc.fill_null(column, "").to_pylist(), str)

    def _column(self, name: str) -> Iterator[pa.Array]:
        for number, path in enumerate(self.files):
            rows, start = self.row[self.file == number], 0
            reader = pq.ParquetFile(path, pre_buffer=False, buffer_size=BUFFER_BYTES)
            if name not in reader.schema_arrow.names:
                yield pa.nulls(len(rows), pa.string())
                continue
            for batch in reader.iter_batches(BATCH_ROWS, columns=[name]):
                first, last = np.searchsorted(rows, (start, start + batch.num_rows))
                column = batch.column(0)
                yield column if last - first == len(column) else column.take(pa.array(rows[first:last] - start))
                start += batch.num_rows


def read_records(folder: str | Path) -> Records:
    """All records of a cache folder."""
    folder = Path(folder)
    files = tuple(sorted(folder.glob(TABLES))) or (folder / ONE_TABLE,)
    left_out = np.load(folder / LEFT_OUT_FILE) if (folder / LEFT_OUT_FILE).exists() else np.empty((0, 2), np.int64)
    tables = [_read_table(path, left_out[left_out[:, 0] == number, 1]) for number, path in enumerate(files)]
    columns = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    anchors, anchor_mode, triplets = _read_wide_triplets(folder)
    contradictory = _bytes_of((folder / CONTRADICTORY_FILE).read_text(encoding="utf-8").split())
    key = columns["key"]
    return Records(
        files=files,
        file=np.repeat(np.arange(len(files), dtype=np.int32), [len(table["key"]) for table in tables]),
        **columns,
        contradictory=find_keys(key, contradictory) >= 0,
        triplets=triplets,
        anchors=anchors,
        anchor_mode=anchor_mode,
        decided=_read_codes(folder, key),
    )


def _read_table(path: Path, left_out: np.ndarray) -> dict[str, np.ndarray]:
    """The row, key, label, mode and group of each record of a table but for the rows `left_out`, (n,) each."""
    table = pq.ParquetFile(path).read(columns=["record", "label", "mode", "group"])
    row = np.setdiff1d(np.arange(len(table), dtype=np.int32), left_out, assume_unique=True)
    texts = {name: _texts(table[name])[row] for name in ("label", "mode", "group")}
    return {"row": row, "key": _keys_of(table["record"])[row], **texts}


def find_keys(keys: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Where each of the keys (n,) is among others (m,) of the same type, (n,) ints; −1 where it is not."""
    if not len(among):
        return np.full(len(keys), -1)
    order = np.argsort(among, kind="stable")
    place = order[np.searchsorted(among, keys, sorter=order).clip(max=len(among) - 1)]
    return np.where(among[place] == keys, place, -1)


def _keys_of(column: pa.ChunkedArray) -> np.ndarray:
    values = column.combine_chunks()
    return np.frombuffer(values.buffers()[1], "S16", len(values), values.offset * 16)


def _bytes_of(hashes: Iterable[str]) -> np.ndarray:
    return np.frombuffer(bytes.fromhex("".join(hashes)), "S16")


def _read_codes(folder: Path, keys: np.ndarray) -> np.ndarray:
    """The codes (n,) int8 of records whose label people decided, 0 of all others."""
    if not (folder / DECIDED_CODES).exists():
        return np.zeros(len(keys), np.int8)
    codes = json.loads((folder / DECIDED_CODES).read_text(encoding="utf-8"))
    return np.array([*codes.values(), 0], np.int8)[find_keys(keys, _bytes_of(codes))]


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
    """A column as (n,) str, "" for null; a text that repeats is read once."""
    coded = pc.fill_null(column, "").combine_chunks().dictionary_encode()
    return np.array(coded.dictionary.to_pylist(), str)[coded.indices.to_numpy()]
