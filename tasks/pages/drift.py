"""The drift page: the verdict in words of the shop floor, control charts, and the cells that changed."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from tasks.core.inspection import DriftResult
from tasks.monitoring.control_charts import ControlChart
from tasks.monitoring.drift_tests import WATCH_LEVEL, DriftVerdict
from tasks.pages.templating import environment
from tasks.registry.loading import LoadedRelease
from tasks.report.pictures import BLACK, BLUE, GREY, VERMILLION, Picture, chart, difference_map

MAX_CHARTS = 6  # charts that are drawn, the clearest first
AXIS_LABELS = {"score": "score", "level": "β", "shape": "√Ve"}


def render_drift(release: LoadedRelease, verdict: DriftVerdict, result: DriftResult, language: str) -> str:
    """The page as HTML text; `result` is the verdict's summary."""
    effect = None if verdict.cells is None else verdict.cells.effect
    drawings = [draw_control_chart(control_chart) for control_chart, _ in verdict.charts[:MAX_CHARTS]]
    return (
        environment(language)
        .get_template("drift.html")
        .render(
            result=result,
            leading=None if verdict.leading is None else result.charts[0],
            charts=list(zip(result.charts, drawings, strict=False)),
            cells=result.cells,
            cell_map=None if effect is None else difference_map(effect, "map of the change of each cell"),
            largest_effect=None if effect is None else float(np.abs(effect).max()),
            watch_level=WATCH_LEVEL,
            score_unit=release.classifier.unit,
            language=language,
        )
    )


def draw_control_chart(control_chart: ControlChart) -> Picture:
    """Subgroup means in the order of the parts, their moving average, centre and limits; points beyond are marked."""
    first, means = control_chart.first, control_chart.means

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.axhline(control_chart.spread.mean, color=GREY, lw=1)
        for limit in (control_chart.low, control_chart.high):
            axes.axhline(limit, color=VERMILLION, lw=1, ls="--")
        axes.plot(first, means, "o", color=BLUE, ms=2.6)
        axes.plot(first, control_chart.average, "-", color=BLACK, lw=1.3)
        beyond = (means < control_chart.low) | (means > control_chart.high)
        axes.plot(first[beyond], means[beyond], "s", color=VERMILLION, ms=4)
        if control_chart.since is not None:
            axes.axvline(control_chart.since, color=BLACK, lw=0.8, ls=":")
        axes.set(xlabel="part, in the order of the source", ylabel=AXIS_LABELS[control_chart.title])

    records = "of records predicted good" if control_chart.mode is None else f"of mode {control_chart.mode}"
    points = f"{len(means)} points, {control_chart.beyond} beyond the limits"
    return chart(draw, f"control chart of the {control_chart.title} {records}: {points}", (4.9, 2.5))
