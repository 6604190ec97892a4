"""Tables of a cache: each record once, a table after another, keys beside them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from support import inspected_parts as parts

from tasks.caching.tables import TableWriter
from tasks.data.decode import decode
from tasks.data.records import maps_of
from tasks.data.schema import detect_layout


def written(folder: Path, part: parts.Parts, rows: int, batch: int) -> TableWriter:
    """The part, written in batches into tables of so many records."""
    folder.mkdir()
    table = parts.map_column(part)
    layout = detect_layout(table.schema, parts.DATA)
    writer = TableWriter(folder, layout, 20, rows)
    for block in table.to_batches(max_chunksize=batch):
        writer.add(list(decode(block, layout, parts.DATA)))
    writer.close()
    return writer


def test_a_full_table_is_followed_by_another(tmp_path):
    """A repeat is left out within a table, and marked where it differs; another table does not know of it."""
    part = parts.inspected(each=12)
    twins = part.take([0, 1, 2, 0, 1, *range(5, 36), 0, 5])
    twins.mode[3], twins.mode[36] = 1, 2
    writer = written(tmp_path / "tables", twins, rows=12, batch=6)
    assert writer.tables == 3
    tables = [pq.read_table(path) for path in sorted((tmp_path / "tables").glob("records-*.parquet"))]
    assert [len(table) for table in tables] == [16, 12, 8]
    maps = np.concatenate([maps_of(table["map"]) for table in tables])
    np.testing.assert_array_equal(maps, twins.take([0, 1, 2, *range(5, 38)]).maps)
    keys = [np.load(path) for path in sorted((tmp_path / "tables").glob("keys-*.npy"))]
    assert [np.sort(table["row"]).tolist() for table in keys] == [list(range(len(table))) for table in tables]
    marked = [(number, row) for number, table in enumerate(keys) for row in table["row"][table["contradicted"]]]
    assert marked == [(0, 0)]
    first = hashlib.blake2b(part.maps[0], digest_size=16).digest()
    assert (keys[0]["high"] == int.from_bytes(first[:8], "big")).sum() == 1
    assert writer.counts.rows == 38


def test_the_same_tables_whatever_the_batches(tmp_path):
    part = parts.inspected(each=12)
    for batch in (3, 36):
        written(tmp_path / str(batch), part, rows=1000, batch=batch)
    names = ("records-00000.parquet", "keys-00000.npy")
    tables = [pq.read_table(tmp_path / batch / names[0]) for batch in ("3", "36")]
    assert tables[0].equals(tables[1])
    assert (tmp_path / "3" / names[1]).read_bytes() == (tmp_path / "36" / names[1]).read_bytes()
