"""The model beside the raw map, the untrained tower and the champion, as the report shows them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from tasks.config.run import GateConfig
from tasks.evaluation.comparison_report import Comparison, Difference, Interval, PairMetrics
from tasks.evaluation.evaluation_report import EvaluationReport
from tasks.promotion.gate import is_significant_drop
from tasks.promotion.verdict import deciding_metric, is_better

COMPARED_METRICS = {  # figure → title, and whether more is better
    "auroc": ("verification AUROC", True),
    "average_precision": ("average precision", True),
    "tpr_at_1_fpr": ("verification TPR at 1 % FPR", True),
    "tpr_at_5_fpr": ("verification TPR at 5 % FPR", True),
    "eer": ("equal error rate", False),
    "mode_accuracy": ("mode accuracy", True),
    "macro_mode_accuracy": ("mean over modes", True),
    "good_auroc": ("good-or-defect AUROC", True),
    "good_tpr_at_1_fpr": ("defects found at 1 % false alarms", True),
}


@dataclass(frozen=True)
class MetricRow:
    """One value of the deciding metric, and the places of value and interval in per cent of the axis."""

    who: str
    value: float
    interval: Interval | None
    place: float
    ends: Interval | None


@dataclass(frozen=True)
class MetricAxis:
    """The deciding metric of this model (first), the best raw map (second) and the champion on one axis.

    title: of the metric; ticks: the axis' marks and their places.
    """

    title: str
    rows: tuple[MetricRow, ...]
    ticks: list[tuple[str, float]]


@dataclass(frozen=True)
class MetricTable:
    """Metrics by model: the titles of the columns, and by model each value and whether it is the best."""

    columns: list[str]
    rows: dict[str, list[tuple[float | None, bool]]]


def metric_title(name: str) -> str:
    """A metric in words; a name that is not compared here stays, without underscores."""
    return COMPARED_METRICS[name][0] if name in COMPARED_METRICS else name.replace("_", " ")


def display_name(classifier: str) -> str:
    """A classifier's name as it is written in English."""
    return classifier.replace(", euclidean", ", Euclidean").replace(", rt", ", RT")


def gate_metric_axis(report: EvaluationReport) -> MetricAxis:
    """The metric that the gate decides by, of this model, the best raw map and the champion."""
    name = report.settings["gate"]["figure"]
    baseline, raw = report.best_raw_map(name)
    values = [
        ("this model", getattr(report.metrics, name), report.metrics.intervals.get(name)),
        (f"best {display_name(baseline)}", raw, None),
        *((who, value, None) for who, value in _against_champion(report, name)),
    ]
    lowest = min(edge for _, value, interval in values for edge in (value, *(interval or ())))
    low = min(0.9, math.floor(lowest * 10) / 10)

    def place(value: float) -> float:
        return round(100 * (value - low) / (1 - low), 2)

    ticks = [round(low + (1 - low) * step / 2, 2) for step in range(3)]
    return MetricAxis(
        COMPARED_METRICS[name][0],
        tuple(
            MetricRow(who, value, interval, place(value), interval and (place(interval[0]), place(interval[1])))
            for who, value, interval in values
        ),
        [(f"{tick:g}", place(tick)) for tick in ticks],
    )


def _against_champion(report: EvaluationReport, name: str) -> list[tuple[str, float]]:
    """The champion, and this model on the champion's records where those are fewer than all."""
    comparison = report.comparison
    if comparison is None or comparison.result is None:
        return []
    challenger, champion = getattr(comparison.result.challenger, name), getattr(comparison.result.champion, name)
    if champion is None:  # made from good parts alone: it knows no modes
        return []
    fewer = comparison.records != report.metrics.records or abs(challenger - getattr(report.metrics, name)) > 5e-4
    same = [("this model, champion’s records", challenger)] if fewer else []
    return [*same, (f"champion {comparison.version}", champion)]


def baseline_table(report: EvaluationReport) -> MetricTable:
    """The baselines and this model on all test records."""
    baselines = {baseline.name: baseline.metrics for baseline in report.baselines}
    return comparison_table({**baselines, "this model": report.metrics})


def champion_table(comparison: Comparison | None) -> MetricTable | None:
    """Champion and challenger on the same records; None without a comparison."""
    if comparison is None or comparison.result is None:
        return None
    champion = f"champion {comparison.version}"
    return comparison_table({champion: comparison.result.champion, "this model": comparison.result.challenger})


def comparison_table(metrics: dict[str, PairMetrics]) -> MetricTable:
    """The table of metrics by model; a metric that none has gets no column."""
    values = {name: {who: getattr(of, name) for who, of in metrics.items()} for name in COMPARED_METRICS}
    columns = {name: column for name, column in values.items() if any(v is not None for v in column.values())}
    best = {
        name: (max if COMPARED_METRICS[name][1] else min)(v for v in column.values() if v is not None)
        for name, column in columns.items()
    }
    return MetricTable(
        [COMPARED_METRICS[name][0] for name in columns],
        {
            display_name(who): [(column[who], column[who] == best[name]) for name, column in columns.items()]
            for who in metrics
        },
    )


MAX_MODES = 16  # lines of a picture; where modes are more, those that fell and those that rose most


@dataclass(frozen=True)
class DifferenceRow:
    """One difference: its entry, the places of dot and interval in per cent of the axis, and whether it vetoes."""

    who: str
    entry: Difference
    place: float
    ends: Interval | None
    vetoes: bool


@dataclass(frozen=True)
class ChartAxis:
    """Rows on one axis with zero in its middle; `limit` is the place that the gate requires, `hidden` rows left out."""

    lines: list[DifferenceRow]
    ticks: list[tuple[str, float]]
    limit: float
    hidden: int


@dataclass(frozen=True)
class DifferenceCharts:
    """The differences by metric and by mode; `decides` is the title of the deciding metric."""

    decides: str
    figures: ChartAxis
    modes: ChartAxis


def difference_charts(comparison: Comparison | None, gate: GateConfig) -> DifferenceCharts | None:
    """The differences of challenger and champion; None without a comparison."""
    if comparison is None or comparison.result is None:
        return None
    result, few = comparison.result, comparison.result.few
    figures, decides = dict(result.figures), deciding_metric(result, gate)
    short = not is_better(result, gate)
    figures |= {decides: replace(figures[decides], interval=result.deciding_interval(decides))}
    by_metric = [(COMPARED_METRICS[name][0], entry, short and name == decides) for name, entry in figures.items()]
    by_fall = sorted(result.modes.items(), key=lambda item: item[1].difference)
    limits = gate.mode_margin, result.confidence
    by_mode = [(mode, entry, is_significant_drop(entry, *limits)) for mode, entry in by_fall]
    pooled = [("these few, together", few, is_significant_drop(few, *limits))] if few else []
    return DifferenceCharts(
        COMPARED_METRICS[decides][0],
        _axis(by_metric, [], gate.least_gain),
        _axis(by_mode, pooled, -gate.mode_margin),
    )


def _axis(
    lines: list[tuple[str, Difference, bool]], more: list[tuple[str, Difference, bool]], limit: float
) -> ChartAxis:
    half = MAX_MODES // 2
    drawn_lines = [*(lines if len(lines) <= MAX_MODES else [*lines[:half], *lines[-half:]]), *more]
    edges = [abs(edge) for _, entry, _ in drawn_lines for edge in (entry.difference, *(entry.interval or ()))]
    largest = _round_up(max([*edges, abs(limit)]))

    def place(value: float) -> float:
        return round(50 + 50 * value / largest, 2)

    rows = [
        DifferenceRow(who, entry, place(entry.difference), entry.interval and tuple(map(place, entry.interval)), vetoes)
        for who, entry, vetoes in drawn_lines
    ]
    ticks = [(f"{tick:+.3g}" if tick else "0", place(tick)) for tick in (-largest, 0.0, largest)]
    return ChartAxis(rows, ticks, place(limit), len(lines) + len(more) - len(drawn_lines))


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, … thousandths, one whole at most."""
    if value <= 0.001:
        return 0.001
    size = 10.0 ** math.floor(math.log10(value))
    return min(1.0, next(step * size for step in (1, 2, 5, 10) if value <= step * size * (1 + 1e-9)))
