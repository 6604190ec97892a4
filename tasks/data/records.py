"""The records of a cache: selected or joined with their triplets; their keys and maps are read on demand."""

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
from tasks.data.columns import Texts, on_disk, row_blocks, select_on_disk
from tasks.data.split import Units

BATCH_ROWS, BATCH_TEXTS = 4096, 1 << 18
BUFFER_BYTES = 1 << 20  # of the column of maps that Arrow reads at once; without it, a whole row group
TEXTS, FLAGS = ("label", "mode", "group"), ("contradictory", "decided")
ONE_TABLE, TABLES = "records.parquet", "records-*.parquet"  # of a cache folder: the one or the others
LEFT_OUT_FILE, CONTRADICTORY_FILE = "left_out.npy", "contradictory.txt"
DECIDED_CODES = "decided.json"  # of a cache folder with labels that people decided


@dataclass(frozen=True)
class Records:
    """n distinct records, and the triplets of a wide source.

    files: where their maps are; kept (rows,) bool: which of all rows of the files, one after the other, are these
    records; label, mode, group (n,) texts ("" where there is no group); contradictory (n,) bool; decided (n,) int8, the
    code of tasks/sources/decided_labels.py; triplets (t, 3) int64: row in `anchors`, positive row, negative row;
    anchors (a, values) float32 of the source, anchor_mode (a,) str; folder: of the files of their columns.
    """

    files: tuple[Path, ...]
    kept: np.ndarray
    label: Texts
    mode: Texts
    group: Texts
    contradictory: np.ndarray
    decided: np.ndarray
    triplets: np.ndarray
    anchors: np.ndarray
    anchor_mode: np.ndarray
    folder: Path | None = None

    def __len__(self) -> int:
        return len(self.contradictory)

    @property
    def key(self) -> np.ndarray:
        """The bytes of the hash of each record, (n,) S16."""
        return np.concatenate([np.empty(0, "S16"), *self.keys()])

    @property
    def hash(self) -> np.ndarray:
        """The hash of each record, (n,) S32 hex."""
        return hex_of(self.key)

    @property
    def id(self) -> np.ndarray:
        """What names each part, (n,) str; "" in a cache of an earlier version."""
        return np.concatenate([np.empty(0, str), *self.ids()])

    def select(self, mask: np.ndarray) -> Records:
        """The records of which the mask (n,) is true, with the triplets whose two records are among them."""
        if mask.all():
            return self
        kept = np.zeros(len(self.kept), bool)
        kept[self.kept] = mask
        texts = {name: getattr(self, name).select(mask, self.folder) for name in TEXTS}
        flags = {name: select_on_disk(getattr(self, name), mask, self.folder) for name in FLAGS}
        return replace(
            self, kept=on_disk([kept], bool, self.folder), **texts, **flags, triplets=self._renumbered_triplets(mask)
        )

    def _renumbered_triplets(self, mask: np.ndarray) -> np.ndarray:
        if not len(self.triplets):
            return self.triplets
        number = np.where(mask, np.cumsum(mask) - 1, -1)
        triplets = np.column_stack([self.triplets[:, :1], number[self.triplets[:, 1:]]])
        return triplets[(triplets >= 0).all(axis=1)]

    def append(self, more: Records) -> Records:
        """These records and then those of `more`, without the triplets of `more`."""
        texts = {name: getattr(self, name).append(getattr(more, name), self.folder) for name in TEXTS}
        arrays = {name: [getattr(self, name), getattr(more, name)] for name in ("kept", *FLAGS)}
        columns = {name: on_disk(both, both[0].dtype, self.folder) for name, both in arrays.items()}
        return replace(self, files=(*self.files, *more.files), **texts, **columns)

    def pool(self, more: Records) -> Records:
        """The records of both, each once, with these triplets.

        A record to which the two give different labels or modes is contradictory.
        """
        here, there = self.shared_with(more)
        contradictory, new = self.contradictory.copy(), np.ones(len(more), bool)
        contradictory[here] |= more.contradictory[there]
        for name in ("label", "mode"):
            texts = getattr(self, name)[here], getattr(more, name)[there]
            contradictory[here] |= (texts[0] != texts[1]) & (texts[0] != "") & (texts[1] != "")
        new[there] = False
        return replace(self, contradictory=contradictory).append(more.select(new))

    def shared_with(self, other: Records) -> tuple[np.ndarray, np.ndarray]:
        """The rows (s,) here and there of the records that are in both; in memory are the keys of the other's alone."""
        index, start, found = KeyIndex(other.key), 0, [np.empty((2, 0), np.int64)]
        for keys in self.keys():
            place = index.find(keys)
            rows = np.flatnonzero(place >= 0)
            found.append(np.stack([rows + start, place[rows]]))
            start += len(keys)
        here, there = np.concatenate(found, axis=1)
        return here, there

    def group_units(self) -> Units:
        """What stays together where groups do; a record without a group is known by its hash."""
        group, alone = self.group, self.group.isin(np.array([""]))

        def codes() -> Iterator[np.ndarray]:
            first = len(group.names)
            for rows in row_blocks(len(self)):
                yield np.where(alone[rows], first - 1 + np.cumsum(alone[rows]), group.codes[rows])
                first += np.count_nonzero(alone[rows])

        def names() -> Iterator[np.ndarray]:
            yield group.names
            start = 0
            for hashes in self.hash_blocks().blocks():
                yield hashes[alone[start : start + len(hashes)]]
                start += len(hashes)

        return on_disk(codes(), np.int32, self.folder), names()

    def hash_blocks(self) -> ArrayBlocks:
        """The hashes, to be written."""
        return ArrayBlocks(np.dtype("S32"), len(self), lambda: map(hex_of, self.keys()))

    def id_blocks(self) -> ArrayBlocks | np.ndarray:
        """The names of the parts, to be written; an empty array where no part has one."""
        longest = max((ids.dtype.itemsize for ids in self.ids() if (ids != "").any()), default=0)
        return ArrayBlocks(np.dtype(f"U{longest // 4}"), len(self), self.ids) if longest else np.empty(0, str)

    def blocks(self) -> Iterator[np.ndarray]:
        """The maps of all records in their order, (rows, values) float32, at most BATCH_ROWS at a time."""
        for column in self._column("map"):
            yield maps_of(column)

    def keys(self) -> Iterator[np.ndarray]:
        """The bytes of the records' hashes, in their order, (rows,) S16, at most BATCH_ROWS at a time."""
        return map(_keys_of, self._column("record"))

    def ids(self) -> Iterator[np.ndarray]:
        """What names the parts, in the order of the records, (rows,) str, at most BATCH_ROWS at a time."""
        for column in self._column("id"):
            yield np.array(pc.fill_null(column, "").to_pylist(), str)

    def _column(self, name: str) -> Iterator[pa.Array]:
        return _read_column(self.files, self.kept, name)


def _read_column(files: Iterable[Path], kept: np.ndarray, name: str, most: int | None = None) -> Iterator[pa.Array]:
    """A column of the rows of the files that are kept, `most` (BATCH_ROWS) at a time; null where a file lacks it."""
    start = 0
    for path in files:
        reader = pq.ParquetFile(path, pre_buffer=False, buffer_size=BUFFER_BYTES)
        if name not in reader.schema_arrow.names:
            rows = reader.metadata.num_rows
            yield pa.nulls(np.count_nonzero(kept[start : start + rows]), pa.string())
            start += rows
            continue
        for batch in reader.iter_batches(most or BATCH_ROWS, columns=[name]):
            mask = kept[start : start + batch.num_rows]
            yield batch.column(0) if mask.all() else batch.column(0).filter(pa.array(mask))
            start += batch.num_rows


def read_records(folder: str | Path, columns: Path | None = None) -> Records:
    """All records of a cache folder; `columns`: the folder in which the files of their columns are to be."""
    folder = Path(folder)
    files = tuple(sorted(folder.glob(TABLES))) or (folder / ONE_TABLE,)
    rows = np.array([pq.read_metadata(path).num_rows for path in files])
    kept = np.ones(rows.sum(), bool)
    if (folder / LEFT_OUT_FILE).exists():
        table, row = np.load(folder / LEFT_OUT_FILE).T
        kept[(np.cumsum(rows) - rows)[table] + row] = False
    kept = on_disk([kept], bool, columns)
    anchors, anchor_mode, triplets = _read_wide_triplets(folder)
    return Records(
        files,
        kept,
        **{name: _read_texts(files, kept, name, columns) for name in TEXTS},
        **_read_flags(folder, files, kept, columns),
        triplets=triplets,
        anchors=anchors,
        anchor_mode=anchor_mode,
        folder=columns,
    )


def _read_texts(files: tuple[Path, ...], kept: np.ndarray, name: str, folder: Path | None) -> Texts:
    """A column of texts, "" for null."""
    every = _read_column(files, np.broadcast_to(True, kept.shape), name, BATCH_TEXTS)
    names = sorted({text or "" for column in every for text in pc.unique(column).to_pylist()})
    columns = _read_column(files, kept, name, BATCH_TEXTS)
    codes = (pc.index_in(pc.fill_null(column, ""), pa.array(names, pa.string())).to_numpy() for column in columns)
    return Texts(np.array(names, str), on_disk(codes, np.int32, folder))


def _read_flags(folder: Path, files: tuple[Path, ...], kept: np.ndarray, columns: Path | None) -> dict[str, np.ndarray]:
    """The columns FLAGS: whether each record is contradictory, and the code of what people decided, 0 of others."""
    contradictory = dict.fromkeys((folder / CONTRADICTORY_FILE).read_text(encoding="utf-8").split(), True)
    path = folder / DECIDED_CODES
    decided = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def column(values: dict[str, int], dtype: type) -> np.ndarray:
        if not values:
            return np.zeros(np.count_nonzero(kept), dtype)
        index, codes = KeyIndex(_bytes_of(values)), np.array([*values.values(), 0], dtype)
        keys = map(_keys_of, _read_column(files, kept, "record"))
        return on_disk((codes[index.find(block)] for block in keys), dtype, columns)

    return {"contradictory": column(contradictory, bool), "decided": column(decided, np.int8)}


class KeyIndex:
    """Finds keys among others, (m,) of the same type."""

    def __init__(self, keys: np.ndarray) -> None:
        self.order = np.argsort(keys, kind="stable")
        self.keys = keys[self.order]

    def find(self, keys: np.ndarray) -> np.ndarray:
        """Where each of the keys (n,) is among the others, (n,) ints; −1 where it is not."""
        if not len(self.keys):
            return np.full(len(keys), -1)
        place = np.searchsorted(self.keys, keys).clip(max=len(self.keys) - 1)
        return np.where(self.keys[place] == keys, self.order[place], -1)


def _keys_of(values: pa.FixedSizeBinaryArray) -> np.ndarray:
    return np.frombuffer(values.buffers()[1], "S16", len(values), values.offset * 16)


def _bytes_of(hashes: Iterable[str]) -> np.ndarray:
    return np.frombuffer(bytes.fromhex("".join(hashes)), "S16")


def _read_wide_triplets(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Anchors (a, values), their modes (a,) and triplets (t, 3) of a cache folder; empty where it has none."""
    if not (folder / "triplets.parquet").exists():
        return np.empty((0, 0), np.float32), np.empty(0, str), np.empty((0, 3), np.int64)
    anchors = pq.ParquetFile(folder / "anchors.parquet").read()
    columns = pq.ParquetFile(folder / "triplets.parquet").read().columns
    triplets = np.stack([column.to_numpy() for column in columns], axis=1)
    return maps_of(anchors["map"]), np.array(pc.fill_null(anchors["mode"], "").to_pylist(), str), triplets


def maps_of(column: pa.ChunkedArray | pa.FixedSizeListArray) -> np.ndarray:
    """A fixed-size-list column as (rows, values) float32, copied at most once."""
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return values.flatten().to_numpy().reshape(-1, values.type.list_size)
