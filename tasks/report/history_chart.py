"""The picture of a line's history: every model in order, the champion as a band; it is readable at 400 pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from tasks.report.history import LineHistory, Measured, Model, Reign
from tasks.report.pictures import BLACK, BLUE, GREEN, GREY, ORANGE, SKY, VERMILLION, Picture, chart

MAX_MODELS = 24  # the newest; more would not be told apart at 400 pixels
WIDTH = 4.1  # inches: 394 pixels
DRIFT = {"steady": ("o", GREEN), "watch": ("^", ORANGE), "drifted": ("X", VERMILLION)}
TITLES = {"good_auroc": "good-or-defect AUROC", "auroc": "verification AUROC"}
MOST_LABELS = 9  # names below the axis
MOST_REIGNS = 14  # names of champions side by side above it


def history_chart(history: LineHistory) -> Picture:
    """The figures of the newest models with intervals, escapes and false alarms, and the last verdict on drift.

    history: with one model at least.
    """
    first = max(0, len(history.models) - MAX_MODELS)
    models, place = history.models[first:], np.arange(first, len(history.models))
    has_drift = any(model.drift for model in models)

    def draw(figure: Figure) -> None:
        heights = [2.2, 2.0, *([0.45] if has_drift else [])]
        axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
        _draw_figure(axes[0], history, models, place)
        _draw_rates(axes[1], models, place)
        if has_drift:
            _draw_drift(axes[2], models, place)
        for plot in axes:
            _mark_new_test_sets(plot, models, place)
        _name_models(axes[-1], models, place)
        axes[0].set_xlim(place[0] - 0.5, _end(history, place))

    values = [model.auroc.value for model in models if model.auroc.value is not None]
    spread = f", {TITLES[history.figure]} from {min(values):.3f} to {max(values):.3f}" if values else ""
    alt = f"history of {len(models)} models{spread}; champion {history.champion or 'none'}"
    return chart(draw, alt, (WIDTH, 5.6 if has_drift else 5.1))


def _draw_figure(axes: Axes, history: LineHistory, models: Sequence[Model], place: np.ndarray) -> None:
    """Each model's figure: filled where it was released; the champion's interval as a band over its time."""
    low, high = place[0] - 0.5, _end(history, place)
    reigns = [reign for reign in history.reigns if reign.end > low and reign.start < high]
    for reign in reigns:
        _draw_reign(axes, reign, history.model(reign.name))
    kinds = (
        ("released", ("released", "recalibrated", "enrolled"), "o", BLUE),
        ("candidate", ("candidate",), "D", "white"),
        ("rejected", ("rejected",), "X", "white"),
    )
    for title, statuses, marker, face in kinds:
        rows = [i for i, model in enumerate(models) if model.status in statuses and model.auroc.value is not None]
        colour = GREY if title == "rejected" else BLUE
        look = {"marker": marker, "color": colour, "markerfacecolor": face, "label": title}
        _draw_measured(axes, place[rows], [models[i].auroc for i in rows], **look)
    axes.set_title(f"{TITLES[history.figure]}; band: the champion")
    axes.margins(y=0.16)
    if not any(model.auroc.value is not None for model in models):
        axes.set_yticks([])
        axes.text(0.5, 0.5, "unknown: good parts alone", ha="center", color=GREY, transform=axes.transAxes)
    _name_reigns(axes, reigns, place)
    _add_legend(axes, "lower right")


def _add_legend(axes: Axes, place: str) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc=place, ncols=3, handletextpad=0.2, columnspacing=0.8, borderaxespad=0.1)


def _end(history: LineHistory, place: np.ndarray) -> float:
    """Where the axis ends: a champion that came back after the last model has room, too."""
    return max([place[-1] + 0.5, *(reign.end for reign in history.reigns[-1:])])


def _draw_reign(axes: Axes, reign: Reign, model: Model | None) -> None:
    if model is None or model.auroc.value is None:
        return
    value, interval = model.auroc.value, model.auroc.interval or (model.auroc.value, model.auroc.value)
    axes.fill_between([reign.start, reign.end], *interval, color=SKY, alpha=0.3, lw=0)
    axes.plot([reign.start, reign.end], [value, value], color=BLUE, lw=1.2)


def _name_reigns(axes: Axes, reigns: Sequence[Reign], place: np.ndarray) -> None:
    """The champions' names above their bands, where there is room."""
    least = len(place) / MOST_REIGNS
    frame = axes.get_xaxis_transform()
    for reign in reigns:
        start, end = max(reign.start, place[0] - 0.5), reign.end
        if end - start >= least:
            look = {"ha": "center", "va": "top", "fontsize": 8.5, "bbox": {"fc": "white", "ec": "none", "pad": 0.6}}
            axes.text((start + end) / 2, 0.99, reign.name, transform=frame, **look)


def _draw_measured(axes: Axes, place: np.ndarray, values: Sequence[Measured], scale: float = 1, **look: object) -> None:
    """Points with their intervals."""
    if not len(place):
        return
    middle = np.array([entry.value for entry in values]) * scale
    ends = np.array([entry.interval or (entry.value, entry.value) for entry in values]) * scale
    reach = np.abs(ends.T - middle)
    axes.errorbar(place, middle, reach, ls="none", ms=5, elinewidth=1.1, capsize=2, **look)


def _draw_rates(axes: Axes, models: Sequence[Model], place: np.ndarray) -> None:
    """Escapes and false alarms on the test set, and hollow beside them those of parts whose labels came later."""
    looks = (("escapes", VERMILLION, "s", -0.14), ("false_alarms", BLUE, "o", 0.14))
    for name, colour, marker, shift in looks:
        rows = [i for i, model in enumerate(models) if getattr(model, name).value is not None]
        values = [getattr(models[i], name) for i in rows]
        _draw_measured(axes, place[rows] + shift, values, color=colour, marker=marker, label=name.replace("_", " "))
        later = [(i, seen) for i, model in enumerate(models) if (seen := _later(model, name)) is not None]
        title = None if rows else name.replace("_", " ")
        look = {"color": colour, "marker": "D", "markerfacecolor": "white", "label": title}
        _draw_measured(axes, place[[i for i, _ in later]] + shift * 2.4, [seen for _, seen in later], **look)
    if any(model.labelled for model in models):
        axes.plot([], [], "D", color=BLACK, markerfacecolor="white", ms=5, label="labels came later")
    axes.set(title="Escapes and false alarms", ylim=(0, 1.2 * axes.get_ylim()[1]))  # room for the legend
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    _add_legend(axes, "upper right")


def _later(model: Model, name: str) -> Measured | None:
    """What was seen of a model where labels came."""
    rate = model.labelled and model.labelled.facts.get(name)
    return Measured(rate["rate"], tuple(rate["interval"])) if rate else None


def _draw_drift(axes: Axes, models: Sequence[Model], place: np.ndarray) -> None:
    for status, (marker, colour) in DRIFT.items():
        rows = [i for i, model in enumerate(models) if model.drift and model.drift.facts.get("status") == status]
        if rows:
            axes.plot(place[rows], np.zeros(len(rows)), marker, color=colour, ms=6, label=status, ls="none")
    axes.set(title="Drift, last verdict", yticks=[], ylim=(-1, 1))
    axes.legend(
        loc="lower right", bbox_to_anchor=(1, 0.95), ncols=3, handletextpad=0.1, columnspacing=0.8, borderaxespad=0
    )


def _mark_new_test_sets(axes: Axes, models: Sequence[Model], place: np.ndarray) -> None:
    """A dotted line where the test set is another one than that of the model before."""
    for before, model, x in zip(models[:-1], models[1:], place[1:], strict=True):
        if before.frozen != model.frozen:
            axes.axvline(x - 0.5, color=BLACK, lw=0.9, ls=":")


def _name_models(axes: Axes, models: Sequence[Model], place: np.ndarray) -> None:
    """The names of releases below the axis, as many as there is room for; a draft has a mark instead."""
    each = -(-len(models) // MOST_LABELS)
    axes.set_xticks(place[::-1][::each], [_tick(model) for model in models[::-1][::each]])
    axes.tick_params(axis="x", labelsize=8.5)


def _tick(model: Model) -> str:
    return "×" if model.status == "rejected" else model.name
