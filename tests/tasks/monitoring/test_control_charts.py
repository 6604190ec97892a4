"""Control charts: limits from lots, p-values that are true under no drift, shifts that are seen, and since when."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from tasks.monitoring.control_charts import components, control_chart, variance_of


def series(rng, lots, each, between=0.0, shift=0.0):
    """Values of unit deviation in lots whose means differ, with names and rows."""
    means = np.repeat(rng.normal(0, between, lots) if between else np.zeros(lots), each)
    values = means + rng.normal(shift, 1, lots * each)
    return values, np.repeat([f"L{i}" for i in range(lots)], each), np.arange(lots * each)


def test_components_are_those_that_were_put_in():
    rng = np.random.default_rng(0)
    values, lots, _ = series(rng, 400, 50, between=0.7)
    within, between, count = components(values, lots)
    assert (float(within), float(between)) == (pytest.approx(1, abs=0.02), pytest.approx(0.7, abs=0.06))
    assert count == 400


def test_components_by_hand():
    """Lots 1,3 ×3 and 5,7 ×3 and 3,5 ×3: means 2, 6, 4; within 18·1/15; between (6·8/2 − 1.2)/6 = 3.8."""
    values = np.array([1, 3] * 3 + [5, 7] * 3 + [3, 5] * 3, float)
    within, between, _ = components(values, np.repeat(["a", "b", "c"], 6))
    assert within**2 == pytest.approx(18 / 15)
    assert between**2 == pytest.approx(3.8)


def test_too_few_lots_tell_nothing_of_lots():
    values, lots, _ = series(np.random.default_rng(1), 2, 50, between=3)
    assert variance_of(values, lots).between == 0
    assert variance_of(values, np.full(100, "")).lots == 0


@pytest.mark.slow
@pytest.mark.parametrize(("lots", "between"), [(1, 0.0), (6, 0.0), (6, 1.0)])
def test_without_drift_alarms_are_as_rare_as_they_say(lots, between):
    """Of 300 charts of new lots 5 % may have p ≤ .05, up to chance."""
    rng, alarms = np.random.default_rng(3), 0
    for seed in range(300):
        old = series(rng, 8, 40, between)
        new = series(rng, lots, 240 // lots, between)
        alarms += control_chart("level", "1", old[:2], new, seed).p <= 0.05
    assert binomtest(alarms, 300, 0.05, alternative="greater").pvalue > 0.001, alarms


def test_a_shift_is_seen_and_when_it_began():
    rng = np.random.default_rng(5)
    old, (values, lots, rows) = series(rng, 8, 40), series(rng, 1, 1000)
    values[500:] += 1
    found = control_chart("level", "1", old[:2], (values, lots, rows), 0)
    assert found.p < 0.001
    assert 500 <= found.since <= 600
    assert found.effect == pytest.approx(1, abs=0.3)


def test_a_shift_that_lots_make_anyway_is_none():
    rng = np.random.default_rng(6)
    old = series(rng, 8, 40, between=1.0)
    values, lots, rows = series(rng, 1, 500, shift=1.0)
    assert control_chart("level", "1", old[:2], (values, lots, rows), 0).p > 0.05
    assert control_chart("level", "1", series(rng, 8, 40)[:2], (values, lots, rows), 0).p < 0.01


def test_too_few_make_no_chart():
    rng = np.random.default_rng(7)
    assert control_chart("score", None, series(rng, 3, 5)[:2], series(rng, 1, 100), 0) is None
    assert control_chart("score", None, series(rng, 3, 20)[:2], series(rng, 1, 49), 0) is None


def test_a_million_parts_make_a_chart_of_a_few_hundred_points():
    rng = np.random.default_rng(8)
    found = control_chart("score", None, series(rng, 3, 200)[:2], series(rng, 1, 1_000_000), 0)
    assert len(found.means) <= 400
    assert found.first[1] == 2500
