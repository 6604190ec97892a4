"""A threshold in money: counts by hand, intervals that cover, the cheapest that is, nothing seen that is possible."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta

from tasks.config.run import CostConfig
from tasks.evaluation.costs import Recalibration, cheapest_threshold, cost_curve, error_rate, threshold_cost
from tasks.registry.release_files import CalibrationScores, Threshold

COST = CostConfig(prevalence=0.02, escape=100, overkill=5)


def scores(score, defect, test=True, unit=None):
    count = len(score)
    unit = np.arange(count) if unit is None else unit
    return CalibrationScores(
        np.asarray(score, float), ~np.asarray(defect, bool), np.full(count, test), unit, np.array("record")
    )


def test_counts_and_money_by_hand():
    """One of four good parts is stopped, one of two defects escapes: 2 450 over-kills, 100 escapes of 10 000."""
    found = threshold_cost(2.5, scores([1, 2, 2, 3, 2, 9], [0, 0, 0, 0, 1, 1]), COST, 0.95)
    assert (found.false_alarms.value, found.escapes.value) == (0.25, 0.5)
    assert found.overkilled[0] == pytest.approx(2450)
    assert found.escaped[0] == pytest.approx(100)
    assert found.cost[0] == pytest.approx(2450 * 5 + 100 * 100)
    assert found.cost[1] < found.cost[0] < found.cost[2]


def test_without_a_prevalence_there_are_rates_alone():
    found = threshold_cost(2.5, scores([1, 3, 9], [0, 0, 1]), CostConfig(), 0.95)
    assert (found.overkilled, found.escaped, found.cost) == (None, None, None)
    assert threshold_cost(2.5, scores([1, 3, 9], [0, 0, 1]), CostConfig(prevalence=0.1), 0.95).cost is None


@pytest.mark.parametrize(("test_scores", "contradicts"), [([1, 4, 5, 9], True), ([1, 2, 9, 9], False)])
def test_a_choice_that_the_test_records_contradict_says_so(test_scores, contradicts):
    """The calibration records say that 3 is cheaper than 6: a defect lies at 5. One good test record lies at 4."""
    both = [scores([1, 2, 5, 9], [0, 0, 1, 1], test=False), scores(test_scores, [0, 0, 1, 1])]
    columns = [np.concatenate([getattr(part, name) for part in both]) for name in ("score", "good", "test", "unit")]
    before, after = (Threshold("defect", "youden", None, "record", 4, 2, value) for value in (6.0, 3.0))
    cost = CostConfig(prevalence=0.01, escape=10, overkill=5)
    warning = Recalibration(before, after, CalibrationScores(*columns, np.array("record")), cost, 0.95).contradiction()
    assert (warning is not None) is contradicts
    if contradicts:
        assert "500 → 24,750" in warning
        assert "say 500 → 0" in warning


def test_nothing_seen_is_not_nothing_possible():
    """The rule of three: of 300 without any, up to about 1.2 % (two-sided 95 %: 1 − .025^(1/300))."""
    found = error_rate(np.zeros(300, bool), np.arange(300), 0.95)
    assert found.low == 0
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 300))


def test_intervals_cover_as_they_say():
    """Of 600 simulated tests at least 93 of 100 intervals hold the true cost; Clopper–Pearson is never too narrow."""
    rng, held = np.random.default_rng(0), 0
    truth = 10_000 * (0.98 * 0.05 * 5 + 0.02 * 0.1 * 100)
    for _ in range(600):
        called = np.concatenate([rng.random(150) < 0.05, rng.random(100) < 0.9])
        found = threshold_cost(0.5, scores(called, np.repeat([0, 1], [150, 100])), COST, 0.95)
        held += found.cost[1] <= truth <= found.cost[2]
    assert held / 600 > 0.93


def test_intervals_cover_groups_too_where_records_would_not():
    """Parts of one lot share their fate: 30 lots of 20, a lot's rate is 0 or .4. By records far too narrow."""
    rng, by_lot, by_record = np.random.default_rng(1), 0, 0
    for _ in range(400):
        rates = np.where(rng.random(30) < 0.25, 0.4, 0.0)
        hit, unit = rng.random(600) < np.repeat(rates, 20), np.repeat(np.arange(30), 20)
        grouped, single = error_rate(hit, unit, 0.95), error_rate(hit, np.arange(600), 0.95)
        by_lot += grouped.low <= 0.1 <= grouped.high
        by_record += single.low <= 0.1 <= single.high
    assert by_lot / 400 > 0.92
    assert by_record / 400 < 0.75


def test_the_cheapest_is_the_cheapest_of_all():
    rng = np.random.default_rng(2)
    defect = rng.random(400) < 0.4
    score = np.round(rng.normal(defect * 2.0, 1), 1)
    calibration = scores(score, defect, test=False)
    found = threshold_cost(cheapest_threshold(calibration, COST), calibration, COST, 0.95, test=False).cost[0]
    every = [threshold_cost(cut, calibration, COST, 0.95, test=False).cost[0] for cut in np.unique(score)]
    assert found == pytest.approx(min(every))


def test_the_curve_is_thinned_and_runs_from_all_stopped_to_all_passed():
    rng = np.random.default_rng(3)
    points = cost_curve(scores(rng.normal(size=5000), rng.random(5000) < 0.5), COST, 0.95)
    assert len(points) <= 400
    assert points[0].false_alarms.value > 0.99
    assert points[-1].escapes.value == 1


def test_units_that_share_their_fate_count_as_fewer_records():
    """One of four pairs errs: Σ residual² = 3, variance 4/3 · 3/64 = 1/16 against .25 · .75/8, so 8 count as 3.

    Student's quantiles of 8 records and of 4 pairs, 1.8946 and 2.3534, make them 1.9443.
    """
    found = error_rate(np.array([1, 1, 0, 0, 0, 0, 0, 0], bool), np.repeat(np.arange(4), 2), 0.9)
    n = 3 * (1.894579 / 2.353363) ** 2
    assert found.low == pytest.approx(beta.ppf(0.05, n / 4, 3 * n / 4 + 1), rel=1e-4)
    assert found.high == pytest.approx(beta.ppf(0.95, n / 4 + 1, 3 * n / 4), rel=1e-4)


def test_of_equally_cheap_thresholds_the_middle_one_is_taken_between_two_scores():
    """Good at 1, 3, 5 and defects at 2, 4, 6 of equal weight: after 1, 3 and 5 a third of one kind errs."""
    even = CostConfig(prevalence=0.5, escape=1, overkill=1)
    assert cheapest_threshold(scores([1, 2, 3, 4, 5, 6], [0, 1, 0, 1, 0, 1], test=False), even) == 3.5
    assert cheapest_threshold(scores([1, 2, 3, 4], [0, 0, 0, 1], test=False), even) == 3.5
    assert cheapest_threshold(scores([1, 2, 3], [1, 0, 0], test=False), replace(even, escape=0.1)) == 3
