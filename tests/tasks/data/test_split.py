"""The split: what belongs together stays together, shares hold, and few records or none change their part."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.data.split import PARTS, linked_components, split_coded_units, split_records, split_units

SHARES = (0.65, 0.05, 0.15, 0.15)
TRAIN, STOP, CALIBRATE, TEST = range(4)


def names(count: int, prefix: str = "r") -> np.ndarray:
    return np.array([f"{prefix}{i}" for i in range(count)])


def units_on_two_sides(units: np.ndarray, side: np.ndarray) -> list[str]:
    return [name for name in np.unique(units) if len(set(side[units == name])) > 1]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("groups", [4, 5, 9, 40])
def test_no_group_on_two_sides(seed, groups):
    units = names(groups, "lot")[np.random.default_rng(seed).integers(0, groups, 300)]
    side = split_units(units, np.arange(300) % 3, SHARES, seed)
    assert units_on_two_sides(units, side) == []
    assert set(side) == set(range(4))


@pytest.mark.parametrize("seed", range(5))
def test_every_mode_is_split_in_the_asked_shares(seed):
    """Modes of 200, 100, 40 and 20 records: at most one record off in every part of every mode."""
    modes = np.repeat(np.arange(4), [200, 100, 40, 20])
    side = split_units(names(360), modes, SHARES, seed)
    for mode, size in enumerate([200, 100, 40, 20]):
        counts = np.bincount(side[modes == mode], minlength=4)
        assert np.abs(counts - np.array(SHARES) * size).max() <= 1


def test_shares_are_scaled():
    modes = np.zeros(100, int)
    doubled = split_units(names(100), modes, [2 * share for share in SHARES], 1)
    np.testing.assert_array_equal(doubled, split_units(names(100), modes, SHARES, 1))


def test_large_groups_hold_the_shares_about():
    """40 groups of 10: a group is 2.5 % of the records, so every part is within 5 % of its share."""
    units = np.repeat(names(40, "lot"), 10)
    side = split_units(units, np.tile(np.arange(5), 80), SHARES, 42)
    assert np.abs(np.bincount(side, minlength=4) / 400 - SHARES).max() < 0.05


def test_the_order_of_the_records_does_not_matter():
    modes, order = np.arange(200) % 4, np.random.default_rng(0).permutation(200)
    side = split_units(names(200), modes, SHARES, 42)
    np.testing.assert_array_equal(split_units(names(200)[order], modes[order], SHARES, 42), side[order])


def test_the_seed_makes_another_split():
    modes = np.zeros(200, int)
    first, again, other = (split_units(names(200), modes, SHARES, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.3


def test_records_have_the_part_that_they_had_in_the_first_version():
    """Another part would let a champion be judged on records that it was trained on."""
    records = split_units(names(48), np.arange(48) % 3, SHARES, 42)
    assert "".join(map(str, records)) == "310232000000002000023300000003020000100201232020"
    lots = split_units(np.repeat(names(12, "lot"), 5), np.arange(60) % 4, SHARES, 7)
    assert "".join(map(str, lots[::5])) == "200132020020"


def test_names_may_be_hashes_as_bytes():
    as_bytes = names(50).astype("S32")
    np.testing.assert_array_equal(
        split_units(as_bytes, np.zeros(50, int), SHARES, 3), split_units(names(50), np.zeros(50, int), SHARES, 3)
    )


@pytest.mark.parametrize("seed", range(6))
def test_few_records_change_their_part_when_more_come(seed):
    """A tenth more records: few change side, and none walks from the test into the training."""
    modes = np.arange(440) % 4
    before = split_units(names(400), modes[:400], SHARES, seed)
    after = split_units(names(440), modes, SHARES, seed)[:400]
    assert (before != after).mean() < 0.08
    assert not ((before == TEST) & (after == TRAIN)).any()
    assert not ((before == TRAIN) & (after == TEST)).any()


@pytest.mark.parametrize("seed", range(10))
def test_with_fixed_limits_no_lot_changes_its_part_as_the_set_grows(seed):
    """From 4 to 120 lots, one by one, each with three modes; only where a part has no lot at all is one lent to it."""
    final = split_units(names(120, "lot"), np.zeros(120, int), SHARES, seed, fixed=True)
    assert len(set(final)) == 4
    complete = 0
    for count in range(4, 121):
        units, modes = np.repeat(names(count, "lot"), 3), np.tile(np.arange(3), count)
        side = split_units(units, modes, SHARES, seed, fixed=True)
        assert units_on_two_sides(units, side) == []
        missing = set(range(4)) - set(final[:count])
        assert set(side) == set(range(4))
        assert (side[::3] != final[:count]).sum() == len(missing)
        complete += not missing
    assert complete > 20


def test_with_fixed_limits_the_shares_hold_on_average():
    parts = split_units(names(4000), np.arange(4000) % 5, SHARES, 1, fixed=True)
    assert np.abs(np.bincount(parts, minlength=4) / 4000 - SHARES).max() < 0.03


def test_with_fixed_limits_every_part_still_has_two_modes():
    modes = np.arange(48) % 4
    for seed in range(5):
        side = split_units(names(48), modes, SHARES, seed, fixed=True)
        assert all(len(set(modes[side == part])) > 1 for part in range(4)), seed


def test_another_mode_moves_no_record():
    modes = np.repeat(np.arange(3), 100)
    before = split_units(names(200), modes[:200], SHARES, 7)
    np.testing.assert_array_equal(split_units(names(300), modes, SHARES, 7)[:200], before)


@pytest.mark.parametrize("count", [4, 5, 6])
def test_few_groups_still_fill_every_part(count):
    for seed in range(10):
        side = split_units(names(count), np.zeros(count, int), SHARES, seed)
        assert set(side) == set(range(4)), seed


def test_fewer_groups_than_parts_go_to_training_first():
    for seed in range(10):
        for count in (1, 2, 3):
            side = split_units(names(count), np.zeros(count, int), SHARES, seed)
            assert TRAIN in side
            assert len(set(side)) == count


@pytest.mark.parametrize("each", [4, 6, 7, 9, 12, 15])
def test_every_part_has_two_modes(each):
    """A twentieth of 12 records is none by rounding, in every mode alike: early stopping still needs triplets."""
    modes = np.arange(4 * each) % 4
    for seed in range(5):
        side = split_units(names(4 * each), modes, SHARES, seed)
        assert all(len(set(modes[side == part])) > 1 for part in range(4)), seed
        assert set(modes[side == TRAIN]) == {0, 1, 2, 3}


def test_a_second_mode_is_not_taken_from_the_last_that_has_it():
    """Mode 1 is two lots: the one in training stays there, whoever else has only mode 0."""
    units, modes = names(12, "lot"), np.array([0] * 10 + [1, 1])
    for seed in range(10):
        side = split_units(units, modes, SHARES, seed)
        assert set(modes[side == TRAIN]) == {0, 1}, seed


def test_an_empty_part_takes_the_smallest_unit_it_can():
    """Three lots of 1, 50 and 49: the lot of one may not stay alone while the rest trains."""
    units = np.repeat(names(3, "lot"), [1, 50, 49])
    side = split_units(units, np.zeros(100, int), (0.8, 0.0, 0.1, 0.1), 0)
    assert set(side) == {TRAIN, CALIBRATE, TEST}
    assert units_on_two_sides(units, side) == []


@pytest.mark.parametrize("none", range(4))
def test_a_part_without_a_share_gets_nothing(none):
    shares = [share * (part != none) for part, share in enumerate(SHARES)]
    for seed in range(5):
        side = split_units(names(60), np.arange(60) % 3, shares, seed)
        assert none not in side
        assert set(side) == set(range(4)) - {none}


def test_small_modes_lie_whole_somewhere():
    modes = np.array([0] * 100 + [1] * 3 + [2])
    side = split_units(names(104), modes, SHARES, 42)
    assert (side[100:103] == TRAIN).any()
    assert set(side) == set(range(4))


def test_a_group_counts_for_its_commonest_mode():
    """20 groups, each of one mode but for one stranger: both modes still reach training and test."""
    units = np.repeat(names(20, "lot"), 5)
    modes = np.repeat(np.arange(20) % 2, 5)
    modes[::5] = 1 - modes[::5]
    side = split_units(units, modes, SHARES, 5)
    for part in (TRAIN, TEST):
        assert {0, 1} <= set(modes[side == part])


@pytest.mark.parametrize("fixed", [False, True])
def test_records_are_split_as_units_of_one(fixed):
    """Whatever the blocks in which their hashes come."""
    rng = np.random.default_rng(0)
    for count in (1, 5, 200):
        hashes, modes = np.array([rng.bytes(16).hex() for _ in range(count)], "S32"), rng.integers(0, 4, count)
        blocks = [hashes[:3], hashes[3:50], hashes[50:]]
        np.testing.assert_array_equal(
            split_records(blocks, modes, SHARES, 7, fixed), split_units(hashes, modes, SHARES, 7, fixed)
        )


def test_codes_without_a_record_change_nothing():
    """As of lots whose records were all left out."""
    lots, codes = names(30, "lot"), np.repeat(np.arange(1, 30, 2), 4)
    side = split_coded_units(codes, [lots[:7], lots[7:]], np.arange(60) % 3, SHARES, 5)
    np.testing.assert_array_equal(side, split_units(lots[codes], np.arange(60) % 3, SHARES, 5))


def test_components():
    component = linked_components(7, np.array([[0, 1], [1, 2], [4, 3], [0, 1]]))
    same = component[:, None] == component
    np.testing.assert_array_equal(np.flatnonzero(same[0]), [0, 1, 2])
    np.testing.assert_array_equal(np.flatnonzero(same[3]), [3, 4])
    assert same.sum() == 9 + 4 + 1 + 1
    assert len(set(linked_components(3, np.empty((0, 2), int)))) == 3


def test_the_parts_have_their_places():
    """`champion.comparable` and the bank count on these numbers."""
    assert PARTS == ("train", "stop", "calibrate", "test")


def test_strangers_in_a_group_do_not_change_its_stratum():
    units, own = np.repeat(names(40, "lot"), 5), np.repeat(np.arange(40) % 3, 5)
    modes = own.copy()
    modes[::5] = 0
    np.testing.assert_array_equal(split_units(units, modes, SHARES, 5), split_units(units, own, SHARES, 5))
