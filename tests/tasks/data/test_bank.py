"""A bank comes back from its folder as it was saved, and shares the file of its maps."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from support.inspected_parts import banked, inspected

from tasks.data import bank, columns
from tasks.data.bank import evenly_spread, load_bank, write_maps
from tasks.data.split import PARTS


@pytest.fixture(scope="module")
def saved():
    return banked(inspected(each=20, groups=4))


def assert_same(actual, other):
    for field in fields(actual):
        value, expected = getattr(actual, field.name), getattr(other, field.name)
        if isinstance(value, dict):
            assert all(np.array_equal(value[part], expected[part]) for part in PARTS)
        else:
            assert np.array_equal(value, expected), field.name


def test_a_bank_comes_back_with_its_maps_memory_mapped(tmp_path, saved):
    saved.save(tmp_path)
    loaded = load_bank(tmp_path)
    assert_same(loaded, saved)
    assert isinstance(loaded.maps, np.memmap)
    assert {path.name for path in tmp_path.iterdir()} == {"maps.npy", "anchors.npy", "index.npz"}


@pytest.mark.parametrize("links", [True, False])
def test_maps_that_are_in_a_file_are_not_written_again(tmp_path, saved, monkeypatch, links):
    def without_links(path, target):
        raise OSError("no links on this disk")

    if not links:
        monkeypatch.setattr(bank.Path, "hardlink_to", without_links)
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    saved.save(tmp_path / "first")
    saved.save(tmp_path / "second", maps=tmp_path / "first" / "maps.npy")
    assert_same(load_bank(tmp_path / "second"), saved)
    assert (tmp_path / "first" / "maps.npy").stat().st_nlink == (2 if links else 1)


def test_maps_are_written_block_by_block(tmp_path):
    maps = np.arange(12, dtype=np.float64).reshape(4, 3)
    write_maps(tmp_path / "maps.npy", iter([maps[:1], maps[1:]]), maps.shape)
    written = np.load(tmp_path / "maps.npy")
    assert written.dtype == np.float32
    np.testing.assert_array_equal(written, maps)


def test_rows_of_a_part_are_those_of_its_records(saved):
    assert sorted(row for part in PARTS for row in saved.rows(part)) == list(range(60))
    assert (saved.part[saved.rows("calibrate")] == PARTS.index("calibrate")).all()


@pytest.mark.parametrize("rows_at_once", [3, 1 << 16])
def test_rows_on_disk_are_those_in_memory(saved, tmp_path, monkeypatch, rows_at_once):
    monkeypatch.setattr(columns, "BLOCK_ROWS", rows_at_once)
    rows = saved.rows_on_disk(("stop", "train"), tmp_path)
    assert rows.tolist() == [*saved.rows("stop"), *saved.rows("train")]
    places = saved.places_by_mode(rows, tmp_path)
    assert [mode.tolist() for mode in places] == [
        np.flatnonzero(saved.mode[rows] == code).tolist() for code in range(len(saved.modes))
    ]
    assert [len(mode) for mode in saved.places_by_mode(rows[:0])] == [0] * len(saved.modes)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("count", "most"), [(0, 5), (4, 5), (5, 5), (6, 5), (1001, 500)])
def test_rows_are_thinned_to_a_number_and_spread_over_all(count, most):
    rows = evenly_spread(np.arange(count), most)
    assert min(count, most) / 2 <= len(rows) <= most
    assert len(set(np.diff(rows).tolist())) <= 1
