"""Control charts: limits from lots, p-values that are true without drift, shifts that are seen, and since when."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from tasks.monitoring import control_charts
from tasks.monitoring.control_charts import Series, components, control_chart, variance_of


def series(rng, lots, each, between=0.0, shift=0.0):
    """Values of unit deviation in lots whose means differ."""
    means = np.repeat(rng.normal(0, between, lots) if between else np.zeros(lots), each)
    values = means + rng.normal(shift, 1, lots * each)
    return Series(values, np.repeat([f"L{i}" for i in range(lots)], each), np.arange(lots * each))


def spread_of(reference):
    return variance_of(reference.values, reference.lots)


def test_components_are_those_that_were_put_in():
    records = series(np.random.default_rng(0), 400, 50, between=0.7)
    within, between, count = components(records.values, records.lots)
    assert (float(within), float(between)) == (pytest.approx(1, abs=0.02), pytest.approx(0.7, abs=0.06))
    assert count == 400


def test_components_by_hand():
    """Lots 1,3 ×3 and 5,7 ×3 and 3,5 ×3: means 2, 6, 4; within 18·1/15; between (6·8/2 − 1.2)/6 = 3.8."""
    values = np.array([1, 3] * 3 + [5, 7] * 3 + [3, 5] * 3, float)
    within, between, _ = components(values, np.repeat(["a", "b", "c"], 6))
    assert within**2 == pytest.approx(18 / 15)
    assert between**2 == pytest.approx(3.8)


def test_too_few_lots_say_nothing_of_lots():
    records = series(np.random.default_rng(1), 2, 50, between=3)
    assert spread_of(records).between == 0
    assert variance_of(records.values, np.full(100, "")).lots == 0


@pytest.mark.parametrize(("lots", "between"), [(1, 0.0), (6, 0.0), (6, 1.0)])
def test_without_drift_alarms_are_as_rare_as_they_say(monkeypatch, lots, between):
    """Of 300 charts of new lots 5 % may have p ≤ .05, up to chance; a tenth of the simulations will do."""
    monkeypatch.setattr(control_charts, "SIMULATED_CHARTS", 1000)
    rng, alarms = np.random.default_rng(3), 0
    for seed in range(300):
        spread = spread_of(series(rng, 8, 40, between))
        alarms += control_chart("level", "1", spread, series(rng, lots, 240 // lots, between), seed).p <= 0.05
    assert binomtest(alarms, 300, 0.05, alternative="greater").pvalue > 0.001, alarms


def test_a_shift_is_seen_and_when_it_began():
    rng = np.random.default_rng(5)
    spread, new = spread_of(series(rng, 1, 320)), series(rng, 1, 1000)
    new.values[500:] += 1
    chart = control_chart("level", "1", spread, new, 0)
    assert chart.p < 0.001
    assert 500 <= chart.since <= 600
    assert chart.effect == pytest.approx(1, abs=0.3)
    assert chart.beyond > 0
    width = 3 * spread.within * np.hypot(1 / np.sqrt(25), 1 / np.sqrt(320))  # of a point and of the reference's mean
    assert (chart.high - spread.mean, spread.mean - chart.low) == pytest.approx((width, width))


def test_a_shift_that_lots_make_anyway_is_none():
    rng = np.random.default_rng(6)
    between, new = spread_of(series(rng, 8, 40, between=1.0)), series(rng, 1, 500, shift=1.0)
    assert control_chart("level", "1", between, new, 0).p > 0.05
    assert control_chart("level", "1", spread_of(series(rng, 8, 40)), new, 0).p < 0.01


def test_too_few_records_or_no_variation_make_no_chart():
    rng = np.random.default_rng(7)
    assert spread_of(series(rng, 3, 5)) is None
    assert variance_of(np.ones(60), np.full(60, "")) is None
    assert control_chart("score", None, spread_of(series(rng, 3, 20)), series(rng, 1, 49), 0) is None


def test_a_million_parts_make_a_chart_of_a_few_hundred_points(monkeypatch):
    monkeypatch.setattr(control_charts, "SIMULATED_CHARTS", 100)
    rng = np.random.default_rng(8)
    chart = control_chart("score", None, spread_of(series(rng, 3, 200)), series(rng, 1, 1_000_000), 0)
    assert len(chart.means) == 400
    assert chart.first[1] == 2500


def test_a_fall_is_seen_as_a_rise_is():
    rng = np.random.default_rng(5)
    spread, new = spread_of(series(rng, 1, 320)), series(rng, 1, 1000)
    new.values[500:] -= 1
    chart = control_chart("level", "1", spread, new, 0)
    assert chart.effect == pytest.approx(-1, abs=0.3)
    assert chart.beyond > 5


def test_limits_allow_for_a_new_lot_and_for_what_the_reference_does_not_know():
    rng = np.random.default_rng(6)
    spread = spread_of(series(rng, 4, 40, between=1.0))
    chart = control_chart("level", "1", spread, series(rng, 1, 500), 0)
    of_lot = spread.between**2 * (1 + 1 / 4) + spread.within**2 / 160
    assert chart.high - spread.mean == pytest.approx(3 * np.sqrt(spread.within**2 / 25 + of_lot))
