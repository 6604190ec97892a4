"""Records of a cache: selected and joined with their triplets, their maps read on demand and in order."""

from __future__ import annotations

import numpy as np
import pytest
from support.inspected_parts import cached, inspected, map_column, pairs_within, wide_triplets

from tasks.data import records
from tasks.data.records import KeyIndex, read_records

PARTS = inspected(each=12, groups=3)


def maps_of(some):
    return np.concatenate(list(some.blocks()))


@pytest.fixture(scope="module")
def columns(tmp_path_factory):
    """The records of a source with one map column."""
    return read_records(cached(map_column(PARTS), tmp_path_factory.mktemp("columns")).stage.path)


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """The records of a wide triplet set."""
    table = wide_triplets(PARTS, pairs_within(PARTS, np.zeros(36, int), 300))
    return read_records(cached(table, tmp_path_factory.mktemp("wide")).stage.path)


def test_records_of_a_cache_are_those_of_the_source(columns):
    assert len(columns) == 36
    np.testing.assert_array_equal(maps_of(columns), PARTS.maps)
    assert columns.mode[:].tolist() == PARTS.mode.astype(str).tolist()
    assert columns.group[:].tolist() == PARTS.group.tolist()
    assert not columns.contradictory.any()
    assert (len(columns.triplets), len(columns.anchors)) == (0, 0)


@pytest.mark.parametrize("batch", [4096, 7])
def test_selected_records_keep_their_order_and_maps(columns, monkeypatch, batch):
    monkeypatch.setattr(records, "BATCH_ROWS", batch)
    rows = np.array([0, 3, 4, 20, 35])
    some = columns.select(np.isin(np.arange(36), rows))
    np.testing.assert_array_equal(maps_of(some), PARTS.maps[rows])
    assert some.hash.tolist() == columns.hash[rows].tolist()


def test_triplets_stay_while_both_of_their_records_do(wide):
    assert len(wide.triplets) == 300
    rows = np.arange(0, len(wide), 2)
    some = wide.select(np.isin(np.arange(len(wide)), rows))
    chosen = np.isin(wide.triplets[:, 1:], rows).all(axis=1)
    np.testing.assert_array_equal(some.hash[some.triplets[:, 1:]], wide.hash[wide.triplets[chosen][:, 1:]])
    np.testing.assert_array_equal(some.triplets[:, 0], wide.triplets[chosen][:, 0])
    assert wide.anchor_mode.tolist() == [wide.mode[row] for row in _first_positive(wide)]


def _first_positive(some):
    """A positive record of every anchor."""
    return [some.triplets[some.triplets[:, 0] == anchor][0, 1] for anchor in range(len(some.anchors))]


def test_records_of_two_sources_are_joined_without_the_second_ones_triplets(columns, wide):
    both = wide.append(columns.select(np.arange(36) < 5))
    assert len(both) == len(wide) + 5
    assert len(both.triplets) == len(wide.triplets)
    np.testing.assert_array_equal(maps_of(both), np.concatenate([maps_of(wide), PARTS.maps[:5]]))


def test_records_that_two_sources_share_are_found_by_their_keys(columns, wide):
    some = columns.select(np.arange(36) % 3 == 0)
    here, there = wide.shared_with(some)
    assert len(here) == 12
    np.testing.assert_array_equal(wide.key[here], some.key[there])
    assert [len(rows) for rows in some.shared_with(wide.select(np.zeros(len(wide), bool)))] == [0, 0]


def test_keys_are_found_where_they_are_and_nowhere_else():
    keys = np.array([b"c", b"a", b"b"], "S16")
    assert KeyIndex(keys).find(np.array([b"b", b"x", b"c"], "S16")).tolist() == [2, -1, 0]
    assert KeyIndex(keys[:0]).find(keys).tolist() == [-1, -1, -1]


def test_columns_lie_in_the_folder_that_is_given_without_a_name(columns, tmp_path):
    again = read_records(columns.files[0].parent, tmp_path)
    assert again.mode[:].tolist() == columns.mode[:].tolist()
    assert list(tmp_path.iterdir()) == []


def test_units_are_groups_and_records_without_one(tmp_path):
    part = inspected(each=12, groups=3)
    part.group[part.group == "L1"] = ""
    some = read_records(cached(map_column(part), tmp_path).stage.path)
    codes, names = some.group_units()
    names = np.concatenate([block.astype(str) for block in names])
    expected = np.where(part.group == "", some.hash.astype(str), part.group)
    np.testing.assert_array_equal(names[codes], expected)
