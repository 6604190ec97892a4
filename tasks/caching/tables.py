"""The Parquet tables of a cache: each distinct record of a table once, with its key for the comparison of tables.

records-00000.parquet, …   record (its hash), map, label, mode, group, id
keys-00000.npy, …          for each table of records, the keys of those with a complete map (tasks/caching/keys.py)
anchors.parquet            of wide triplets, the distinct anchors
triplets.parquet           of wide triplets, the rows of anchor, positive and negative
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.caching.keys import write_keys
from tasks.data.checks import LabelAndMode, ValueCounts
from tasks.data.decode import DecodedBlock
from tasks.data.schema import TableLayout

RECORDS_NAME, KEYS_NAME = "records-{:05}.parquet", "keys-{:05}.npy"
ANCHORS_FILE, TRIPLETS_FILE = "anchors.parquet", "triplets.parquet"


class TableWriter:
    """Writes and counts the blocks of a piece of a source, batch by batch.

    A table of `rows` records is followed by another. Records of wide triplets are in one table, because each triplet
    names rows of it. Where the columns are unfit, records are counted and nothing is written.
    """

    def __init__(self, folder: Path, layout: TableLayout, values: int, rows: int) -> None:
        self.folder, self.layout, self.values, self.rows = folder, layout, values, rows
        self.counts = ValueCounts()
        self.pairs: dict[LabelAndMode, int] = {}
        self.tables = 0
        self.records = self._open_records()
        self.anchors = DistinctTable(folder / ANCHORS_FILE if layout.fit else None, values)
        self.triplets: list[np.ndarray] = []

    def _open_records(self) -> DistinctTable:
        return DistinctTable(self.folder / RECORDS_NAME.format(self.tables) if self.layout.fit else None, self.values)

    def add(self, blocks: Sequence[DecodedBlock]) -> None:
        """Append the blocks of one batch; a triplet is the row numbers of its three maps."""
        self.counts.update(blocks)
        numbers = [self._add(block) for block in blocks]
        if len(numbers) == 3:
            self.triplets.append(np.stack(numbers, axis=1))
        elif len(self.records) >= self.rows:
            self._close_records()
            self.records = self._open_records()

    def _add(self, block: DecodedBlock) -> np.ndarray:
        if block.block.role == "anchor":  # two modes may have the same anchor
            return self.anchors.add(block, list(zip(block.hashes, block.mode, strict=True)))
        texts = zip(block.label, block.mode, strict=True)
        codes = np.array([self.pairs.setdefault(pair, len(self.pairs)) for pair in texts], np.int32)
        return self.records.add(block, block.hashes, codes)

    def close(self) -> None:
        """Finish every file."""
        if len(self.records) or not self.tables:
            self._close_records()
        self.anchors.close()
        if self.triplets and self.layout.fit:
            columns = np.concatenate(self.triplets).T
            triplets = pa.table(dict(zip(("anchor", "positive", "negative"), columns, strict=True)))
            pq.write_table(triplets, self.folder / TRIPLETS_FILE)

    def _close_records(self) -> None:
        self.records.close()
        records = self.records
        write_keys(self.folder / KEYS_NAME.format(self.tables), list(records.rows), records.code, records.contradicted)
        self.tables += 1


class DistinctTable:
    """A Parquet file to which each distinct row is appended once; path None: rows are only numbered.

    rows: the row number of each key, in their order. code: of each row, the pair of label and mode of its first
    occurrence, −1 where its map is not complete; contradicted: whether a later occurrence had another pair. Both may be
    longer than there are rows.
    """

    def __init__(self, path: Path | None, values: int) -> None:
        self.path, self.values = path, values
        self.rows: dict[Hashable, int] = {}
        self.writer: pq.ParquetWriter | None = None
        self.code, self.contradicted = np.empty(0, np.int32), np.empty(0, bool)

    def __len__(self) -> int:
        """How many distinct rows there are."""
        return len(self.rows)

    def add(self, block: DecodedBlock, keys: Sequence[Hashable], codes: np.ndarray | None = None) -> np.ndarray:
        """Append the rows whose keys (rows,) are new; returns the number of every row of the block, (rows,) int64.

        codes: (rows,) int32 of label and mode.
        """
        before, rows = len(self.rows), self.rows
        numbers = np.array([rows.setdefault(key, len(rows)) for key in keys], np.int64)
        new, first = np.unique(numbers, return_index=True)
        chosen = first[new >= before]
        if codes is not None:
            self._compare(numbers, chosen, np.where(block.finite, codes, -1))
        if len(chosen) and self.path is not None:
            self._append(_record_batch(block, chosen, self.values))
        return numbers

    def _compare(self, numbers: np.ndarray, chosen: np.ndarray, codes: np.ndarray) -> None:
        """Keep the codes (rows,) of the rows `chosen`, which are new, and mark whatever differs from an earlier one."""
        if len(self.code) < len(self.rows):
            more = max(len(self.rows), len(numbers))
            self.code = np.concatenate([self.code, np.empty(more, np.int32)])
            self.contradicted = np.concatenate([self.contradicted, np.zeros(more, bool)])
        self.code[numbers[chosen]] = codes[chosen]
        self.contradicted[numbers[codes != self.code[numbers]]] = True

    def _append(self, batch: pa.RecordBatch) -> None:
        if self.writer is None:
            # Values of measured maps do not repeat: a dictionary or compression only costs time.
            self.writer = pq.ParquetWriter(self.path, batch.schema, compression="none", use_dictionary=False)
        self.writer.write_batch(batch)

    def close(self) -> None:
        """Finish the file, if there is one."""
        if self.writer is not None:
            self.writer.close()


def _record_batch(block: DecodedBlock, chosen: np.ndarray, size: int) -> pa.RecordBatch:
    keys = pa.array([block.hashes[i] for i in chosen], pa.binary(16))
    maps = block.maps if len(chosen) == len(block.maps) else block.maps[chosen]
    lists = pa.FixedSizeListArray.from_arrays(pa.array(maps.ravel()), size)
    texts = {
        name: pa.array([values[i] for i in chosen], pa.string())
        for name, values in (("label", block.label), ("mode", block.mode), ("group", block.group), ("id", block.id))
    }
    return pa.RecordBatch.from_pydict({"record": keys, "map": lists, **texts})
