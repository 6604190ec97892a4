"""Banks for trainings anew: nothing of what is left out is left, and permuted modes keep their counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.inspected_parts import configured, inspected, map_column, split_stage

from tasks.config.run import EvaluateConfig, SplitConfig
from tasks.core.results import Fold
from tasks.core.stages import verified_manifest
from tasks.data.bank import load_bank
from tasks.data.bank_variants import UNUSED
from tasks.data.split import PARTS
from tasks.evaluation.scored_records import OutOfFoldScores
from tasks.folds import fold_metrics, make_fold_bank, plan_folds
from tasks.train import train

BOTH = EvaluateConfig(unseen=True, permutation=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A triplets stage of four modes, of which 0 is good, and its settings."""
    folder = tmp_path_factory.mktemp("line")
    config = configured(folder, evaluate=BOTH)
    return split_stage(map_column(inspected(modes=4, each=40)), folder, config), config


def test_each_mode_but_good_is_left_out_and_the_modes_are_permuted(whole):
    stage, config = whole
    assert [fold.title for fold in plan_folds(stage, config)] == [
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


def test_a_split_is_replayed_where_it_is_asked_for(whole):
    stage, config = whole
    config = replace(config, evaluate=EvaluateConfig(), split=SplitConfig(replay="notebook"))
    (fold,) = plan_folds(stage, config)
    assert (fold, fold.title) == (Fold("replay", "notebook"), "the notebook's split")
    variant = make_fold_bank(stage, fold, config)
    assert variant.facts["records"]["test"] == 0
    assert variant.facts["triplets_stop"] == 16, "5 % of 320, rounded up"


def test_a_mode_is_left_out_only_where_two_others_stay(tmp_path):
    stage = split_stage(map_column(inspected(modes=2, each=40)), tmp_path)
    assert plan_folds(stage, configured(tmp_path, evaluate=EvaluateConfig(unseen=True))) == ()


def test_a_fold_is_kept_and_shares_its_maps(whole):
    stage, config = whole
    first, again = (make_fold_bank(stage, Fold("without", "1"), config) for _ in range(2))
    assert again.reused
    assert again.path == first.path
    assert verified_manifest(Path(first.path))["fold"] == "without mode 1"
    maps = [(Path(fold.path) / "maps.npy").stat() for fold in (stage, first)]
    assert maps[0].st_ino == maps[1].st_ino
    others = {
        make_fold_bank(stage, fold, config).path
        for fold in (Fold("without", "2"), Fold("permuted", "1"), Fold("permuted", "2"))
    }
    assert len(others | {first.path}) == 4


@pytest.fixture(scope="module")
def grouped(tmp_path_factory):
    """A triplets stage of three modes in eight lots, and settings that test each lot once."""
    folder = tmp_path_factory.mktemp("lots")
    config = configured(folder, evaluate=EvaluateConfig(cross=4))
    return split_stage(map_column(inspected(modes=3, each=64, groups=8)), folder, config), config


def test_every_group_is_tested_once_and_trained_on_elsewhere(grouped):
    stage, config = grouped
    folds = plan_folds(stage, config)
    assert [fold.title for fold in folds] == [f"groups tested, {number}/4" for number in (1, 2, 3, 4)]
    tested = []
    for fold in folds:
        bank = load_bank(make_fold_bank(stage, fold, config).path)
        lots = {part: set(bank.group[bank.rows(part)].tolist()) for part in PARTS}
        assert sum(map(len, lots.values())) == 8, "each lot in one part"
        assert all(len(bank.triplets[part]) for part in PARTS)
        rows = bank.rows("train")
        means = [bank.maps[rows[bank.mode[rows] == code]].mean(axis=0) for code in range(3)]
        assert np.allclose(bank.anchors, means, atol=1e-5), "of training records alone"
        tested += sorted(lots["test"])
    assert sorted(tested) == [f"L{number}" for number in range(8)]


def test_a_test_source_is_neither_trained_on_nor_tested_by_cross_fitting(grouped):
    stage, config = grouped
    config = replace(config, test="acme/others")
    own = set(load_bank(stage.path).hash[load_bank(stage.path).part == PARTS.index("test")].tolist())
    for fold in plan_folds(stage, config):
        bank = load_bank(make_fold_bank(stage, fold, replace(config, seed=1)).path)
        assert not own & set(bank.hash[bank.part != UNUSED].tolist())


def test_with_three_groups_the_two_others_are_split_by_record(tmp_path):
    config = configured(tmp_path, evaluate=EvaluateConfig(cross=10))
    stage = split_stage(map_column(inspected(modes=3, each=60, groups=3)), tmp_path, config)
    folds = plan_folds(stage, config)
    assert [fold.name for fold in folds] == ["1/3", "2/3", "3/3"]
    bank = load_bank(make_fold_bank(stage, folds[0], config).path)
    assert _split_by_record(bank)


def test_a_split_by_record_is_one_in_cross_fitting_too(grouped):
    stage, config = grouped
    config = replace(config, split=SplitConfig(unit="record"), seed=2)
    assert _split_by_record(load_bank(make_fold_bank(stage, Fold("cross", "1/4"), config).path))


def _split_by_record(bank):
    """Whether no tested lot is trained on, and all others are both trained on and calibrated on."""
    lots = {part: set(bank.group[bank.rows(part)].tolist()) for part in PARTS}
    return lots["test"] and lots["train"] == lots["calibrate"] and not lots["test"] & lots["train"]


@pytest.mark.slow
def test_a_mode_of_the_tested_groups_alone_is_scored_and_counts_in_no_accuracy(tmp_path):
    """Mode 3 is in lot L0 alone: the model that is tested there does not know it."""
    parts = inspected(modes=3, each=40, groups=4)
    mode = np.where((parts.group == "L0") & (parts.mode == 2), 3, parts.mode)
    config = configured(tmp_path, evaluate=EvaluateConfig(cross=4))
    stage = split_stage(
        map_column(replace(parts, mode=mode)), tmp_path, replace(config, split=SplitConfig(unit="record"))
    )
    whole = load_bank(stage.path)
    for fold in plan_folds(stage, config):
        variant = make_fold_bank(stage, fold, config)
        bank = load_bank(variant.path)
        if "L0" in set(whole.group[np.isin(whole.hash, bank.hash[bank.part == PARTS.index("test")])].tolist()):
            assert bank.modes == ["0", "1", "2"]
            facts = fold_metrics(stage, variant, train(variant, config), fold, config)
            scores = OutOfFoldScores.load(Path(facts.path))
            assert len(scores) == 30
            assert np.isnan(scores.right).sum() == 10
            assert np.isfinite(scores.score).all()
            return
    raise AssertionError("no fold tests L0")
