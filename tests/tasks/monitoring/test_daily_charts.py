"""Charts over days: few false alarms whatever days have in common, shifts are found, and the first days only teach."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.monitoring.control_charts import variance_of
from tasks.monitoring.daily_charts import (
    ALARM_DAYS,
    LEARNING_DAYS,
    DayValue,
    cells_value,
    day_value,
    judge_day,
    limits,
    normal_scores,
)

SERIES = 8


def days_of(shifts, variance=0.01, freedom=3, lots_known=False, differs=False):
    """The summaries of days at these shifts; a reference of 400 records without lots, unless told otherwise."""
    state, summaries = None, []
    for shift in shifts:
        value = DayValue(float(shift), variance, 1 / 400, freedom, lots_known)
        state, summary = judge_day("level", "a", state, value, SERIES, differs and state is None)
        summaries.append(summary)
    return summaries


def alarms(summaries):
    return [summary.day for summary in summaries if summary.status == "drifted"]


def test_the_limits_are_those_of_siegmunds_run_length():
    """One-sided run length of a CUSUM of allowance ½ at height h: 2 (exp(h + 1.166) − (h + 1.166) − 1)."""
    limit = limits(SERIES, ALARM_DAYS)
    b = limit.height + 1.166
    assert 2 * (np.exp(b) - b - 1) == pytest.approx(2 * 3 * SERIES * ALARM_DAYS)
    assert limit.p == pytest.approx(1 / (3 * SERIES * ALARM_DAYS))
    assert limits(1, 60).height < limit.height


@pytest.mark.parametrize("between", [0.0, 0.65], ids=["records are independent", "days are lots"])
def test_without_drift_alarms_are_rarer_than_designed(between):
    """40 years of one series of eight: 2.5 years with an alarm by design, and the first days may add some."""
    rng, early, late = np.random.default_rng(1), 0, 0
    for _ in range(40):
        offset = between * rng.normal()
        summaries = days_of(offset + np.hypot(0.1, between) * rng.normal(size=365))
        early += any(day <= LEARNING_DAYS for day in alarms(summaries))
        late += any(day > LEARNING_DAYS for day in alarms(summaries))
    assert late <= 7
    assert early <= 14


@pytest.mark.parametrize("sign", [1, -1])
def test_a_sudden_shift_is_found_at_once_and_stays_found(sign):
    rng = np.random.default_rng(2)
    shifts = 0.1 * rng.normal(size=60)
    shifts[40:] += sign * 1.0
    summaries = days_of(shifts)
    assert alarms(summaries) == list(range(41, 61))
    assert summaries[40].reason == "day"
    assert np.sign(summaries[45].lasting) == sign
    assert summaries[-1].usual == pytest.approx(0, abs=0.1), "an alarm teaches nothing"


def test_a_small_lasting_shift_is_found_by_its_sum():
    rng = np.random.default_rng(3)
    shifts = 0.3 * rng.normal(size=100)
    shifts[50:] += 0.5
    summaries = days_of(shifts, variance=0.09)
    first = next(summary for summary in summaries if summary.status == "drifted")
    assert (first.reason, 50 < first.day < 80) == ("lasting", True)
    assert first.lasting == pytest.approx(0.5, abs=0.2)
    assert first.lasting_share >= 1


def test_a_shift_below_a_quarter_of_a_deviation_is_none():
    shifts = np.concatenate([np.zeros(30), np.full(60, 0.2)])
    assert alarms(days_of(shifts, variance=0.0001)) == []


def test_what_differs_from_the_first_day_on_keeps_its_alarm_until_it_ends():
    rng = np.random.default_rng(4)
    shifts = 1.0 + 0.1 * rng.normal(size=20)
    summaries = days_of(shifts, differs=True)
    assert alarms(summaries)[0] == 1
    assert len(alarms(summaries)) >= 18
    assert summaries[-1].reason == "level"


def test_the_first_days_teach_how_much_days_differ():
    rng = np.random.default_rng(5)
    summaries = days_of(0.7 * rng.normal(size=100))
    assert not [day for day in alarms(summaries) if day > LEARNING_DAYS]
    assert np.std([summary.z for summary in summaries[30:]]) == pytest.approx(1, abs=0.3)


def test_normal_scores_by_hand_and_for_any_scale():
    np.testing.assert_allclose(normal_scores(np.array([1.0, 2, 3]), np.array([2.0])), 0, atol=1e-12)
    assert normal_scores(np.arange(9.0), np.array([1e9]))[0] == pytest.approx(1.6449, abs=1e-3)  # 9.5 of 10
    rng = np.random.default_rng(6)
    reference, values = rng.normal(size=300), rng.normal(size=50)
    np.testing.assert_allclose(
        normal_scores(np.exp(reference), np.exp(values)), normal_scores(reference, values), atol=1e-12
    )


def test_a_day_knows_what_the_lots_of_the_reference_say():
    rng = np.random.default_rng(7)
    lots = np.repeat([f"L{i}" for i in range(10)], 40)
    values = np.repeat(rng.normal(size=10), 40) + rng.normal(size=400)
    spread = variance_of(values, lots)
    value = day_value(spread, values[:50], 1)
    ratio = (spread.between / spread.within) ** 2
    assert value.variance == pytest.approx(1 / 50 + ratio)
    assert (value.freedom, value.lots_known) == (9, True)
    unknown = day_value(variance_of(values, np.full(400, "")), values[:50], 1)
    assert (unknown.variance, unknown.lots_known) == (pytest.approx(1 / 50), False)


def test_the_cells_of_a_day_count_by_their_p_value():
    assert cells_value(0.5).shift == pytest.approx(0)
    assert cells_value(0.0).shift > 30
    assert cells_value(1.0).shift > -4
