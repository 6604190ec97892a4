"""Banks for trainings anew: nothing of the mode that is left out is left, and permuted modes keep their counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.inspected_parts import configured, inspected, map_column, split_stage

from tasks.config.run import EvaluateConfig, SplitConfig
from tasks.core.results import Fold
from tasks.core.stages import verified_manifest
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
