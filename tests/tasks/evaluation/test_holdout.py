"""The metrics of the test part at the calibrated threshold, and by group."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support import inspected_parts as parts

from tasks.config.run import RunConfig
from tasks.evaluation.holdout import calibrate_thresholds, holdout_metrics
from tasks.evaluation.scored_records import score_bank_part
from tasks.model.classifier import raw_map_baseline
from tasks.model.distances import distance


def test_the_metrics_of_groups_and_threshold_are_those_of_the_test_part():
    part = parts.inspected(modes=3, each=40, groups=4)
    bank, config = parts.banked(part), RunConfig()
    classifier = raw_map_baseline(distance("euclidean"), bank)
    defect, same = calibrate_thresholds(score_bank_part(classifier, bank, "calibrate"), config)
    thresholds = replace(defect, value=3.0), same
    test = score_bank_part(classifier, bank, "test")
    metrics = holdout_metrics(test, thresholds, test.resampling(config))
    assert sum(group.n for group in metrics.per_group.values()) == len(test)
    called, good = test.score > 3, test.good
    assert metrics.good_balanced_accuracy == (np.mean(~called[good]) + np.mean(called[~good])) / 2
    lots = metrics.good_fpr_by_group
    sizes = {name: (test.group[good] == name).sum() for name in lots}
    assert sum(lots[name] * sizes[name] for name in lots) == pytest.approx(called[good].sum())
    low, high = metrics.good_balanced_accuracy_interval
    assert low <= metrics.good_balanced_accuracy <= high
    without_groups = score_bank_part(classifier, parts.banked(parts.inspected(each=40)), "test")
    assert holdout_metrics(without_groups, thresholds, without_groups.resampling(config)).per_group == {}
