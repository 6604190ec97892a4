"""Do new parts still look like those of the reference? Control charts, a test of each cell, and one verdict.

Level (β), shape (√V_e) and score are charted (tasks/monitoring/control_charts.py), and the maps of parts
called good are compared cell by cell. All that is looked at shares one probability of a false alarm (Holm), and what is
significant but tiny is no drift: with enough parts everything is significant.

Sources: S. Holm, *A simple sequentially rejective multiple test procedure* (1979); R. J. Simes, *An improved
Bonferroni procedure for multiple tests of significance* (1986); Y. Benjamini, Y. Hochberg, *Controlling the
false discovery rate* (1995); F. E. Satterthwaite, *An approximate
distribution of estimates of variance components* (1946).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import stats

from tasks.data.map_statistics import RunningMoments
from tasks.monitoring.control_charts import ControlChart, components, control_chart
from tasks.monitoring.reference import Reference
from tasks.scoring.explain import Region, hottest_region

ALPHA, WATCHED = 0.02, 0.1  # of the whole verdict; less than the 5 % promised, for a reference may be an unlucky draw
LEAST_EFFECT, LEAST_CELL = 0.25, 0.5  # in deviations of single records
MIN_MIX_CHANGE = 0.1  # Cramér's V of the verdicts' shares, and at one in a thousand
MIN_MAPS = 20

MIN_MODE_PARTS = {"level": "beta", "shape": "sqrt_ve"}

DriftStatus = Literal["steady", "watch", "drifted"]


@dataclass(frozen=True)
class CellTests:
    """The maps of parts called good against the reference's, cell by cell; (rows, cols).

    effect: new mean less reference mean in deviations of single records; q: p-values by Benjamini and
    Hochberg; p: of all cells together, by Simes; drifted: how many are significant and large enough; place: where
    most of them lie, rising or falling.
    """

    effect: np.ndarray
    q: np.ndarray
    p: float
    drifted: int
    place: Region | None
    rises: bool


@dataclass(frozen=True)
class DriftVerdict:
    """What was found: the verdict, every chart with its p-value by Holm, the clearest first, cells and mix."""

    standing: DriftStatus
    charts: list[tuple[ControlChart, float]]
    cells: CellTests | None
    cells_p: float
    mix: dict[str, Any]

    @property
    def leading(self) -> ControlChart | None:
        """The chart that speaks for the verdict, if one does."""
        if self.standing == "steady" or not self.charts:
            return None
        chart, p = self.charts[0]
        return chart if p <= WATCHED and abs(chart.effect) >= LEAST_EFFECT else None


def test_for_drift(
    reference: Reference, new: dict[str, np.ndarray], maps: RunningMoments, modes: list[str], size: tuple[int, int]
) -> DriftVerdict:
    """The verdict on new records, in their order.

    new: `mode` codes, `beta`, `sqrt_ve`, `score`, `good` (called good), `lot` and `verdict` (codes), (m,) each;
    maps: moments of the called-good maps; size: rows and columns of a map.
    """
    charts = _charts(reference, new, modes)
    cells = test_cells(reference, maps, len(np.unique(new["lot"])), size)
    adjusted = holm([*(chart.p for chart in charts), *([cells.p] if cells else [])])
    ranked = sorted(zip(charts, adjusted[: len(charts)], strict=True), key=_clearness)
    cells_p = adjusted[-1] if cells else 1.0
    mix = verdict_mix(reference.verdicts, np.bincount(new["verdict"], minlength=3))
    return DriftVerdict(_status(ranked, cells, cells_p, mix), ranked, cells, cells_p, mix)


def _clearness(ranked: tuple[ControlChart, float]) -> tuple[bool, float]:
    """What is sure comes first, the largest effect before the others: a lamp moves level and shape at once."""
    chart, p = ranked
    return (True, p) if p > ALPHA else (False, -abs(chart.effect))


def _status(
    ranked: list[tuple[ControlChart, float]], cells: CellTests | None, cells_p: float, mix: dict[str, Any]
) -> DriftStatus:
    # Where defects are more, more of them slip through, and what is called good scores higher: no drift.
    told = [(chart, p) for chart, p in ranked if not (mix["changed"] and chart.title == "score")]

    def beyond(level: float) -> bool:
        series = any(p <= level and abs(chart.effect) >= LEAST_EFFECT for chart, p in told)
        return series or bool(cells and cells_p <= level and cells.drifted)

    if beyond(ALPHA):
        return "drifted"
    return "watch" if beyond(WATCHED) or mix["changed"] else "steady"


def _charts(reference: Reference, new: dict[str, np.ndarray], modes: list[str]) -> list[ControlChart]:
    """The score of what was called good, and level and shape of each mode that was called."""
    series: list[tuple[str, str, int | None]] = [("score", "score", None)]
    series += [(title, name, code) for code in range(len(modes)) for title, name in MIN_MODE_PARTS.items()]
    found, rows = [], np.arange(len(new["mode"]))
    for seed, (title, name, code) in enumerate(series):
        then, now = ((one["good"] if code is None else one["mode"] == code) for one in (vars(reference), new))
        old = (getattr(reference, name)[then].astype(np.float64), reference.lot[then])
        fresh = (new[name][now].astype(np.float64), new["lot"][now], rows[now])
        if np.isfinite(old[0]).all() and np.isfinite(fresh[0]).all():
            found.append(control_chart(title, None if code is None else modes[code], old, fresh, seed))
    return [chart for chart in found if chart is not None]


def test_cells(reference: Reference, new: RunningMoments, new_lots: int, size: tuple[int, int]) -> CellTests | None:
    """Welch's test of each cell, widened by what lots do, of which `new_lots` are new; None of too few maps."""
    if len(reference.maps) < MIN_MAPS or new.count < MIN_MAPS:
        return None
    old = reference.maps.astype(np.float64)
    deviation = old.std(axis=0, ddof=1)
    live = deviation > 0
    within, between, lots = components(old[:, live], reference.map_lot)
    # A cell's own estimate from a few lots is often zero by chance: all cells lend one another theirs.
    between = np.sqrt(np.maximum(between**2, within**2 * np.mean(between**2 / within**2)))
    shift = (new.mean - old.mean(axis=0))[live]
    sampling = within**2 / len(old) + new.variance[live] / new.count
    of_lots = between**2 * (1 / max(lots, 1) + 1 / new_lots)
    freedom = (sampling + of_lots) ** 2 / (sampling**2 / (len(old) - 1) + of_lots**2 / max(lots - 1, 1))
    p = 2 * stats.t.sf(np.abs(shift) / np.sqrt(sampling + of_lots), freedom)
    effect, q = np.zeros(old.shape[1]), np.ones(old.shape[1])
    effect[live], q[live] = shift / deviation[live], stats.false_discovery_control(p)
    large = (q <= ALPHA) & (np.abs(effect) >= LEAST_CELL)
    rises = bool(np.where(large, effect, 0).sum() >= 0)
    heat = np.where(large, effect if rises else -effect, 0).reshape(size)
    simes = float(min(1.0, (np.sort(p) * len(p) / np.arange(1, len(p) + 1)).min())) if len(p) else 1.0
    return CellTests(effect.reshape(size), q.reshape(size), simes, int(large.sum()), hottest_region(heat), rises)


def verdict_mix(then: np.ndarray, now: np.ndarray) -> dict[str, Any]:
    """Shares of good, defect and unknown then and now, Cramér's V, and whether they changed; no drift by itself."""
    table = np.stack([then, now])
    table = table[:, table.sum(axis=0) > 0]
    p, v = 1.0, 0.0
    if table.shape[1] > 1:
        tested = stats.chi2_contingency(table, correction=False)
        p, v = float(tested.pvalue), float((tested.statistic / table.sum()) ** 0.5)
    shares = [(side / max(side.sum(), 1)).tolist() for side in (then, now)]
    return {"then": shares[0], "now": shares[1], "p": p, "effect": v, "changed": p < 0.001 and v >= MIN_MIX_CHANGE}


def holm(p: list[float]) -> list[float]:
    """The p-values, each adjusted for all."""
    order = np.argsort(p)
    steps = np.maximum.accumulate(np.minimum(1.0, np.array(p)[order] * np.arange(len(p), 0, -1)))
    adjusted = np.empty(len(p))
    adjusted[order] = steps
    return adjusted.tolist()
