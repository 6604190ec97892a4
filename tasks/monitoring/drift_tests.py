"""Tests whether new parts still look like the reference: control charts, a test of each cell, and one verdict.

Level (β), shape (√V_e) and score are charted (tasks/monitoring/control_charts.py), and the maps of records predicted
good are compared cell by cell. All tests share one probability of a false alarm (Holm). A change that is significant
but tiny is no drift: with enough parts everything is significant.

Sources: S. Holm, *A simple sequentially rejective multiple test procedure* (1979); R. J. Simes, *An improved
Bonferroni procedure for multiple tests of significance* (1986); Y. Benjamini, Y. Hochberg, *Controlling the
false discovery rate* (1995); F. E. Satterthwaite, *An approximate
distribution of estimates of variance components* (1946).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy import stats

from tasks.core.inspection import CellsSummary, ChartSummary, DaySummary, DriftStatus, Region, VerdictMix
from tasks.data.map_statistics import Moments
from tasks.monitoring.control_charts import ControlChart, Series, components, control_chart, variance_of
from tasks.monitoring.daily_charts import (
    LEARNING_DAYS,
    MIN_DAY_RECORDS,
    DayValue,
    SeriesDays,
    cells_value,
    day_value,
    judge_day,
    normal_scores,
)
from tasks.monitoring.reference import NewParts, PredictedRecords, Reference
from tasks.scoring.explain import hottest_region

# Levels of the adjusted p-value. That of a drift is below the promised 5 %: a reference may be an unlucky sample.
DRIFT_LEVEL, WATCH_LEVEL = 0.02, 0.1
MIN_EFFECT, MIN_CELL_EFFECT = 0.25, 0.5  # in standard deviations of single records
MIX_LEVEL, MIN_MIX_EFFECT = 0.001, 0.1  # of the shares of the verdicts; the effect is Cramér's V
MIN_MAPS = 20
STATUSES: list[DriftStatus] = ["steady", "watch", "drifted"]
MODE_SERIES = {"level": "beta", "shape": "sqrt_ve"}  # charted for each mode: title and field

SeriesKey = tuple[str, str | None]  # title and mode
History = dict[SeriesKey, SeriesDays]


@dataclass(frozen=True)
class CellTests:
    """The maps of records predicted good against the reference's, cell by cell; (rows, cols).

    effect: new mean minus reference mean in standard deviations of single records; q: p-values by Benjamini and
    Hochberg; p: of all cells together, by Simes; drifted: how many are significant and large enough; region: where
    most of them lie, all rising or all falling.
    """

    effect: np.ndarray
    q: np.ndarray
    p: float
    drifted: int
    region: Region | None
    rises: bool


@dataclass(frozen=True)
class DriftVerdict:
    """The verdict, every chart with its p-value adjusted by Holm, the clearest first, cells and verdict mix.

    days: each series over the days of the source, the clearest first; history: what they have taught, by series.
    """

    status: DriftStatus
    charts: list[tuple[ControlChart, float]]
    cells: CellTests | None
    cells_p: float
    mix: VerdictMix
    days: list[DaySummary] = field(default_factory=list)
    history: History = field(default_factory=dict)

    @property
    def leading(self) -> ControlChart | None:
        """The first chart where it is a reason for the verdict."""
        if self.status == "steady" or not self.charts:
            return None
        chart, p = self.charts[0]
        return chart if _is_drift(chart, p, WATCH_LEVEL) else None

    @property
    def chart_summaries(self) -> list[ChartSummary]:
        """The charts without their points."""
        return [
            ChartSummary(
                title=chart.title,
                mode=chart.mode,
                then=chart.spread.mean,
                now=chart.spread.mean + chart.shift,
                effect=chart.effect,
                p=p,
                points=len(chart.means),
                beyond=chart.beyond,
                since=chart.since,
                lots=chart.spread.lots,
                extreme=chart.spread.mean + chart.effect * chart.spread.within,
            )
            for chart, p in self.charts
        ]

    @property
    def cells_summary(self) -> CellsSummary | None:
        """The cells without their maps."""
        cells = self.cells
        return None if cells is None else CellsSummary(cells.drifted, self.cells_p, cells.rises, cells.region)


def compare_with_reference(
    reference: Reference, new: NewParts, modes: list[str], size: tuple[int, int], history: History | None = None
) -> DriftVerdict:
    """The verdict on new parts.

    modes: the release's names by code; size: rows and columns of a map; history: what earlier days of the same source
    have taught. On the first day the reference alone judges; later the line's own days do.
    """
    history = history or {}
    values = _day_values(reference, new, modes)
    charts = _charts(reference, new, modes)
    excess = max((history[key].excess(value.variance) for key, value in values.items() if key in history), default=0.0)
    cells = compare_cells(reference, new.maps, len(np.unique(new.lot)), size, excess)
    adjusted = holm([*(chart.p for chart in charts), *([cells.p] if cells else [])])
    ranked = sorted(zip(charts, adjusted[: len(charts)], strict=True), key=_clearness)
    cells_p = adjusted[-1] if cells else 1.0
    mix = verdict_mix(reference.verdicts, new.verdicts)
    verdict = DriftVerdict(_status(ranked, cells, cells_p, mix), ranked, cells, cells_p, mix)
    return _judge_days(verdict, values, history, series=1 + len(MODE_SERIES) * len(modes) + 1)


def _judge_days(
    verdict: DriftVerdict, values: dict[SeriesKey, DayValue], history: History, series: int
) -> DriftVerdict:
    """The verdict with the days; its status is theirs where there were earlier ones."""
    cells, after, days = verdict.cells, dict(history), []
    differing: dict[SeriesKey, bool] = {
        (chart.title, chart.mode): _is_drift(chart, p, DRIFT_LEVEL) for chart, p in verdict.charts
    }
    if cells is not None:
        values = {**values, ("cells", None): cells_value(cells.p)}
        differing["cells", None] = verdict.cells_p <= DRIFT_LEVEL and cells.drifted > 0
    for key, value in values.items():
        differs = differing.get(key, False)
        after[key], day = judge_day(*key, history.get(key), value, series, differs)
        # Too small a change of the cells, or a score that more defects raise: see _status.
        harmless = (key[0] == "cells" and not cells.drifted) or (key[0] == "score" and verdict.mix.changed)
        if harmless:
            day = replace(day, status="steady", reason="")
        elif differs and value.lots_known and day.status == "steady" and 1 < day.day <= LEARNING_DAYS:
            # Few days know little: what the reference with its lots finds must not pass in silence.
            day = replace(day, status="watch", reason="day")
        days.append(day)
    days.sort(key=lambda day: (-STATUSES.index(day.status), -abs(day.z)))
    if not history:
        return replace(verdict, days=days, history=after)
    worst = max([*(day.status for day in days), "watch" if verdict.mix.changed else "steady"], key=STATUSES.index)
    return replace(verdict, status=worst, days=days, history=after)


def _day_values(reference: Reference, new: NewParts, modes: list[str]) -> dict[SeriesKey, DayValue]:
    """The day of each series that has enough records, by its title and mode."""
    values: dict[SeriesKey, DayValue] = {}
    for title, name, code in _all_series(modes):
        old, current = _series(reference, name, code), _series(new, name, code)
        if len(current.values) < MIN_DAY_RECORDS or not np.isfinite([*old.values, *current.values]).all():
            continue
        spread = variance_of(normal_scores(old.values, old.values), old.lots)
        if spread is not None:
            scores = normal_scores(old.values, current.values)
            mode = None if code is None else modes[code]
            values[title, mode] = day_value(spread, scores, len(np.unique(current.lots)))
    return values


def _clearness(ranked: tuple[ControlChart, float]) -> tuple[bool, float]:
    """Significant charts first, the largest effect before the others: another lamp changes level and shape at once."""
    chart, p = ranked
    return (True, p) if p > DRIFT_LEVEL else (False, -abs(chart.effect))


def _is_drift(chart: ControlChart, p: float, level: float) -> bool:
    return p <= level and abs(chart.effect) >= MIN_EFFECT


def _status(
    ranked: list[tuple[ControlChart, float]], cells: CellTests | None, cells_p: float, mix: VerdictMix
) -> DriftStatus:
    # With more defects more of them pass as good, and the score of parts predicted good rises: that is no drift.
    charts = [(chart, p) for chart, p in ranked if not (mix.changed and chart.title == "score")]

    def drifted_at(level: float) -> bool:
        by_cells = cells is not None and cells_p <= level and cells.drifted > 0
        return by_cells or any(_is_drift(chart, p, level) for chart, p in charts)

    if drifted_at(DRIFT_LEVEL):
        return "drifted"
    return "watch" if drifted_at(WATCH_LEVEL) or mix.changed else "steady"


def _all_series(modes: list[str]) -> list[tuple[str, str, int | None]]:
    """Title, field and mode's code of each series."""
    of_modes: list[tuple[str, str, int | None]] = [
        (title, name, code) for code in range(len(modes)) for title, name in MODE_SERIES.items()
    ]
    return [("score", "score", None), *of_modes]


def _charts(reference: Reference, new: NewParts, modes: list[str]) -> list[ControlChart]:
    """The score of records predicted good, and level and shape of each predicted mode."""
    charts = []
    for seed, (title, name, code) in enumerate(_all_series(modes)):
        old, current = _series(reference, name, code), _series(new, name, code)
        if np.isfinite(old.values).all() and np.isfinite(current.values).all():
            spread = variance_of(old.values, old.lots)
            mode = None if code is None else modes[code]
            charts.append(None if spread is None else control_chart(title, mode, spread, current, seed))
    return [chart for chart in charts if chart is not None]


def _series(records: PredictedRecords, name: str, code: int | None) -> Series:
    """One number of the records of a predicted mode, or of those predicted good where the code is None."""
    rows = np.flatnonzero(records.good if code is None else records.mode == code)
    return Series(getattr(records, name)[rows].astype(np.float64), records.lot[rows], rows)


def compare_cells(
    reference: Reference, new: Moments, new_lots: int, size: tuple[int, int], excess: float = 0.0
) -> CellTests | None:
    """Welch's test of each cell, with the variation between lots added; None where either has fewer than MIN_MAPS.

    new_lots: how many lots the new maps come from; excess: how much more days vary than the reference says, as a
    multiple of the variance of single records.
    """
    if len(reference.maps) < MIN_MAPS or new.count < MIN_MAPS:
        return None
    old = reference.maps.astype(np.float64)
    deviation = old.std(axis=0, ddof=1)
    varying = deviation > 0
    shift = (new.mean - old.mean(axis=0))[varying]
    new_sampling = new.variance[varying] / new.count + excess * np.square(deviation[varying])
    p = _cell_p_values(old[:, varying], reference.map_lot, shift, new_sampling, new_lots)
    effect, q = np.zeros(old.shape[1]), np.ones(old.shape[1])
    effect[varying], q[varying] = shift / deviation[varying], stats.false_discovery_control(p)
    large = (q <= DRIFT_LEVEL) & (np.abs(effect) >= MIN_CELL_EFFECT)
    rises = bool(np.where(large, effect, 0).sum() >= 0)
    heatmap = np.where(large, effect if rises else -effect, 0).reshape(size)
    return CellTests(effect.reshape(size), q.reshape(size), simes(p), int(large.sum()), hottest_region(heatmap), rises)


def _cell_p_values(
    old: np.ndarray, lots: np.ndarray, shift: np.ndarray, new_sampling: np.ndarray, new_lots: int
) -> np.ndarray:
    """Two-sided p-values (cells,) of shifts (cells,) between reference maps (n, cells) and new ones.

    new_sampling (cells,): squared standard error of the new means. Degrees of freedom by Satterthwaite.
    """
    within, between, lot_count = components(old, lots)
    # A cell's own estimate from a few lots is often zero by chance: each has at least the average of all cells.
    between = np.sqrt(np.maximum(between**2, within**2 * np.mean(between**2 / within**2)))
    sampling = within**2 / len(old) + new_sampling
    of_lots = between**2 * (1 / max(lot_count, 1) + 1 / new_lots)
    freedom = (sampling + of_lots) ** 2 / (sampling**2 / (len(old) - 1) + of_lots**2 / max(lot_count - 1, 1))
    return 2 * stats.t.sf(np.abs(shift) / np.sqrt(sampling + of_lots), freedom)


def verdict_mix(then: np.ndarray, now: np.ndarray) -> VerdictMix:
    """Compares counts (3,) of good, defect and unknown by a χ² test; a changed mix is no drift by itself."""
    table = np.stack([then, now])
    table = table[:, table.sum(axis=0) > 0]
    p, effect = 1.0, 0.0
    if table.shape[1] > 1:
        test = stats.chi2_contingency(table, correction=False)
        p, effect = float(test.pvalue), float((test.statistic / table.sum()) ** 0.5)
    shares = [(counts / max(counts.sum(), 1)).tolist() for counts in (then, now)]
    return VerdictMix(*shares, p, effect, changed=p < MIX_LEVEL and effect >= MIN_MIX_EFFECT)


def holm(p: list[float]) -> list[float]:
    """The p-values, each adjusted for all by Holm."""
    order = np.argsort(p)
    steps = np.maximum.accumulate(np.minimum(1.0, np.array(p)[order] * np.arange(len(p), 0, -1)))
    adjusted = np.empty(len(p))
    adjusted[order] = steps
    return adjusted.tolist()


def simes(p: np.ndarray) -> float:
    """One p-value of all p-values (n,) together, by Simes; 1 for none."""
    ranks = np.arange(1, len(p) + 1)
    return float(np.min(np.sort(p) * len(p) / ranks, initial=1.0))
