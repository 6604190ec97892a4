"""The figures of each group by hand, and a balanced accuracy that rare defects cannot flatter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from support import inspected_parts as parts

from tasks.config.run import RunConfig
from tasks.evaluation.evaluation_report import GroupMetrics
from tasks.evaluation.holdout import calibrate_thresholds, holdout_metrics
from tasks.evaluation.metrics import balanced_accuracy, per_group_metrics
from tasks.evaluation.scored_records import score_bank_part
from tasks.model.classifier import raw_map_baseline
from tasks.model.distances import distance


def test_balanced_accuracy_by_hand():
    """Of four good parts three pass, of two defects one is stopped: (3/4 + 1/2) / 2; the plain accuracy is 4/6."""
    good = np.array([True] * 4 + [False] * 2)
    assert balanced_accuracy(np.array([0, 0, 0, 1, 1, 0], bool), good) == 0.625


def test_passing_everything_is_a_coin_however_rare_defects_are():
    good = np.arange(100) < 98
    assert balanced_accuracy(np.zeros(100, bool), good) == 0.5


def test_each_group_by_hand():
    """Group a: both good parts nearest to mode 0; of its defects one is nearest to its own mode, one to good.

    Its pair AUROC: own distances 1, 1, 1, 3 against others 2, 2, 2, 2 (3 of 4 wholly below: 12 of 16).
    Good scores 1, 1 against 2, 1: 2 + 1 (two ties) of 4. Cut 1.5: no false alarm, one of two caught.
    Group b has no good part, and a record without group counts nowhere.
    """
    distances = np.array([[1, 2], [1, 2], [2, 1], [2, 3], [5, 1], [9, 9.0]])
    mode = np.array([0, 0, 1, 1, 1, 0])
    group = np.array(["a", "a", "a", "a", "b", ""])
    score = np.array([1, 1, 2, 1, 5, 9.0])
    found = per_group_metrics(distances, mode, mode == 0, score, 1.5, group)
    assert found["a"] == GroupMetrics(4, 2, 0.75, 0.75, good_auroc=0.75, fpr=0.0, tpr=0.5, balanced_accuracy=0.75)
    assert found["b"] == GroupMetrics(1, 0, 1.0, 1.0, tpr=1.0)
    assert list(found) == ["a", "b"]


def test_without_a_threshold_or_a_good_prototype_the_rates_are_left_out():
    distances, mode, group = np.array([[1, 2], [2, 1.0]]), np.array([0, 1]), np.array(["a", "a"])
    without_cut = per_group_metrics(distances, mode, mode == 0, distances[:, 0], None, group)["a"]
    assert without_cut == GroupMetrics(2, 1, 1.0, 1.0, good_auroc=1.0)
    without_good = per_group_metrics(distances, mode, mode == 0, None, None, group)["a"]
    assert without_good == replace(without_cut, good_auroc=None)


def test_the_judgement_has_them_of_its_own_test_part():
    part = parts.inspected(modes=3, each=40, groups=4)
    bank, config = parts.banked(part), RunConfig()
    classifier = raw_map_baseline(distance("euclidean"), bank)
    defect, same = calibrate_thresholds(score_bank_part(classifier, bank, "calibrate"), config)
    thresholds = replace(defect, value=3.0), same
    test = score_bank_part(classifier, bank, "test")
    found = holdout_metrics(test, thresholds, test.bootstrap(config))
    assert sum(group.n for group in found.per_group.values()) == len(test)
    called, good = test.score > 3, test.good
    assert found.good_balanced_accuracy == (np.mean(~called[good]) + np.mean(called[~good])) / 2
    low, high = found.good_balanced_accuracy_interval
    assert low <= found.good_balanced_accuracy <= high
    without_groups = score_bank_part(classifier, parts.banked(parts.inspected(each=40)), "test")
    assert holdout_metrics(without_groups, thresholds, without_groups.bootstrap(config)).per_group == {}
