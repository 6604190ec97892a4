"""ROC and precision–recall curves with their bands, from the same resamples as the metrics' intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from tasks.evaluation.report_data import ReportData
from tasks.evaluation.resampling import Resampling
from tasks.report.leaderboard import display_name
from tasks.report.pictures import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILLION, Picture, chart

BASELINE_LINES = ((GREY, (0, (1, 1.2))), (PURPLE, (0, (6, 2))), (GREEN, (0, (5, 1.5, 1, 1.5))))
RATES = np.concatenate([np.linspace(0, 0.05, 101), np.linspace(0.055, 1, 190)])  # fine where a factory works
RECALLS = np.linspace(0.005, 1, 200)


@dataclass(frozen=True)
class Curve:
    """One classifier's curves: `roc` is the TPR at each of RATES, `precision` that at each of RECALLS.

    The bands are the low and high edges (2, k), or None where none were drawn; `prevalence` is the
    share of positives, which is the precision of chance.
    """

    roc: np.ndarray
    precision: np.ndarray
    prevalence: float
    roc_band: np.ndarray | None = None
    precision_band: np.ndarray | None = None


def weighted_curves(
    score: np.ndarray, positive: np.ndarray, weights: np.ndarray, owner: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """TPR at RATES (rows, 291) and precision at RECALLS (rows, 200) under each row of `weights` (rows, records).

    score, positive: (n,), larger scores are called first and equal ones together; owner: (n,) the record that
    a score belongs to. The TPR is the largest whose FPR fits, the precision that of the first cut with so
    much recall. A row without one class is NaN.
    """
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    positive, owner = positive[order], owner[order]
    rates, precisions = np.full((len(weights), len(RATES)), np.nan), np.full((len(weights), len(RECALLS)), np.nan)
    for i, weight in enumerate(weights):
        drawn = weight[owner]
        called, hit = np.cumsum(drawn)[last], np.cumsum(drawn * positive)[last]
        miss = called - hit
        if not hit[-1] or not miss[-1]:
            continue
        tpr = np.concatenate([[0.0], hit / hit[-1]])
        rates[i] = tpr[np.searchsorted(miss / miss[-1], RATES, side="right")]
        cut = np.searchsorted(tpr[1:], RECALLS - 1e-12)
        precisions[i] = hit[cut] / called[cut]
    return rates, precisions


def curve(score: np.ndarray, positive: np.ndarray, owner: np.ndarray, resampling: Resampling | None) -> Curve:
    """The curves of one score, with bands where there is a resampling of the records."""
    weights = np.ones((1, owner.max() + 1)) if resampling is None else resampling.weights
    lines = weighted_curves(score, positive, weights, owner)
    bands = [] if resampling is None else [resampling.bands(values) for values in lines]
    return Curve(lines[0][0], lines[1][0], float(positive.mean()), *bands)


def curves(evidence: ReportData) -> dict[str, Curve]:
    """By name: this model with bands, the raw baselines, and good or defect, with bands, last."""
    count, columns = evidence.distances.shape
    own, owner = (np.arange(columns) == evidence.mode[:, None]).ravel(), np.repeat(np.arange(count), columns)
    by_name = {"this model": curve(-evidence.distances.ravel(), own, owner, evidence.resampling)}
    for name, values in evidence.baseline_distances.items():
        by_name[name] = curve(-values.ravel(), own, owner, None)
    if evidence.good_score is not None and evidence.good.any() and not evidence.good.all():
        owner = np.arange(count)
        by_name["good or defect"] = curve(evidence.good_score, ~evidence.good, owner, evidence.resampling)
    return by_name


def roc(by_name: dict[str, Curve], to: float = 1.0) -> Picture:
    """The ROC curves up to a false positive rate of `to`."""

    def draw(figure: Figure) -> None:
        axes, rows = figure.add_subplot(), to + 1e-9 >= RATES
        for name, line, look in _looks(by_name):
            band = None if line.roc_band is None else line.roc_band[:, rows]
            _line(axes, RATES[rows], line.roc[rows], band, display_name(name), look)
        axes.plot([0, to], [0, to], color="#bbbbbb", lw=0.8, label="_chance" if to < 1 else "chance")
        axes.set(xlim=(0, to), ylim=(0, 1.02), xlabel="false positive rate", ylabel="true positive rate")
        if to < 1:
            axes.axvline(0.01, color=ORANGE, lw=1, ls="--")
            axes.text(0.01, 0.03, "1 %", ha="center", va="bottom", fontsize=8.5, bbox={"color": "white", "pad": 1})
        _finish(figure, axes)

    at = 0.01 if to < 1 else 0.05
    rates = "; ".join(f"{name} {np.interp(at, RATES, line.roc):.0%}" for name, line in by_name.items())
    return chart(draw, f"ROC curves; true positive rate at {at:.0%} false positives: {rates}", (4.9, 4.2))


def precision_recall(by_name: dict[str, Curve]) -> Picture:
    """Precision at each recall; the thin level lines are chance."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for name, line, look in _looks(by_name):
            _line(axes, RECALLS, line.precision, line.precision_band, display_name(name), look)
        for share in sorted({round(line.prevalence, 4) for line in by_name.values()}):
            axes.axhline(share, color="#9a9a9a", lw=0.8)
            axes.text(
                0.01, share, f"chance {share:.0%}", fontsize=8, color="#5a5a5a", va="top" if share > 0.08 else "bottom"
            )
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
        _finish(figure, axes)

    at_80 = "; ".join(f"{name} {np.interp(0.8, RECALLS, line.precision):.0%}" for name, line in by_name.items())
    return chart(draw, f"precision–recall curves; precision at 80 % recall: {at_80}", (4.9, 4.2))


Reading = tuple[float, list[float]]


def readings(by_name: dict[str, Curve]) -> list[tuple[str, float, dict[str, Reading]]]:
    """Values of the curves with bands: (`tpr`, FPR) or (`precision`, recall), and by name value and interval."""
    banded = {name: line for name, line in by_name.items() if line.roc_band is not None}
    rows: list[tuple[str, float, dict[str, Reading]]] = []
    for at in (0.01, 0.05):
        i = int(np.abs(RATES - at).argmin())
        rows.append(("tpr", at, {n: (float(c.roc[i]), c.roc_band[:, i].tolist()) for n, c in banded.items()}))
    for at in (0.8, 0.95):
        i = int(np.abs(RECALLS - at).argmin())
        rows.append(
            ("precision", at, {n: (float(c.precision[i]), c.precision_band[:, i].tolist()) for n, c in banded.items()})
        )
    return rows


def _looks(by_name: dict[str, Curve]) -> list[tuple[str, Curve, dict[str, Any]]]:
    """Each curve with its colour and dashes; the baselines go below the two that have bands."""
    baselines, looks = iter(BASELINE_LINES * len(by_name)), []
    for name, line in by_name.items():
        look: dict[str, Any] = {"color": BLUE, "lw": 2.2, "zorder": 4}
        if name == "good or defect":
            look = {"color": VERMILLION, "lw": 1.4, "marker": "o", "ms": 3.5, "markevery": 0.12, "zorder": 5}
        elif name != "this model":
            look = dict(zip(("color", "ls"), next(baselines), strict=True)) | {"lw": 1.5, "zorder": 3}
        looks.append((name, line, look))
    return looks


def _line(
    axes: Axes, at: np.ndarray, values: np.ndarray, band: np.ndarray | None, label: str, look: dict[str, Any]
) -> None:
    axes.plot(at, values, label=label, **look)
    if band is not None:
        axes.fill_between(at, *band, color=look["color"], alpha=0.2, linewidth=0, zorder=2)


def _finish(figure: Figure, axes: Axes) -> None:
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    figure.legend(loc="outside lower center", ncols=3, handlelength=3)
