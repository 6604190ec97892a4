"""Triplets: valid, drawn evenly, seeded, within one part; and what is dropped is counted."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.data import sampling
from tasks.data.sampling import triplets_by_part
from tasks.data.split import PARTS

NONE = np.empty((0, 2), np.int64)
MODE = np.arange(120) % 5
PART = np.arange(120) // 5 % 4


def assert_valid(triplets: dict[str, np.ndarray], mode: np.ndarray, part: np.ndarray) -> None:
    assert tuple(triplets) == PARTS
    for code, name in enumerate(PARTS):
        anchor, positive, negative = triplets[name].T
        np.testing.assert_array_equal(mode[positive], anchor)
        assert (mode[negative] != anchor).all()
        assert (part[positive] == code).all()
        assert (part[negative] == code).all()


@pytest.mark.parametrize("seed", range(4))
def test_generated_triplets(seed):
    triplets, counts = triplets_by_part(MODE, PART, NONE, 3, True, seed)
    assert_valid(triplets, MODE, PART)
    for code, name in enumerate(PARTS):
        np.testing.assert_array_equal(np.bincount(triplets[name][:, 1], minlength=120), 3 * (code == PART))
        assert counts[f"triplets_{name}"] == 90
    assert counts["triplets_brought"] == counts["triplets_crossing"] == counts["triplets_replaced"] == 0


def test_the_seed_decides():
    first, again, other = (triplets_by_part(MODE, PART, NONE, 2, True, seed)[0] for seed in (1, 1, 2))
    for name in PARTS:
        np.testing.assert_array_equal(first[name], again[name])
        assert (first[name] != other[name]).any()


def test_negatives_do_not_depend_on_how_many_are_drawn_at_once(monkeypatch):
    mode, part = np.arange(60) % 3, np.arange(60) % 4
    whole, _ = triplets_by_part(mode, part, np.empty((0, 2), int), 5, False, 1)
    monkeypatch.setattr(sampling, "BLOCK_TRIPLETS", 7)
    for name, rows in triplets_by_part(mode, part, np.empty((0, 2), int), 5, False, 1)[0].items():
        np.testing.assert_array_equal(rows, whole[name])
        assert rows.dtype == np.int32


def test_negatives_are_drawn_evenly_from_all_other_modes():
    """Modes of 5, 10 and 35 records: a positive of mode 1 draws each of the 40 others 2000/40 = 50 times (± 7)."""
    mode = np.repeat([0, 1, 2], [5, 10, 35])
    triplets, _ = triplets_by_part(mode, np.zeros(50, int), NONE, 200, True, 0)
    negatives = triplets["train"][triplets["train"][:, 0] == 1][:, 2]
    counts = np.bincount(negatives, minlength=50)
    assert (counts[5:15] == 0).all()
    others = np.delete(counts, np.arange(5, 15))
    assert abs(others.mean() - 50) < 1e-9
    assert others.min() > 22
    assert others.max() < 80


def test_brought_triplets_are_kept_as_they_are():
    pairs = np.array([[0, 1], [5, 6], [0, 2], [20, 24]])
    part = np.zeros(120, int)
    part[20:40], part[40:60], part[60:80] = 1, 2, 3
    triplets, counts = triplets_by_part(MODE, part, pairs, 2, True, 0)
    np.testing.assert_array_equal(triplets["train"], [[0, 0, 1], [0, 5, 6], [0, 0, 2]])
    np.testing.assert_array_equal(triplets["stop"], [[0, 20, 24]])
    assert counts["triplets_train"] == counts["triplets_brought"] - 1 == 3
    assert counts["triplets_calibrate"] == 40  # generated, two for each of its 20 records
    assert_valid(triplets, MODE, part)


def crossing() -> np.ndarray:
    """Every record against the next: one mode further, and where a part ends, in another part."""
    return np.stack([np.arange(119), np.arange(1, 120)], axis=1)


def test_crossing_triplets_are_counted_and_get_a_negative_of_the_positives_part():
    triplets, counts = triplets_by_part(MODE, PART, crossing(), 2, True, 0)
    assert counts["triplets_crossing"] == counts["triplets_replaced"] == 23
    assert sum(counts[f"triplets_{name}"] for name in PARTS) == counts["triplets_brought"] == 119
    assert_valid(triplets, MODE, PART)
    positives = np.sort(np.concatenate([triplets[name][:, 1] for name in PARTS]))
    np.testing.assert_array_equal(positives, np.arange(119))


def test_crossing_triplets_are_dropped_where_asked():
    triplets, counts = triplets_by_part(MODE, PART, crossing(), 2, False, 0)
    assert (counts["triplets_crossing"], counts["triplets_replaced"]) == (23, 0)
    assert sum(counts[f"triplets_{name}"] for name in PARTS) == 119 - 23
    assert_valid(triplets, MODE, PART)


@pytest.mark.parametrize("replace", [True, False])
def test_a_part_whose_triplets_all_cross_is_not_left_empty(replace):
    pairs = np.array([[0, 6], [7, 1]])  # rows 0..4 lie in train, 5..9 in stop
    triplets, counts = triplets_by_part(MODE, PART, pairs, 2, replace, 0)
    assert counts["triplets_crossing"] == 2
    assert counts["triplets_train"] == (1 if replace else 60)
    assert_valid(triplets, MODE, PART)


def test_brought_triplets_of_one_mode_are_dropped_and_counted():
    """Positive and negative of the same mode would teach the model to part what belongs together."""
    pairs = np.array([[0, 5], [0, 1], [3, 3]])
    triplets, counts = triplets_by_part(MODE, np.zeros(120, int), pairs, 2, True, 0)
    np.testing.assert_array_equal(triplets["train"], [[0, 0, 1]])
    assert (counts["triplets_brought"], counts["triplets_of_one_mode"]) == (3, 2)


def test_a_part_of_one_mode_has_no_triplets():
    part = np.where(np.arange(120) % 5 == 0, 1, 0)
    triplets, counts = triplets_by_part(MODE, part, NONE, 2, True, 0)
    assert counts["triplets_stop"] == 0
    assert triplets["stop"].shape == (0, 3)
    assert counts["triplets_train"] == 192
