"""Banks made of a bank: a sample by hashes, without a mode, with permuted modes, with some parts alone."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import train_test_split
from support import inspected_parts as parts

from tasks.data import columns
from tasks.data.bank import Bank, load_bank
from tasks.data.bank_variants import (
    FITTED_PARTS,
    only_parts,
    sampled_share,
    subsample,
    with_notebook_split,
    with_permuted_modes,
    without_mode,
)
from tasks.data.split import PARTS


def mixed(records: int) -> Bank:
    """Ten records of a rare mode in every hundred, in parts by turns."""
    rng = np.random.default_rng(0)
    mode = (np.arange(records) % 100 < 10).astype(np.int32)
    part = np.where(np.arange(records) % 20 < 13, 0, np.arange(records) % 20 - 12).clip(0, 3).astype(np.int8)
    hashes = np.array([rng.bytes(16).hex() for _ in range(records)], "S32")
    rows = {name: np.flatnonzero(part == code) for code, name in enumerate(PARTS)}
    triplets = {name: np.column_stack([mode[of], of, np.roll(of, 1)]).astype(np.int32) for name, of in rows.items()}
    maps = np.arange(records, dtype=np.float32)[:, None] * np.ones(3, np.float32)
    return Bank(maps, maps[:2], mode, mode == 0, part, hashes, np.full(records, ""), ["0", "1"], triplets)


@pytest.fixture(scope="module")
def large() -> Bank:
    return mixed(40_000)


@pytest.fixture(scope="module")
def bank() -> Bank:
    """Four modes, of which 0 is good."""
    return parts.banked(parts.inspected(modes=4, each=40))


def test_a_small_bank_is_no_sample():
    small = mixed(300)
    assert subsample(small, 300) is small
    assert sampled_share(small, small) is None


def test_a_sample_keeps_the_shares_of_its_parts_and_every_rows_values(large):
    sample = subsample(large, 4_000)
    assert sampled_share(sample, large) == {"records": len(sample.hash), "of": 40_000}
    for part in PARTS[1:]:
        assert len(sample.rows(part)) == pytest.approx(len(large.rows(part)) / 10, abs=1)
        rare = [of.mode[of.rows(part)].mean() for of in (sample, large)]
        assert rare[0] == pytest.approx(rare[1], abs=0.05)
    back = sample.maps[:, 0].astype(int)
    for name in ("mode", "good", "part", "hash"):
        assert np.array_equal(getattr(sample, name), getattr(large, name)[back])
    for part, triplets in sample.triplets.items():
        assert len(triplets)
        before = {tuple(pair) for pair in large.triplets[part][:, 1:].tolist()}
        assert {tuple(pair) for pair in back[triplets[:, 1:]].tolist()} <= before


@pytest.mark.parametrize("rows", [997, 1 << 16])
def test_a_sample_has_the_smallest_hashes_of_each_part_and_mode_whatever_the_blocks(large, monkeypatch, rows):
    monkeypatch.setattr(columns, "BLOCK_ROWS", rows)
    rank, drawn = np.argsort(np.argsort(large.hash)), np.zeros(40_000, bool)
    for of_kind, share in [(large.part == code, 1 / 20) for code in range(4)]:
        drawn |= of_kind & (rank < np.sort(rank[of_kind])[int(np.ceil(of_kind.sum() * share))])
    for code in (0, 1):
        of_mode = (large.part == 0) & (large.mode == code)
        drawn |= of_mode & (rank < np.sort(rank[of_mode])[1_000])
    sample = subsample(large, 2_000)
    kept = sample.maps[:, 0].astype(int)
    np.testing.assert_array_equal(kept, np.flatnonzero(drawn))
    for part, triplets in large.triplets.items():
        whole = triplets[drawn[triplets[:, 1:]].all(axis=1)]
        np.testing.assert_array_equal(kept[sample.triplets[part][:, 1:]], whole[:, 1:])
        assert sample.triplets[part].dtype == np.int32


def test_rare_modes_keep_a_thousand_records_to_train_on(large):
    sample = subsample(large, 1_000)
    train = sample.mode[sample.rows("train")]
    assert [int((train == code).sum()) for code in (0, 1)] == [1_000, 1_000]


def test_what_was_drawn_is_drawn_again_when_records_are_added(large):
    """Twice the records, half the share: of the old ones, those drawn now were drawn before."""
    half = mixed(20_000)
    before, after = subsample(large, 8_000), subsample(half, 4_000)
    test = [set(sample.hash[sample.part == 3].tolist()) for sample in (before, after)]
    shared = test[0] & set(half.hash.tolist())
    assert len(shared & test[1]) > 0.9 * len(shared)


def test_nothing_of_a_mode_that_is_left_out_remains(bank):
    variant = without_mode(bank, "2", per_record=2, seed=42)
    left_out = bank.mode == bank.modes.index("2")
    assert variant.modes == ["0", "1", "3"]
    for part in PARTS:
        rows = variant.rows(part)
        np.testing.assert_array_equal(rows, bank.rows(part)[~left_out[bank.rows(part)]])
        triplets = variant.triplets[part]
        assert not left_out[triplets[:, 1:]].any()
        assert (variant.part[triplets[:, 1:]] == PARTS.index(part)).all()
        assert (variant.mode[triplets[:, 1]] == triplets[:, 0]).all()
    names = np.array(variant.modes)[variant.mode[~left_out]]
    np.testing.assert_array_equal(names, np.array(bank.modes)[bank.mode[~left_out]])
    np.testing.assert_array_equal(variant.anchors, bank.anchors[[0, 1, 3]])


def test_permuted_modes_keep_their_counts_and_leave_the_test_alone(bank):
    variant = with_permuted_modes(bank, 1, per_record=2, seed=42)
    for part in FITTED_PARTS:
        rows = bank.rows(part)
        np.testing.assert_array_equal(np.bincount(variant.mode[rows]), np.bincount(bank.mode[rows]))
        assert variant.good[rows].sum() == bank.good[rows].sum()
        assert (variant.good == (variant.mode == 0)).all()  # a label goes with its mode
    rows = bank.rows("train")
    assert 0.05 < (variant.mode[rows] == bank.mode[rows]).mean() < 0.5  # one in four by chance
    np.testing.assert_array_equal(variant.mode[bank.rows("test")], bank.mode[bank.rows("test")])
    of_mode = variant.maps[(variant.mode == 3) & (variant.part == 0)]
    np.testing.assert_allclose(variant.anchors[3], of_mode.mean(axis=0), atol=1e-5)
    other = with_permuted_modes(bank, 2, per_record=2, seed=42)
    assert (other.mode != variant.mode).any()


def test_the_notebooks_split_holds_out_triplets_and_no_record(bank):
    """The same triplets as scikit-learn's, of records that nearly all are in training triplets too."""
    variant = with_notebook_split(bank)
    triplets = np.concatenate([bank.triplets[part] for part in PARTS])
    train, held_out = train_test_split(triplets, test_size=0.05, random_state=42)
    np.testing.assert_array_equal(variant.triplets["train"], train)
    np.testing.assert_array_equal(variant.triplets["stop"], held_out)
    assert set(variant.rows("stop")) == set(held_out[:, 1:].ravel())
    assert len(variant.rows("train")) + len(variant.rows("stop")) == len(bank.hash)
    assert len(variant.triplets["test"]) == len(variant.triplets["calibrate"]) == 0
    means = [bank.maps[bank.mode == code].mean(axis=0) for code in range(4)]
    np.testing.assert_allclose(variant.anchors, means, rtol=1e-5)
    assert np.isin(held_out[:, 1:], train[:, 1:]).mean() > 0.9


def test_the_records_of_other_parts_are_not_in_the_bank_at_all(tmp_path, bank):
    bank.save(tmp_path)
    stored = load_bank(tmp_path)
    variant = only_parts(stored)
    for part in ("calibrate", "test"):
        assert len(variant.rows(part)) == 0
    for part in ("train", "stop"):
        assert np.array_equal(variant.maps[variant.rows(part)], bank.maps[bank.rows(part)])
        assert np.array_equal(variant.hash[variant.rows(part)], bank.hash[bank.rows(part)])
    assert variant.triplets == {}
    assert isinstance(stored.maps, np.memmap)
    assert variant.maps.base is not stored.maps, "copies of the rows, while the other maps stay on the disk"
