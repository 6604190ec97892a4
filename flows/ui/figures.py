"""The figures of a model as one table: what a factory asks first, each with its interval and the champion's beside it.

Ten rows at most: Prefect's newer UI shows a table in pages of ten.
"""

from __future__ import annotations

from dataclasses import dataclass

from tasks.evaluation.comparison_report import Interval, PairedResult, RateDifference
from tasks.evaluation.evaluation_report import EvaluationReport, HoldoutMetrics
from tasks.report.leaderboard import COMPARED_METRICS
from tasks.report.translation import Translate, translator

# After escapes and false alarms; the rest is in the report.
SHOWN_METRICS = (
    "good_tpr_at_1_fpr",
    "good_auroc",
    "auroc",
    "mode_accuracy",
    "macro_mode_accuracy",
    "tpr_at_1_fpr",
    "eer",
)
COLUMNS = ("figure", "value", "interval", "champion")


@dataclass(frozen=True)
class Figure:
    """One row; values and interval are shares of 1, None where there is none."""

    title: str
    value: float | None
    interval: Interval | None = None
    champion: float | None = None

    def cells(self, say: Translate) -> dict[str, str]:
        """The row as the table shows it."""
        interval = "" if self.interval is None else "{:.4f} – {:.4f}".format(*self.interval)
        champion = "" if self.champion is None else f"{self.champion:.4f}"
        values = (say(self.title), f"{self.value:.4f}", interval, champion)
        return dict(zip(map(say, COLUMNS), values, strict=True))


def figure_rows(report: EvaluationReport, language: str = "en") -> list[dict[str, str]]:
    """The rows of the table; those that the test records do not give are left out."""
    say = translator(language)
    return [figure.cells(say) for figure in _figures(report) if figure.value is not None]


def figures_description(report: EvaluationReport) -> str:
    """Of how many test records the figures are, and on how many of them the champion's."""
    text, comparison = f"Metrics on {report.metrics.records} test records", report.comparison
    if comparison is None or comparison.result is None:
        return text
    of = "the same" if comparison.records == report.metrics.records else f"{comparison.records} of them"
    return f"{text}; the champion {comparison.version} on {of}"


def _figures(report: EvaluationReport) -> list[Figure]:
    metrics, result = report.metrics, report.comparison and report.comparison.result
    detected = metrics.good_tpr_interval
    missed = detected and (1 - detected[1], 1 - detected[0])
    return [
        _rate("escapes", None if metrics.good_tpr is None else 1 - metrics.good_tpr, missed, result and result.escapes),
        _rate("false alarms", metrics.good_fpr, metrics.good_fpr_interval, result and result.false_alarms),
        *(_metric(name, metrics, result) for name in SHOWN_METRICS),
        Figure("angular accuracy at 0.5", metrics.angular_accuracy),
    ]


def _rate(title: str, value: float | None, interval: Interval | None, both: RateDifference | None) -> Figure:
    return Figure(title, value, interval, both and both.champion / both.n)


def _metric(name: str, metrics: HoldoutMetrics, result: PairedResult | None) -> Figure:
    intervals = {
        **metrics.intervals,
        "good_auroc": metrics.good_auroc_interval,
        "macro_mode_accuracy": metrics.macro_intervals.get("accuracy"),
    }
    champion = result and getattr(result.champion, name)
    return Figure(COMPARED_METRICS[name][0], getattr(metrics, name), intervals.get(name), champion)
