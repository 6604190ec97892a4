"""The page of a drift: the verdict in the shop floor's words, control charts, and the cells that changed."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from tasks.core.results import DriftResult
from tasks.monitoring.control_charts import ControlChart
from tasks.monitoring.drift_tests import DriftVerdict
from tasks.registry.loading import LoadedRelease
from tasks.report.pictures import BLACK, BLUE, GREY, VERMILLION, Picture, chart, difference_map
from tasks.report.templating import environment

MAX_CHARTS = 6  # charts that are drawn, the clearest first
SIGNS = {"score": "score", "level": "β", "shape": "√Ve"}


def render_drift(opened: LoadedRelease, found: DriftVerdict, told: DriftResult, language: str) -> str:
    """The page as HTML text."""
    shown = found.charts[:MAX_CHARTS]
    cells = found.cells
    return (
        environment(language)
        .get_template("drift.html")
        .render(
            told=told,
            leading=None if found.leading is None else told.charts[0],
            charts=[(told.charts[i], control_chart(one)) for i, (one, _) in enumerate(shown)],
            cells=told.cells,
            cell_map=None if cells is None else difference_map(cells.effect, "map of how far each cell moved"),
            reach=None if cells is None else float(np.abs(cells.effect).max()),
            distance=opened.judge.unit,
            language=language,
        )
    )


def control_chart(one: ControlChart) -> Picture:
    """Subgroup means over the parts' order, their moving average, centre and limits; those beyond are marked."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.axhline(one.spread.mean, color=GREY, lw=1)
        for limit in (one.low, one.high):
            axes.axhline(limit, color=VERMILLION, lw=1, ls="--")
        axes.plot(one.first, one.means, "o", color=BLUE, ms=2.6)
        axes.plot(one.first, one.average, "-", color=BLACK, lw=1.3)
        out = (one.means < one.low) | (one.means > one.high)
        axes.plot(one.first[out], one.means[out], "s", color=VERMILLION, ms=4)
        if one.since is not None:
            axes.axvline(one.since, color=BLACK, lw=0.8, ls=":")
        axes.set(ylabel=SIGNS[one.title])

    whose = "of parts called good" if one.mode is None else f"of mode {one.mode}"
    alt = f"control chart of the {one.title} {whose}: {len(one.means)} points, {one.beyond} beyond the limits"
    return chart(draw, alt, (4.9, 2.5))
