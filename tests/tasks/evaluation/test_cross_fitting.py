"""Cross-fitting: whole groups in even sets, thresholds of the others alone, and rates that hold for new lots."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from tasks.config.run import EvaluateConfig, RunConfig
from tasks.core.files import digest_of
from tasks.core.json_form import record_of
from tasks.core.stages import get_or_make_stage, stage_folder
from tasks.evaluation.cross_fitting import CrossedSets, cross_fitting, sets_of_groups
from tasks.evaluation.evaluation_report import CrossedGroup, CrossFitting
from tasks.evaluation.scored_records import OutOfFoldScores

CONFIG = RunConfig(evaluate=EvaluateConfig(target=0.1, cross=5))


def lot(name: str, good: np.ndarray, defects: np.ndarray, right: float = 1.0) -> OutOfFoldScores:
    """The scores of one lot."""
    score = np.concatenate([good, defects]).astype(float)
    return OutOfFoldScores(
        score=score,
        good=np.arange(len(score)) < len(good),
        group=np.full(len(score), name),
        hash=np.array([f"{name}{i}" for i in range(len(score))]).astype("S32"),
        right=np.full(len(score), right),
        test=np.zeros(len(score), bool),
    )


def lots(count: int, between: float = 0.0, seed: int = 0, each: int = 40) -> tuple[OutOfFoldScores, ...]:
    """Lots of `each` good parts and as many defects, whose levels differ with that standard deviation."""
    rng = np.random.default_rng(seed)
    levels = rng.normal(0, between, count) if between else np.zeros(count)
    return tuple(
        lot(f"L{i}", level + rng.normal(0, 1, each), level + rng.normal(3, 1, each)) for i, level in enumerate(levels)
    )


def test_groups_stay_whole_in_sets_of_even_size():
    units = np.repeat([f"L{i}" for i in range(10)], [90, 50, 40, 30, 30, 30, 10, 10, 5, 5])
    sets = sets_of_groups(units, 4, seed=42)
    assert all(len(set(sets[units == name])) == 1 for name in np.unique(units))
    assert sorted(np.bincount(sets).tolist()) == [70, 70, 70, 90]
    shuffled = np.random.default_rng(0).permutation(len(units))
    assert (sets_of_groups(units[shuffled], 4, seed=42) == sets[shuffled]).all(), "the order of records says nothing"


def test_there_are_no_more_sets_than_groups():
    assert sorted(set(sets_of_groups(np.repeat(["A", "B", "C"], 5), 10, seed=0))) == [0, 1, 2]


def test_a_set_is_judged_at_the_threshold_of_the_others():
    """The good parts of one lot score far higher: all are stopped, for no part of its own threshold is theirs."""
    strange = lot("X", np.linspace(9, 10, 40), np.linspace(11, 12, 40))
    crossed = CrossedSets((*lots(2), strange), {})
    result = cross_fitting(crossed, CONFIG, None)
    assert result.by_group["X"].fpr == 1.0
    assert result.by_group["L0"].fpr == 0.0, "the strange lot raises the threshold of the others"
    assert result.thresholds[2] < 9 < min(result.thresholds[:2])
    assert result.metrics["good_fpr"].value == pytest.approx(1 / 3)
    low, high = result.metrics["good_fpr"].interval
    assert low < 0.05
    assert high > 0.9


def test_false_alarms_of_new_lots_are_as_asked_for_on_average():
    """Over 40 draws of six lots that differ by half a deviation: the rate by cross-fitting is at most what is asked."""
    rates = [
        cross_fitting(CrossedSets(lots(6, 0.5, seed), {}), CONFIG, None).metrics["good_fpr"].value for seed in range(40)
    ]
    assert 0.02 < np.mean(rates) < 0.12


def test_the_metrics_are_those_of_all_records():
    parts = (replace(lots(1)[0], right=np.tile([1.0, 0.0], 40)), *lots(4, seed=1)[1:])
    result = cross_fitting(CrossedSets(parts, {"5/5": "diverged"}), CONFIG, 2.5)
    assert (result.sets, result.groups, result.records, result.test_threshold) == (4, 4, 320, 2.5)
    assert result.failed == {"5/5": "diverged"}
    assert result.unit == "group"
    assert result.metrics["mode_accuracy"].value == 280 / 320
    assert set(result.metrics) == {"mode_accuracy", "good_auroc", "good_fpr", "good_tpr", "good_balanced_accuracy"}
    assert result.metrics["good_auroc"].value == pytest.approx(0.98, abs=0.02)
    for metric in result.metrics.values():
        assert metric.interval[0] <= metric.value <= metric.interval[1]
    assert result.by_group["L0"] == CrossedGroup(80, 40, 0.5, result.by_group["L0"].fpr, result.by_group["L0"].tpr)


def test_a_mode_that_was_not_trained_counts_in_no_accuracy():
    parts = lots(3)
    unknown = replace(parts[0], right=np.where(np.arange(80) < 60, np.nan, 0.0))
    result = cross_fitting(CrossedSets((unknown, *parts[1:]), {}), CONFIG, None)
    assert result.by_group["L0"].mode_accuracy == 0.0
    assert result.metrics["mode_accuracy"].value == 160 / 180


def test_too_few_scores_give_no_rates():
    result = cross_fitting(CrossedSets(lots(3, each=4), {}), CONFIG, None)
    assert result.thresholds == (None, None, None)
    assert set(result.metrics) == {"mode_accuracy"}
    assert result.by_group["L0"].fpr is None


def test_one_set_says_nothing_and_is_no_calibration():
    crossed = CrossedSets(lots(1), {"2/2": "collapsed"})
    assert crossed.all is None
    assert cross_fitting(crossed, CONFIG, None) == CrossFitting(sets=1, failed={"2/2": "collapsed"})


def test_models_that_know_no_good_parts_calibrate_nothing():
    parts = tuple(replace(part, score=np.full(80, np.nan), good=np.zeros(80, bool)) for part in lots(3))
    crossed = CrossedSets(parts, {})
    assert crossed.all is None
    assert set(cross_fitting(crossed, CONFIG, None).metrics) == {"mode_accuracy"}


def test_scores_are_read_from_the_folds_and_the_result_from_its_json(tmp_path):
    config = replace(CONFIG, data_folder=str(tmp_path))
    folds, parts = [{"kind": "permuted", "name": "1"}], lots(2)
    for number, part in enumerate(parts, 1):
        digest = digest_of("set", number)
        stage = get_or_make_stage(
            config.stages_path, "fold-figures", digest, lambda draft, part=part: part.save(draft) or {}
        )
        assert stage.path == str(stage_folder(config.stages_path, "fold-figures", digest))
        folds.append({"kind": "cross", "name": f"{number}/3", "stage": digest})
    folds.append({"kind": "cross", "name": "3/3", "failed": "collapsed"})
    crossed = CrossedSets.of(tuple(folds), config)
    assert crossed.failed == {"3/3": "collapsed"}
    assert (crossed.all.score == np.concatenate([part.score for part in parts])).all()
    result = cross_fitting(crossed, config, 1.0)
    assert record_of(CrossFitting, json.loads(json.dumps(asdict(result)))) == result
    assert CrossedSets.of(({"kind": "permuted", "name": "1"},), config) is None
    assert cross_fitting(None, config, None) is None
