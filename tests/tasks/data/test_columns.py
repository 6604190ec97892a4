"""Columns on disk: what numpy does of a whole array at once, block by block and whatever the blocks."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tasks.data import columns
from tasks.data.columns import (
    Texts,
    count_codes,
    count_distinct,
    count_pairs,
    on_disk,
    row_blocks,
    select_on_disk,
    sort_by_code,
    take,
    zeros_on_disk,
)

CODES = np.random.default_rng(0).integers(0, 5, 40).astype(np.int32)
MASK = np.random.default_rng(1).random(40) < 0.4


@pytest.fixture(params=[1, 7, 1 << 16], autouse=True)
def _block_rows(request, monkeypatch):
    monkeypatch.setattr(columns, "BLOCK_ROWS", request.param)


def texts(*values: str) -> Texts:
    column = np.array(values, str)
    return Texts.of(lambda: (column[rows] for rows in row_blocks(len(column))))


def pairs(first: np.ndarray, second: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(first[rows], second[rows]) for rows in row_blocks(len(first))]


@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 40])
def test_blocks_are_all_rows_in_their_order(count):
    assert [row for rows in row_blocks(count) for row in range(count)[rows]] == list(range(count))
    assert all(rows.stop - rows.start <= 3 for rows in row_blocks(count, 3))


def test_what_is_on_disk_can_be_changed_and_leaves_no_file(tmp_path):
    column = on_disk([CODES[:3], CODES[3:3], CODES[3:]], np.int64, tmp_path)
    assert (column.dtype, column.tolist()) == (np.int64, CODES.tolist())
    column[::2] = -1
    assert (column[::2] == -1).all()
    assert list(tmp_path.iterdir()) == []
    assert on_disk([], np.int8).tolist() == []
    zeros = zeros_on_disk(9, np.float32, tmp_path)
    assert (zeros.dtype, zeros.tolist()) == (np.float32, [0.0] * 9)


def anonymous_bytes() -> int:
    """What the process holds itself, without pages of files."""
    return int(re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))[1]) << 10


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc, as Linux has it")
def test_what_is_on_disk_is_not_in_the_memory_of_the_process(tmp_path):
    before = anonymous_bytes()
    column = on_disk((np.full(1 << 16, i, np.int64) for i in range(100)), np.int64, tmp_path)
    assert column.nbytes == 100 << 19
    assert anonymous_bytes() - before < 10 << 20


def test_codes_are_taken_counted_and_selected():
    np.testing.assert_array_equal(take(np.arange(5.0), CODES), CODES.astype(float))
    np.testing.assert_array_equal(count_codes(CODES, 7), np.bincount(CODES, minlength=7))
    np.testing.assert_array_equal(count_codes(CODES, 7, MASK), np.bincount(CODES[MASK], minlength=7))
    selected = select_on_disk(CODES, MASK)
    assert (selected.dtype, selected.tolist()) == (np.int32, CODES[MASK].tolist())


def test_pairs_of_codes_are_counted_and_negative_ones_are_not():
    first = np.where(MASK, -1, CODES % 3).astype(np.int8)
    counted = count_pairs(pairs(first, CODES), (3, 5))
    expected = [[np.count_nonzero((first == a) & (b == CODES)) for b in range(5)] for a in range(3)]
    np.testing.assert_array_equal(counted, expected)


def test_distinct_values_are_counted():
    values, counts = count_distinct(CODES[rows] * 7 for rows in row_blocks(40))
    expected = np.unique(CODES * 7, return_counts=True)
    np.testing.assert_array_equal(values, expected[0])
    np.testing.assert_array_equal(counts, expected[1])


def test_values_are_sorted_by_code_and_keep_their_order():
    values = np.arange(40, dtype=np.float64)
    result = sort_by_code(pairs(values, CODES), np.bincount(CODES, minlength=6), np.float64)
    np.testing.assert_array_equal(result, np.argsort(CODES, kind="stable"))


def test_texts_are_kept_as_codes_of_their_names():
    column = texts("b", "a", "", "b")
    assert column.names.tolist() == ["", "a", "b"]
    assert column[:].tolist() == ["b", "a", "", "b"]
    assert (column[0], column[[1, 3]].tolist()) == ("b", ["a", "b"])
    assert column.isin(np.array(["b", "c"])).tolist() == [True, False, False, True]
    assert column.counts().tolist() == [1, 1, 2]
    assert column.used(np.array([True, False, True, False])).tolist() == ["", "b"]


def test_selected_texts_keep_the_names_of_all():
    some = texts("b", "a", "", "b").select(np.array([True, False, False, True]))
    assert (some[:].tolist(), some.names.tolist(), some.used().tolist()) == (["b", "b"], ["", "a", "b"], ["b"])


def test_texts_of_two_columns_are_joined():
    both = texts("b", "a").append(texts("long name", "a", ""))
    assert both[:].tolist() == ["b", "a", "long name", "a", ""]
    assert both.names.tolist() == ["", "a", "b", "long name"]
    assert both.codes.dtype == np.int32


def test_names_with_one_name_in_another_column():
    mode, lot = texts("0", "1", "1", "2", "2", "3"), texts("x", "y", "y", "x", "y", "")
    assert mode.with_one_name_in(lot) == {"0": "x", "1": "y"}
