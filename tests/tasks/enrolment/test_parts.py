"""Which parts of a source are enrolled: those of the mode, or the good ones of one lot; each map once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from support.enrolling import parts_of_new_lot, parts_of_new_mode
from support.inspected_parts import Parts, map_column, source

from tasks.core.errors import CannotEnrol
from tasks.enrolment.parts import MAX_PARTS, lot_name, read_lot_parts, read_mode_parts
from tasks.scoring.judging import open_parts


def joined(*parts: Parts) -> Parts:
    return Parts(*(np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])))


@pytest.fixture
def opened(plain_release, tmp_path):
    """Opens a table as the release reads it."""
    return lambda table: open_parts(source(table, tmp_path / "parts"), plain_release)


def test_the_parts_of_the_mode_are_taken_and_a_map_twice_is_one(plain_release, opened):
    six = parts_of_new_mode(6)
    table = map_column(joined(six, six, parts_of_new_lot(4, lot="")))
    parts = read_mode_parts(opened(table), plain_release, "7")
    np.testing.assert_array_equal(parts.maps, six.maps)
    assert len(parts.embedded) == len(set(parts.hash.tolist())) == 6
    assert parts.id[0].startswith("table.parquet")


def test_without_modes_the_label_says_which_are_defective(plain_release, opened):
    table = map_column(joined(parts_of_new_mode(5), parts_of_new_lot(4, lot=""))).drop_columns("fmode")
    assert len(read_mode_parts(opened(table), plain_release, "bridge")) == 5


def test_a_lot_is_the_only_group_or_is_named(plain_release, opened):
    one = parts_of_new_lot(12, lot="17")
    parts = read_lot_parts(opened(map_column(one)), plain_release, None)
    assert (len(parts), lot_name(parts, None, "source")) == (12, "17")
    two = opened(map_column(joined(one, parts_of_new_lot(11, lot="18", seed=1))))
    with pytest.raises(CannotEnrol, match=r"one lot, found 2 lots \(17 12, 18 11\); name one with --name"):
        read_lot_parts(two, plain_release, None)
    again = opened(map_column(joined(one, parts_of_new_lot(11, lot="18", seed=1))))
    assert len(read_lot_parts(again, plain_release, "18")) == 11


def test_a_source_without_groups_is_one_lot(plain_release, opened):
    parts = read_lot_parts(opened(map_column(parts_of_new_lot(10, lot=""))), plain_release, None)
    assert lot_name(parts, None, "parts@1234567") == "parts@1234567"
    assert lot_name(parts, "17", "parts@1234567") == "17"


def test_too_few_too_many_and_parts_without_labels_are_refused(plain_release, opened):
    with pytest.raises(CannotEnrol, match="expected 5 parts of the mode 7 or more, found 4; it has 7 4"):
        read_mode_parts(opened(map_column(parts_of_new_mode(4))), plain_release, "7")
    many = map_column(parts_of_new_mode(MAX_PARTS + 5))
    with pytest.raises(CannotEnrol, match=r"at most 1000 parts of the mode 7, found 1001; retrain"):
        read_mode_parts(opened(many), plain_release, "7")
    bare = pa.table({"map": map_column(parts_of_new_lot(12))["map"]})
    with pytest.raises(CannotEnrol, match="found 0; it has no labels"):
        read_lot_parts(opened(bare), plain_release, None)
    defective = replace(parts_of_new_lot(12), label=np.ones(12, int))
    with pytest.raises(CannotEnrol, match=r"10 good parts of the lot \(label 0\) or more, found 0; it has 1 12"):
        read_lot_parts(opened(map_column(defective)), plain_release, None)
