"""The picture of a sweep: what the figure does over each setting that was searched."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tasks.config.overrides import read_value
from tasks.config.search_space import SearchAxis
from tasks.evaluation.ranking import Ranking, RankingRow
from tasks.report.pictures import BLACK, BLUE, GREY, VERMILLION, Picture, chart

MOST_CELLS = 12  # of a heat map, each way: more cannot be read
ACROSS = 2  # panels in a row


def sweep_chart(ranking: Ranking, axes: list[SearchAxis], figure: str) -> Picture:
    """A heat map where two settings were searched as a full grid, else a panel for each setting."""
    rows = [row for row in ranking.rows if row.mean is not None]
    first = rows[0]
    alt = f"{figure} over {', '.join(axis.key for axis in axes)}; best mean {first.mean:.4f} at {first.candidate.title}"
    varied = [axis for axis in axes if len(_places(rows, axis)) > 1] or axes[:1]
    if len(varied) == 2 and _full(rows, varied):
        wide, tall = len(_places(rows, varied[0])), len(_places(rows, varied[1]))
        size = (max(3.6, 1.8 + 0.85 * wide), max(2.4, 1.4 + 0.5 * tall))
        return chart(lambda drawing: _heat(drawing, ranking, rows, varied, figure), alt, size)
    down = -(-len(varied) // ACROSS)
    size = (4.9 * min(len(varied), ACROSS), 3.2 * down)
    return chart(lambda drawing: _panels(drawing, ranking, rows, varied, figure), alt, size)


def _places(rows: list[RankingRow], axis: SearchAxis) -> list[Any]:
    """The distinct values of a setting: numbers rising, others in the order of the search."""
    values = dict.fromkeys(
        read_value(row.candidate.config, axis.key) for row in sorted(rows, key=lambda row: row.number)
    )
    return sorted(values) if all(_numeric(value) for value in values) else list(values)


def _numeric(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _full(rows: list[RankingRow], axes: list[SearchAxis]) -> bool:
    counts = [len(_places(rows, axis)) for axis in axes]
    return len(rows) >= 0.75 * counts[0] * counts[1] and max(counts) <= MOST_CELLS


def _heat(drawing: Figure, ranking: Ranking, rows: list[RankingRow], axes: list[SearchAxis], figure: str) -> None:
    """The means as coloured and numbered cells; white where every seed failed. The chosen one has a frame."""
    across, up = (_places(rows, axis) for axis in axes)
    values = np.full((len(up), len(across)), np.nan)
    for row in rows:
        values[_cell(row, axes, across, up)] = row.mean
    plot = drawing.add_subplot()
    image = plot.imshow(values, cmap="cividis", origin="lower", aspect="auto")
    middle = (np.nanmin(values) + np.nanmax(values)) / 2
    for (y, x), value in np.ndenumerate(values):
        if np.isfinite(value):
            ink = "white" if value < middle else BLACK
            plot.text(x, y, f"{value:.3f}", ha="center", va="center", color=ink, fontsize=8.5)
        else:
            plot.text(x, y, "failed", ha="center", va="center", color=GREY, fontsize=8.5)
    y, x = _cell(ranking.chosen, axes, across, up)
    frame = {"fill": False, "edgecolor": VERMILLION, "lw": 2.6, "label": "chosen"}
    plot.add_patch(_square(x, y, **frame))
    plot.set(xticks=range(len(across)), yticks=range(len(up)), xlabel=axes[0].key, ylabel=axes[1].key)
    plot.set_xticklabels([_text(value) for value in across])
    plot.set_yticklabels([_text(value) for value in up])
    plot.grid(visible=False)
    plot.set_title(f"{figure}, mean over seeds; chosen: the frame")
    drawing.colorbar(image)


def _square(x: int, y: int, **look: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x - 0.47, y - 0.47), 0.94, 0.94, **look)


def _cell(row: RankingRow, axes: list[SearchAxis], across: list[Any], up: list[Any]) -> tuple[int, int]:
    x, y = (read_value(row.candidate.config, axis.key) for axis in axes)
    return up.index(y), across.index(x)


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _panels(drawing: Figure, ranking: Ranking, rows: list[RankingRow], axes: list[SearchAxis], figure: str) -> None:
    """One panel a setting: seeds where it is the only one, else each combination's mean; the line joins the means."""
    down = -(-len(axes) // ACROSS)
    plots = drawing.subplots(down, min(len(axes), ACROSS), squeeze=False, sharey=True).ravel()
    for plot, axis in zip(plots, axes, strict=False):
        _panel(plot, ranking, rows, axis, alone=len(axes) == 1)
    for empty in plots[len(axes) :]:
        empty.remove()
    for first in plots[::ACROSS]:
        first.set_ylabel(figure)
    labels = {name: look for plot in plots for look, name in zip(*plot.get_legend_handles_labels(), strict=True)}
    drawing.legend(labels.values(), labels.keys(), loc="outside lower center", ncols=4)


def _panel(plot: Axes, ranking: Ranking, rows: list[RankingRow], axis: SearchAxis, alone: bool) -> None:
    places = _places(rows, axis)
    numbers = all(_numeric(place) for place in places)
    at = {place: place if numbers else index for index, place in enumerate(places)}
    here = [at[read_value(row.candidate.config, axis.key)] for row in rows]
    by_place: dict[Any, list[float]] = defaultdict(list)
    for x, row in zip(here, rows, strict=True):
        by_place[x].append(row.mean)
        if alone and row.low is not None:
            plot.plot([x, x], [row.low, row.high], color=GREY, lw=1.2, label="interval")
        seeds = row.figures if alone else [row.mean]
        plot.plot([x] * len(seeds), seeds, "o", color=BLUE, ms=4, alpha=0.6, label="_")
    plot.plot([], [], "o", color=BLUE, ms=4, label="one seed" if alone else "one combination, mean over seeds")
    line = sorted((x, float(np.mean(values))) for x, values in by_place.items())
    few = len(line) <= len(rows) / 2 or alone  # of values that each stand alone, a line would only follow the noise
    if few:
        plot.plot(*zip(*line, strict=True), "-" if numbers else "_", color=BLACK, lw=1.3, label="mean", zorder=1)
    chosen = at[read_value(ranking.chosen.candidate.config, axis.key)]
    plot.plot([chosen], [ranking.chosen.mean], "D", mfc="none", mec=VERMILLION, mew=1.8, ms=9, label="chosen")
    plot.set_xlabel(axis.key)
    plot.margins(y=0.12)
    _scale(plot, axis, places, numbers)


def _scale(plot: Axes, axis: SearchAxis, places: list[Any], numbers: bool) -> None:
    """Logarithmic for a range that says so, and for values that span more than a factor of 30; names as they are."""
    if not numbers:
        plot.set_xticks(range(len(places)), [_text(place) for place in places])
        plot.margins(x=0.2)
    elif axis.log or (places[0] > 0 and places[-1] / places[0] > 30):
        plot.set_xscale("log")
