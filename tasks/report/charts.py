"""The report's charts: training curves, distances of every kind of pair, histograms with their thresholds.

Every line differs by its dashes or hatches too, not by colour alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from tasks.core.json_form import Json
from tasks.evaluation.report_data import Misclassification, PairContrast, ReportData, TripletExample
from tasks.report.pictures import BLACK, BLUE, GREEN, GREY, VERMILLION, HeatMaps, Picture, chart, on_one_scale

VALIDATION_CURVES = (
    ("val_auroc", "verification AUROC", "o-", VERMILLION),
    ("val_mode_accuracy", "mode accuracy", "s--", BLACK),
)


def training_curves(history: Json, margin: float | None) -> Picture:
    """The loss, how well the validation part is told apart, and the share of active triplets by epoch.

    history: as in history.json, with one epoch at least; margin: in units of the distance, None where the
    training's loss is another than that of the validation part, which is then not beside it.
    """
    log, best = history["epochs"], history["best_epoch"]
    epoch, many = [line["epoch"] for line in log], len(log) > 40
    measured = log[0].get("val_auroc") is not None  # not by earlier versions

    def values(name: str) -> list[float]:
        return [line[name] for line in log]

    def draw(figure: Figure) -> None:
        rows = {"loss": 2.0, **({"validation": 1.4} if measured else {}), "active": 1.0}
        axes = dict(
            zip(rows, figure.subplots(len(rows), 1, sharex=True, height_ratios=list(rows.values())), strict=True)
        )
        axes["loss"].plot(epoch, values("loss"), "-" if many else "o-", color=BLUE, ms=3.5, label="training loss")
        if margin is not None:
            style = "--" if many else "s--"
            axes["loss"].plot(epoch, values("val_loss"), style, color=VERMILLION, ms=3.5, label="validation loss")
            axes["loss"].axhline(margin, color=GREY, ls=":", lw=1.4, label=f"margin {margin:g}: no learning")
        axes["loss"].set(title="Loss", ylim=(0, None))
        if measured:
            for name, title, style, colour in VALIDATION_CURVES:
                axes["validation"].plot(
                    epoch, values(name), style.strip("os") if many else style, color=colour, ms=3.5, label=title
                )
            axes["validation"].set(title="Validation part", ylim=(None, 1.02))
        axes["active"].plot(epoch, values("active"), "-" if many else "D-", color=GREEN, ms=3)
        axes["active"].set(title="Active triplets", xlabel="epoch", ylim=(0, 1.04))
        axes["active"].set_xlim(0.5, max(epoch[-1], 2) + 0.5)
        axes["active"].yaxis.set_major_formatter(PercentFormatter(1))
        axes["active"].xaxis.set_major_locator(MaxNLocator(integer=True))
        for plot in axes.values():
            plot.axvline(best, color=BLACK, lw=0.9, label=f"saved: epoch {best}")
        entries = [plot.get_legend_handles_labels() for plot in axes.values()]
        named = {label: handle for pair in entries for handle, label in zip(*pair, strict=True)}
        figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=2, handlelength=3)

    saved = next(line for line in log if line["epoch"] == best)
    result = f"verification AUROC {saved['val_auroc']:.3f}" if measured else f"loss {saved['val_loss']:.4f}"
    alt = f"training curves over {len(log)} epochs; saved epoch {best} with validation {result}"
    return chart(draw, alt, (4.9, 5.4 if measured else 4.2))


def distance_histogram(evidence: ReportData, cut: float | None) -> Picture:
    """Histogram of all distances of records to their own mode's prototype and to the others, with the threshold."""
    own = np.arange(evidence.distances.shape[1]) == evidence.mode[:, None]
    kinds = ("own mode", evidence.distances[own]), ("another mode", evidence.distances[~own])
    title = "distance from a record to a prototype"
    return _histogram(kinds, cut, ("same mode", "different"), title, "share of the pairs")


def score_histogram(evidence: ReportData, cut: float | None, score: str = "distance") -> Picture | None:
    """Histogram of the anomaly scores; None without a good prototype, or without both kinds of records."""
    if evidence.good_score is None or not evidence.good.any() or evidence.good.all():
        return None
    kinds = ("good", evidence.good_score[evidence.good]), ("defective", evidence.good_score[~evidence.good])
    titles = {
        "fused": "fused score of distance to good and peak",
        "patches": "fused score of distance to good and strangest place",
    }
    title = titles.get(score, "distance from a record to the good prototype")
    return _histogram(kinds, cut, ("passed", "stopped"), title, "share of the records")


def good_histogram(left_out: np.ndarray, test: np.ndarray, cut: float | None) -> Picture:
    """Histogram of the scores of good parts: those that the threshold was found on, and test records."""
    kinds = ("calibration", left_out), ("test", test)
    return _histogram(kinds, cut, ("passed", "stopped"), "score of a good part", "share of the records")


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
            inside = np.minimum(values, edges[-1])  # the last bin includes all larger values
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


def ridges(contrasts: list[PairContrast]) -> Picture:
    """The distances of each kind of pair, one below the other on one axis, with median and middle 90 %."""
    rows = [row for contrast in contrasts for row in contrast.rows]
    high = max(float(np.quantile(values, 0.998)) for _, values in rows)
    edges = np.linspace(0, max(high, 1e-6), 61)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for i, (name, values) in enumerate(rows):
            foot = 1.6 * (len(rows) - 1 - i) + 0.3 * ((len(rows) - 1 - i) // 2)  # the two of a contrast stand closer
            _ridge(axes, np.minimum(values, edges[-1]), edges, foot, near=i % 2 == 0)
            axes.text(edges[-1], foot + 1.06, name, ha="right", va="center", fontsize=8.5)
        axes.set(xlabel="distance between the two", yticks=[], xlim=(0, edges[-1]), ylim=(-0.3, None))
        axes.spines["left"].set_visible(False)

    medians = "; ".join(f"{name} {np.median(values):.3g}" for name, values in rows)
    return chart(draw, f"distances of each kind of pair; medians: {medians}", (4.9, 0.68 * len(rows) + 0.6))


def _ridge(axes: Axes, values: np.ndarray, edges: np.ndarray, foot: float, near: bool) -> None:
    """One kind's histogram of height 0.8 on its foot, and below it the middle 90 % with the median."""
    height = np.histogram(values, edges)[0]
    height = np.append(height, height[-1]) / max(height.max(), 1) * 0.8
    look: dict[str, Any] = {"facecolor": BLUE, "alpha": 0.5} if near else {"facecolor": "none", "hatch": "////"}
    colour = BLUE if near else VERMILLION
    axes.fill_between(edges, foot, foot + height, step="post", edgecolor=colour, lw=0.9, **look)
    low, middle, top = np.quantile(values, [0.05, 0.5, 0.95])
    axes.plot([low, top], [foot - 0.14] * 2, color=colour, lw=2.2, solid_capstyle="butt")
    axes.plot([middle], [foot - 0.14], "o" if near else "D", color=colour, ms=5, mec="white", mew=0.8)


def heat_maps(example: TripletExample) -> HeatMaps:
    """Anchor, positive and negative of a triplet on one scale."""
    alts = (
        f"heat map of the anchor, the mean map of mode {example.anchor_mode}",
        f"heat map of a record of mode {example.anchor_mode}",
        f"heat map of a record of mode {example.negative_mode}",
    )
    return on_one_scale((example.anchor, example.positive, example.negative), alts, example)


def mistake_maps(mistake: Misclassification) -> HeatMaps:
    """A misclassified record and the nearest training records of its own and of the predicted mode, on one scale.

    The scale ends below the few brightest cells: otherwise one strong mark would hide weak ones.
    """
    alts = (
        f"heat map of a test record of mode {mistake.own_mode}",
        f"heat map of the nearest training record of mode {mistake.own_mode}",
        f"heat map of the nearest training record of mode {mistake.predicted_mode}",
    )
    return on_one_scale((mistake.record, mistake.own, mistake.predicted), alts, mistake, 0.998)
