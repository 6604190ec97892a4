"""The report's charts: training curves, histograms of distances with their thresholds, ROC curves.

Every line differs by its dashes or hatches too, not by colour alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from sklearn.metrics import roc_curve

from tasks.evidence import Evidence
from tasks.pictures import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILLION, Picture, chart
from tasks.standing import titled

Curves = dict[str, tuple[np.ndarray, np.ndarray]]

BASELINE_LINES = ((GREY, (0, (1, 1.2))), (PURPLE, (0, (6, 2))), (GREEN, (0, (5, 1.5, 1, 1.5))))


def training(history: dict[str, Any], margin: float) -> Picture:
    """Loss and validation loss with the margin, and below them the share of active triplets.

    history: as in history.json, with one epoch at least; margin: in units of the distance.
    """
    log, best = history["epochs"], history["best_epoch"]
    epoch = [line["epoch"] for line in log]

    def draw(figure: Figure) -> None:
        losses, active = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
        many = len(epoch) > 40
        losses.plot(epoch, [line["loss"] for line in log], "-" if many else "o-", color=BLUE, ms=3.5, label="training")
        held = [line["val_loss"] for line in log]
        losses.plot(epoch, held, "--" if many else "s--", color=VERMILLION, ms=3.5, label="validation")
        losses.axhline(margin, color=GREY, ls=":", lw=1.4, label=f"margin {margin:g}: nothing learnt")
        losses.set(title="Loss", ylim=(0, None))
        active.plot(epoch, [line["active"] for line in log], "-" if many else "D-", color=GREEN, ms=3)
        active.set(title="Triplets that still teach something", xlabel="epoch", ylim=(0, 1.04))
        active.set_xlim(0.5, max(epoch[-1], 2) + 0.5)
        active.yaxis.set_major_formatter(PercentFormatter(1))
        active.xaxis.set_major_locator(MaxNLocator(integer=True))
        for axes in (losses, active):
            axes.axvline(best, color=BLACK, lw=0.9, label=f"saved: epoch {best}")
        figure.legend(*losses.get_legend_handles_labels(), loc="outside lower center", ncols=2, handlelength=3)

    saved = next(line for line in log if line["epoch"] == best)
    alt = f"training curves over {len(log)} epochs; saved epoch {best} with validation loss {saved['val_loss']:.4f}"
    return chart(draw, alt, (4.9, 4.2))


def distances(evidence: Evidence, cut: float | None) -> Picture:
    """Histogram of all distances of records to their own mode's prototype and to the others, with the threshold."""
    own = np.arange(evidence.distances.shape[1]) == evidence.mode[:, None]
    kinds = ("own mode", evidence.distances[own]), ("another mode", evidence.distances[~own])
    title = "distance from a record to a prototype"
    return _histogram(kinds, cut, ("same mode", "different"), title, "share of the pairs")


def good_scores(evidence: Evidence, cut: float | None, fused: bool = False) -> Picture | None:
    """Histogram of the scores by which good is told from defect; None without a prototype, or good records."""
    if evidence.good_score is None or not evidence.good.any() or evidence.good.all():
        return None
    kinds = ("good", evidence.good_score[evidence.good]), ("defective", evidence.good_score[~evidence.good])
    title = "distance from a record to the good prototype"
    title = "ranks of distance to good and of the peak, added" if fused else title
    return _histogram(kinds, cut, ("passed", "stopped"), title, "share of the records")


def _histogram(
    kinds: tuple[tuple[str, np.ndarray], ...], cut: float | None, sides: tuple[str, str], title: str, of: str
) -> Picture:
    """Two kinds of value, each adding up to 100 %, and the cut with what lies to its left and right."""
    together = np.concatenate([values for _, values in kinds])
    low, high = float(together.min()), float(np.quantile(together, 0.998))
    edges = np.linspace(low, max(high, low + 1e-6, cut or low), 49)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        looks = ({"color": BLUE, "alpha": 0.45}, {"facecolor": "none", "edgecolor": VERMILLION, "hatch": "////"})
        for (name, values), look in zip(kinds, looks, strict=True):
            weights = np.full(len(values), 1 / len(values))
            inside = np.minimum(values, edges[-1])  # the last bin takes the few beyond
            axes.hist(inside, edges, weights=weights, histtype="stepfilled", lw=1, label=name, **look)
        axes.set(xlabel=title, ylabel=of)
        axes.margins(y=0.16)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        if cut is not None:
            _mark_cut(axes, cut, sides)
        axes.legend(loc="upper left", bbox_to_anchor=(0, 1.13), ncols=3, columnspacing=1.4, borderaxespad=0)

    middles = " and ".join(f"{np.median(values):.3g} for {name}" for name, values in kinds)
    marked = f"threshold {cut:.4g}" if cut is not None else "no threshold"
    return chart(draw, f"histogram: {title}; medians {middles}; {marked}")


def _mark_cut(axes: Axes, cut: float, sides: tuple[str, str]) -> None:
    """The threshold's line, and what lies on its sides where there is room to say so."""
    axes.axvline(cut, color=BLACK, lw=1.3, label=f"threshold {cut:.4g}")
    left, right = axes.get_xlim()
    place, frame = (cut - left) / (right - left), axes.get_xaxis_transform()
    if place > 0.25:
        axes.annotate(f"← {sides[0]}", (cut, 0.98), (-4, 0), frame, "offset points", ha="right", va="top", fontsize=8.5)
    if place < 0.75:
        axes.annotate(f"{sides[1]} →", (cut, 0.98), (4, 0), frame, "offset points", ha="left", va="top", fontsize=8.5)


def curves(evidence: Evidence) -> Curves:
    """False and true positive rates by name: this model, the raw baselines, and good or defect last."""
    own = (np.arange(evidence.distances.shape[1]) == evidence.mode[:, None]).ravel()
    named = {"this model": evidence.distances, **evidence.baseline_distances}
    found = {name: roc_curve(own, -values.ravel())[:2] for name, values in named.items()}
    if evidence.good_score is not None and evidence.good.any() and not evidence.good.all():
        found["good or defect"] = roc_curve(~evidence.good, evidence.good_score)[:2]
    return found


def roc(found: Curves, to: float = 1.0) -> Picture:
    """The ROC curves up to a false positive rate of `to`."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        baselines = iter(BASELINE_LINES * len(found))
        for name, (fpr, tpr) in found.items():
            look: dict[str, Any] = {"color": BLUE, "lw": 2.4}
            if name == "good or defect":
                look = {"color": VERMILLION, "lw": 1.4, "marker": "o", "ms": 3.5, "markevery": 0.12}
            elif name != "this model":
                look = dict(zip(("color", "ls"), next(baselines), strict=True)) | {"lw": 1.5}
            grid = np.linspace(0, to, 300)
            axes.plot(grid, tpr[np.searchsorted(fpr, grid, side="right") - 1], label=titled(name), **look)
        axes.plot([0, to], [0, to], color="#bbbbbb", lw=0.8, label="_chance" if to < 1 else "chance")
        axes.set(xlim=(0, to), ylim=(0, 1.02), xlabel="false positive rate", ylabel="true positive rate")
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        if to < 1:
            axes.axvline(0.01, color=ORANGE, lw=1, ls="--")
            axes.text(0.01, 0.98, "1 %", ha="center", va="top", fontsize=8.5, bbox={"color": "white", "pad": 1})
        figure.legend(loc="outside lower center", ncols=3, handlelength=3)

    at = 0.01 if to < 1 else 0.05
    rates = "; ".join(f"{name} {tpr[fpr <= at].max():.0%}" for name, (fpr, tpr) in found.items())
    return chart(draw, f"ROC curves; true positive rate at {at:.0%} false positives: {rates}", (4.9, 4.2))
