"""Tables of pieces become one cache: in order, what repeats left out, and nothing else in the folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support import inspected_parts as parts

from tasks.caching.assembly import CacheTables
from tasks.caching.pieces import Piece, decode_all, write_tables
from tasks.data.records import read_records
from tasks.data.schema import detect_layout
from tasks.sources.decided_labels import LabelOverlay


def piece(folder: Path, part: parts.Parts, rows: int = 1000) -> Piece:
    """The tables of a part in a folder."""
    table = parts.map_column(part)
    layout = detect_layout(table.schema, parts.DATA)
    blocks = decode_all(table.to_batches(max_chunksize=6), layout, parts.DATA, LabelOverlay({}))
    return write_tables(folder, blocks, layout, parts.DATA, rows)


def test_pieces_become_one_cache(tmp_path):
    part = parts.inspected(each=12)
    twin = part.take([4, 30, 31, 2])
    twin.mode[0] = 2
    (tmp_path / "cache").mkdir()
    tables = CacheTables(tmp_path / "cache")
    tables.add(piece(tmp_path / "first", part.take(range(30)), rows=12))
    tables.move(piece(tmp_path / "second", twin))
    counts = tables.close()
    assert (counts.distinct, len(counts.contradictory), tables.values.rows) == (32, 1, 34)
    assert not (tmp_path / "second").exists()
    names = {path.name for path in (tmp_path / "cache").iterdir()}
    assert names == {*(f"records-{i:05}.parquet" for i in range(4)), "left_out.npy", "contradictory.txt"}
    assert np.load(tmp_path / "cache" / "left_out.npy").tolist() == [[3, 0], [3, 3]]
    records = read_records(tmp_path / "cache")
    np.testing.assert_array_equal(np.concatenate(list(records.blocks())), part.maps[:32])
    assert np.flatnonzero(records.contradictory).tolist() == [4]


def test_one_table_has_the_name_that_it_always_had(tmp_path):
    (tmp_path / "cache").mkdir()
    tables = CacheTables(tmp_path / "cache")
    tables.move(piece(tmp_path / "only", parts.inspected()))
    tables.close()
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {"records.parquet", "contradictory.txt"}


def test_a_piece_that_another_process_removed(tmp_path):
    (tmp_path / "cache").mkdir()
    lost = piece(tmp_path / "lost", parts.inspected())
    (tmp_path / "lost" / "keys-00000.npy").unlink()
    with pytest.raises(FileNotFoundError):
        CacheTables(tmp_path / "cache").add(lost)
