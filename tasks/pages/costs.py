"""What a threshold costs, as a chart, and the page of a release with another threshold than its parent's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from tasks.config.run import CostConfig
from tasks.core.json_form import Json
from tasks.evaluation.costs import (
    ErrorRate,
    Interval,
    Recalibration,
    ThresholdCost,
    cheapest_threshold,
    cost_curve,
    has_costs,
    threshold_cost,
)
from tasks.pages.templating import environment
from tasks.registry.manifest import ReleaseManifest
from tasks.registry.release_files import CalibrationScores
from tasks.report.pictures import BLACK, BLUE, GREEN, GREY, VERMILLION, Picture, chart


@dataclass(frozen=True)
class CostSection:
    """What the report shows of the calibrated threshold's cost, and of the cheapest where the costs are stated.

    unit: `record` or `group`, what the intervals draw.
    """

    price: ThresholdCost
    best: ThresholdCost | None
    cost: CostConfig
    unit: str
    picture: Picture


def cost_chart(points: list[ThresholdCost], marked: dict[str, float]) -> Picture:
    """Shares of escapes and over-kills by threshold, and their cost where costs are stated.

    points: in order of their thresholds; marked: thresholds that get a line, by their labels.
    """
    priced = points[0].cost is not None
    x = [point.threshold for point in points]

    def draw(figure: Figure) -> None:
        axes = np.atleast_1d(figure.subplots(1 + priced, 1, sharex=True))
        _band(axes[0], x, [_ends(point.escapes) for point in points], VERMILLION, "-")
        _band(axes[0], x, [_ends(point.false_alarms) for point in points], BLUE, "--")
        axes[0].set(ylim=(0, 1.02), ylabel="share of parts")
        axes[0].yaxis.set_major_formatter(PercentFormatter(1))
        if priced:
            _band(axes[1], x, [point.cost for point in points], GREEN, "-")
            axes[1].set(ylim=(0, None), ylabel="cost")
        axes[-1].set(xlabel="threshold")
        for axis in axes:
            for (name, value), (colour, style) in zip(marked.items(), ((BLACK, ":"), (GREY, "-.")), strict=False):
                axis.axvline(value, color=colour, lw=1.2, ls=style, label=name)

    alt = f"escapes and over-kills over {len(points)} thresholds" + (", and what they cost" if priced else "")
    return chart(draw, alt, (6.4, 4.6 if priced else 2.8))


def _band(axes: Axes, x: list[float], intervals: list[Interval], colour: str, style: str) -> None:
    values = np.array(intervals)
    axes.fill_between(x, values[:, 1], values[:, 2], color=colour, alpha=0.15, lw=0)
    axes.plot(x, values[:, 0], style, color=colour, lw=1.6)


def _ends(rate: ErrorRate) -> Interval:
    return rate.value, rate.low, rate.high


def render_recalibrated(manifest: ReleaseManifest, change: Recalibration) -> str:
    """The page of a release with another threshold than its parent's, as HTML text."""
    prices = change.prices()
    curve = cost_curve(change.scores, change.cost, change.confidence)
    values: Json = {
        "manifest": manifest,
        "parent": manifest.parent_version,
        "prices": prices,
        "warning": change.contradiction(),
        "cost": change.cost,
        "confidence": change.confidence,
        "picture": cost_chart(curve, {name: price.threshold for name, price in prices.items()}),
        "unit": str(change.scores.unit_kind),
        "language": manifest.language,
    }
    return environment(manifest.language).get_template("recalibrated.html").render(values)


def cost_section(
    scores: CalibrationScores, threshold: float | None, cost: CostConfig, confidence: float
) -> CostSection | None:
    """What the report shows of a threshold's cost; None without a threshold, or without both kinds of test records."""
    _, defect, _ = scores.part(True)
    if threshold is None or defect.all() or not defect.any():
        return None
    marked, best = {"calibrated": threshold}, None
    if has_costs(cost):
        marked["cheapest"] = cheapest_threshold(scores, cost)
        best = threshold_cost(marked["cheapest"], scores, cost, confidence)
    return CostSection(
        price=threshold_cost(threshold, scores, cost, confidence),
        best=best,
        cost=cost,
        unit=str(scores.unit_kind),
        picture=cost_chart(cost_curve(scores, cost, confidence), marked),
    )
