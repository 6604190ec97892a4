"""The verdict where modes cannot be compared: by good or defect, or by false alarms alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tasks.config.run import GateConfig
from tasks.evaluation.comparison_report import Comparison, ComparisonSummary
from tasks.evaluation.resampling import Resampling
from tasks.promotion.gate import comparison_summary, gate_checks
from tasks.promotion.paired_metrics import paired_scores, with_false_alarms, with_good_or_defect
from tasks.promotion.paired_rates import AnomalyScores
from tasks.promotion.verdict import comparison_sentence, deciding_metric, is_better

N = 400
GOOD = np.arange(N) < N // 2
RESAMPLING = replace(Resampling(np.arange(N), 200, 0.95, 1))


def scores(shift: float, seed: int) -> np.ndarray:
    """Of good parts about 0, of defects `shift` higher."""
    return np.random.default_rng(seed).normal(size=N) + shift * ~GOOD


def against_good_parts(challenger: np.ndarray, champion: np.ndarray) -> Comparison:
    """Both at the threshold 2."""
    models = AnomalyScores(challenger, 2.0), AnomalyScores(champion, 2.0)
    result = with_good_or_defect(paired_scores(challenger, champion, RESAMPLING), *models, GOOD, RESAMPLING)
    return Comparison(version="v1", frozen="f2", records=N, basis="good or defect", result=result)


def among_good_parts(stopped: int, before: int) -> Comparison:
    """Of N good parts each model stops as many as these."""
    alarms = [np.where(np.arange(N) < count, 3.0, 0.0) + np.arange(N) / N for count in (stopped, before)]
    models = [AnomalyScores(score, 2.0) for score in alarms]
    result = with_false_alarms(paired_scores(*alarms, RESAMPLING), *models, RESAMPLING)
    return Comparison(version="v1", frozen="f2", records=N, basis="good", result=result)


@pytest.mark.parametrize("settings", [GateConfig(), GateConfig(better="auroc"), GateConfig(figure="mode_accuracy")])
def test_good_or_defect_decides_where_the_champion_knows_no_modes(settings):
    comparison = against_good_parts(scores(4, 1), scores(1, 2))
    assert deciding_metric(comparison.result, settings) == "good_auroc"
    assert is_better(comparison.result, settings)
    verdict = comparison_sentence(comparison, settings)
    assert verdict.startswith("better than the champion v1: good-or-defect AUROC difference +0.")
    assert verdict.endswith(
        "; verification AUROC and mode accuracy were not compared, because v1 is made from good parts alone and knows "
        "no modes"
    )
    assert [check.metric for check in gate_checks(comparison.result, settings)] == [
        "good_auroc",
        "good_tpr",
        "good_fpr",
    ]


def test_a_challenger_that_finds_less_is_not_better():
    comparison = against_good_parts(scores(1, 2), scores(4, 1))
    assert not is_better(comparison.result, GateConfig())
    assert comparison_sentence(comparison, GateConfig()).startswith("worse than the champion v1: good-or-defect AUROC")


def test_two_models_of_good_parts_are_compared_in_false_alarms():
    """Not beyond the margin of 5 points: 8 of 400 parts more."""
    comparison = among_good_parts(16, 8)
    verdict = comparison_sentence(comparison, GateConfig())
    assert verdict.startswith("no worse than the champion v1 on good parts: false alarms 2 % → 4 % (8 → 16 of 400")
    assert verdict.endswith("what either finds of defects is unknown")
    assert [check.passed for check in gate_checks(comparison.result, GateConfig())] == [True]
    worse = among_good_parts(40, 8)
    assert comparison_sentence(worse, GateConfig()).startswith("not shown to be no worse than the champion v1 on good")
    assert [check.passed for check in gate_checks(worse.result, GateConfig())] == [False]


def test_the_summary_of_two_models_of_good_parts_keeps_their_rates():
    summary = comparison_summary(among_good_parts(16, 8), GateConfig())
    assert (summary.figure, summary.worst_mode, summary.escapes) == (None, None, None)
    stored = summary.as_json()
    assert stored["rates"] == "champion v1 → this model: false alarms 2 % → 4 % (8 → 16 of 400 good parts, " + (
        f"+2.0 points [{100 * summary.false_alarms.interval[0]:+z.1f}, {100 * summary.false_alarms.interval[1]:+z.1f}])"
    )
    again = ComparisonSummary.from_json(stored)
    assert (again.false_alarms, again.checks) == (summary.false_alarms, summary.checks)
