"""Charts over days: each series of a line is judged by its days so far, with few false alarms over a year by design.

One value a day for each series: the mean of the day's normal scores against the reference (the rank of a record among
the reference's records, as a quantile of the normal distribution), so that skewed series and single outliers make no
alarm. Three tests share the error of a year:

- the day: its distance from the line's usual level, the mean of its earlier days, by Student's t;
- a lasting change: two CUSUMs (up and down) of the same standardised distances;
- the usual level against the reference.

How much days differ is learnt from the line's own days: records of one day are seldom independent. Where the reference
has lots, they say it beforehand. In the first days all days teach, and alarms have the limits of "watch", so that
a jump is seen while little is known. Later a day of alarm teaches nothing: a drift does not become the usual level.

Sources: D. M. Hawkins, *Self-starting CUSUM charts for location and scale* (1987); D. Siegmund, *Sequential Analysis*
(1985), eq. 2.57 (run length of a CUSUM); D. C. Montgomery, *Introduction to Statistical Quality Control* (2013), ch. 9.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy import optimize, special

from tasks.core.inspection import DaySummary, DriftStatus
from tasks.monitoring.control_charts import VarianceComponents

ALARM_DAYS, WATCH_DAYS = 730, 60  # days without drift to a false alarm, and to a false "watch", on average at least
LEARNING_DAYS = 10  # in which all days teach, and alarms have the limits of "watch": a jump must be seen early, too
ALLOWANCE = 0.5  # of the CUSUM: half of the shift that it finds fastest, in standard deviations of a day
PRIOR_FREEDOM = 3  # of a reference without lots: it is trusted as if four lots had shown no difference
END_LEVEL = 0.02  # a series that differs from the reference does so until its p-value is above this, over all series
MIN_DAY_EFFECT = 0.25  # in standard deviations of single records
MIN_DAY_RECORDS = 5  # of a series
TESTS = 3


@dataclass(frozen=True)
class DayValue:
    """A series on one day, in standard deviations of single records of the reference.

    shift: from the reference's mean; variance: of such a shift, by the reference, without its own error; of_reference:
    the variance of the reference's mean; freedom: degrees of freedom by which the reference knows the differences
    between days; lots_known: whether it knows them at all.
    """

    shift: float
    variance: float
    of_reference: float
    freedom: int
    lots_known: bool


@dataclass(frozen=True)
class LastingChange:
    """One side of a CUSUM: its value, and the days, their weights and weighted distances since it was last zero."""

    value: float = 0.0
    days: int = 0
    weight: float = 0.0
    total: float = 0.0

    def step(self, z: float, distance: float, weight: float, cap: float) -> LastingChange:
        """The sum after a day at `z` standard deviations; distances of a fall are given as positive."""
        value = min(cap, max(0.0, self.value + z - ALLOWANCE))
        if not value:
            return LastingChange()
        return LastingChange(value, self.days + 1, self.weight + weight, self.total + weight * distance)

    @property
    def effect(self) -> float:
        """The mean distance since the sum was last zero."""
        return self.total / self.weight if self.weight else 0.0


@dataclass(frozen=True)
class SeriesDays:
    """What the days of one series have taught.

    level, level_variance: the usual level and its variance; squares, count: of the standardised distances of days from
    the usual level, before overdispersion; differs: whether the level differed from the reference on the last day.
    """

    days: int
    level: float
    level_variance: float
    squares: float = 0.0
    count: int = 0
    up: LastingChange = LastingChange()
    down: LastingChange = LastingChange()
    differs: bool = False

    def excess(self, variance: float) -> float:
        """The variance between days beyond that of the reference, `variance` of a day, as the days alone show it."""
        return max(0.0, self.squares / self.count - 1) * variance if self.count else 0.0


@dataclass(frozen=True)
class Limits:
    """Limits of each series: p-values of the day and of the level, and the CUSUM's height."""

    p: float
    height: float


@cache
def limits(series: int, days: int) -> Limits:
    """Limits with which `series` series together have a false alarm in `days` days, or fewer (Bonferroni)."""
    each = TESTS * series * days

    def surplus(height: float) -> float:
        b = height + 1.166
        run = (np.exp(2 * ALLOWANCE * b) - 2 * ALLOWANCE * b - 1) / (2 * ALLOWANCE**2)
        return float(np.log(run) - np.log(2 * each))  # two sides

    return Limits(1 / each, optimize.brentq(surplus, 0.1, 100.0))


def normal_scores(reference: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Each value's rank among the reference's values (n,) as a standard normal quantile; ties have their middle."""
    ordered = np.sort(reference)
    ranks = (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")) / 2
    return special.ndtri((ranks + 0.5) / (len(ordered) + 1))


def day_value(spread: VarianceComponents, scores: np.ndarray, lots: int) -> DayValue:
    """The value of a day's normal scores (n,) from `lots` lots; spread: of the reference's own normal scores."""
    ratio = (spread.between / spread.within) ** 2
    return DayValue(
        shift=(float(scores.mean()) - spread.mean) / spread.within,
        variance=1 / len(scores) + ratio / max(lots, 1),
        of_reference=1 / spread.records + ratio / max(spread.lots, 1),
        freedom=spread.lots - 1 if spread.lots else PRIOR_FREEDOM,
        lots_known=spread.lots > 0,
    )


def cells_value(p: float) -> DayValue:
    """The value of a day's cells, whose p-value of all together is `p`: its normal score, large for a small p."""
    return DayValue(float(-special.ndtri(np.clip(p, 1e-300, 0.999))), 1.0, 1.0, PRIOR_FREEDOM, lots_known=True)


def judge_day(
    title: str, mode: str | None, before: SeriesDays | None, value: DayValue, series: int, differs: bool = False
) -> tuple[SeriesDays, DaySummary]:
    """What the series knows after this day, and how the day is judged.

    before: None on the first day, which only teaches; series: how many are judged each day; differs: of a first day,
    whether the comparison with the reference says so.
    """
    if before is None:
        status: DriftStatus = "drifted" if differs else "steady"
        after = SeriesDays(1, value.shift, value.variance, differs=differs)
        return after, DaySummary(title, mode, 1, status, value.shift)
    learning = before.days < LEARNING_DAYS
    watch = limits(series, WATCH_DAYS)
    alarm = watch if learning else limits(series, ALARM_DAYS)
    distance, weight = value.shift - before.level, 1 / value.variance
    z = _standardise(before, distance, value)
    up = before.up.step(z, distance, weight, alarm.height)
    down = before.down.step(-z, -distance, weight, alarm.height)
    sign, change = (1, up) if up.value >= down.value else (-1, down)

    def reason_at(limit: Limits) -> str:
        if 2 * special.ndtr(-abs(z)) <= limit.p and abs(distance) >= MIN_DAY_EFFECT:
            return "day"
        return "lasting" if change.value >= limit.height and change.effect >= MIN_DAY_EFFECT else ""

    after, alarm_reason = _learn(before, distance, value), reason_at(alarm)
    if alarm_reason and not learning:
        after = replace(before, days=after.days)
    p_level = _level_p_value(after, value)
    differs = abs(after.level) >= MIN_DAY_EFFECT and p_level <= (END_LEVEL / series if before.differs else alarm.p)
    drift_reason = alarm_reason or ("level" if differs else "")
    reason = drift_reason or reason_at(watch)
    status = "watch" if reason else "steady"
    summary = DaySummary(
        title=title,
        mode=mode,
        day=after.days,
        status="drifted" if drift_reason else status,
        shift=value.shift,
        usual=before.level,
        z=z,
        lasting=sign * change.effect,
        lasting_days=change.days,
        lasting_share=change.value / alarm.height,
        p_level=p_level,
        reason=reason,
    )
    return replace(after, up=up, down=down, differs=differs), summary


def _dispersion(days: SeriesDays, value: DayValue) -> tuple[float, int]:
    """How much more days vary than the reference says, as a factor of the variance, and its degrees of freedom."""
    freedom = value.freedom + days.count
    factor = (value.freedom + days.squares) / freedom
    return factor if value.lots_known else max(1.0, factor), freedom


def _standardise(before: SeriesDays, distance: float, value: DayValue) -> float:
    """The distance of a day from the usual level as a standard normal value."""
    factor, freedom = _dispersion(before, value)
    t = distance / np.sqrt((before.level_variance + value.variance) * factor)
    return float(-np.sign(t) * special.ndtri(max(special.stdtr(freedom, -abs(t)), 1e-300)))


def _learn(before: SeriesDays, distance: float, value: DayValue) -> SeriesDays:
    """The usual level and the spread with this day."""
    variance = before.level_variance + value.variance
    gain = before.level_variance / variance
    return replace(
        before,
        days=before.days + 1,
        level=before.level + gain * distance,
        level_variance=gain * value.variance,
        squares=before.squares + distance**2 / variance,
        count=before.count + 1,
    )


def _level_p_value(days: SeriesDays, value: DayValue) -> float:
    """The p-value of the usual level against the reference's mean.

    A reference whose lots are unknown may be of one lot only: it is then as uncertain as days differ.
    """
    factor, freedom = _dispersion(days, value)
    if value.lots_known:
        variance, freedom = value.of_reference * max(1.0, factor), value.freedom
    else:
        variance = value.of_reference + days.excess(value.variance)
    return float(2 * special.stdtr(freedom, -abs(days.level) / np.sqrt(variance + days.level_variance * factor)))
