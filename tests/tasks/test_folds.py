"""Banks for trainings anew: nothing of the mode that is left out is left, and permuted modes keep their counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.inspected_parts import configured, inspected, map_column, split_stage

from tasks.config.run import EvaluateConfig
from tasks.core.results import Fold
from tasks.core.stages import verified_manifest
from tasks.data.bank import load_bank
from tasks.data.bank_variants import FITTED_PARTS
from tasks.data.split import PARTS
from tasks.folds import make_fold_bank, plan_folds

BOTH = EvaluateConfig(unseen=True, permutation=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A triplets stage of four modes, of which 0 is good, and its settings."""
    folder = tmp_path_factory.mktemp("line")
    config = configured(folder, evaluate=BOTH)
    return split_stage(map_column(inspected(modes=4, each=40)), folder, config), config


def test_each_mode_but_good_is_left_out_and_the_modes_are_permuted(whole):
    stage, config = whole
    assert [one.title for one in plan_folds(stage, config)] == [
        "without mode 1",
        "without mode 2",
        "without mode 3",
        "modes permuted, 1",
        "modes permuted, 2",
        "modes permuted, 3",
    ]
    assert plan_folds(stage, replace(config, evaluate=EvaluateConfig(permutation=True))) == tuple(
        Fold("permuted", number) for number in "123"
    )


def test_a_mode_is_left_out_only_where_two_others_stay(tmp_path):
    stage = split_stage(map_column(inspected(modes=2, each=40)), tmp_path)
    assert plan_folds(stage, configured(tmp_path, evaluate=EvaluateConfig(unseen=True))) == ()


def test_nothing_of_the_mode_is_left(whole):
    stage, config = whole
    bank, made = load_bank(stage.path), load_bank(make_fold_bank(stage, Fold("without", "2"), config).path)
    gone = bank.mode == bank.modes.index("2")
    assert made.modes == ["0", "1", "3"]
    for part in PARTS:
        rows = made.rows(part)
        assert not gone[rows].any()
        np.testing.assert_array_equal(rows, bank.rows(part)[~gone[bank.rows(part)]])
        assert not gone[made.triplets[part][:, 1:]].any()
        assert (made.part[made.triplets[part][:, 1:]] == PARTS.index(part)).all()
        assert (made.mode[made.triplets[part][:, 1]] == made.triplets[part][:, 0]).all()
    names = np.array(made.modes)[made.mode[~gone]]
    np.testing.assert_array_equal(names, np.array(bank.modes)[bank.mode[~gone]])
    np.testing.assert_array_equal(made.anchors, bank.anchors[[0, 1, 3]])


def test_permuted_modes_keep_their_counts_and_leave_the_test_alone(whole):
    stage, config = whole
    bank, made = load_bank(stage.path), load_bank(make_fold_bank(stage, Fold("permuted", "1"), config).path)
    for part in FITTED_PARTS:
        rows = bank.rows(part)
        np.testing.assert_array_equal(np.bincount(made.mode[rows]), np.bincount(bank.mode[rows]))
        assert made.good[rows].sum() == bank.good[rows].sum()
        assert (made.good == (made.mode == 0)).all()  # a label goes with its mode
    rows = bank.rows("train")
    assert 0.05 < (made.mode[rows] == bank.mode[rows]).mean() < 0.5  # one in four by chance
    np.testing.assert_array_equal(made.mode[bank.rows("test")], bank.mode[bank.rows("test")])
    own = made.maps[(made.mode == 3) & (made.part == 0)]
    np.testing.assert_allclose(made.anchors[3], own.mean(axis=0), atol=1e-5)


def test_a_fold_is_kept_and_shares_its_maps(whole):
    stage, config = whole
    first, again = (make_fold_bank(stage, Fold("without", "1"), config) for _ in range(2))
    assert again.reused
    assert again.path == first.path
    assert verified_manifest(Path(first.path))["fold"] == "without mode 1"
    maps = [(Path(one.path) / "maps.npy").stat() for one in (stage, first)]
    assert maps[0].st_ino == maps[1].st_ino
    others = {
        make_fold_bank(stage, one, config).path
        for one in (Fold("without", "2"), Fold("permuted", "1"), Fold("permuted", "2"))
    }
    assert len(others | {first.path}) == 4
