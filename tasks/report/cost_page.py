"""What a threshold costs, as a picture, and the page of a release that was calibrated anew."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from tasks.config.run import CostConfig, EvaluateConfig
from tasks.evaluation.costs import ThresholdCost, ThresholdRequest, cost_curve, threshold_cost
from tasks.registry.release_files import DEFECT_THRESHOLD, CalibrationScores
from tasks.registry.releases import Release
from tasks.report.pictures import BLACK, BLUE, GREEN, GREY, VERMILLION, Picture, chart
from tasks.report.templating import environment


def cost_chart(points: list[ThresholdCost], cuts: dict[str, float]) -> Picture:
    """Shares of defects that escape and of good parts over-killed, and what both cost where costs are stated.

    `cuts` are thresholds to be marked, by what they are called.
    """
    priced = points[0].cost is not None
    x = [point.threshold for point in points]

    def draw(figure: Figure) -> None:
        axes = np.atleast_1d(figure.subplots(1 + priced, 1, sharex=True))
        _band(axes[0], x, points, "escapes", VERMILLION, "-")
        _band(axes[0], x, points, "false_alarms", BLUE, "--")
        axes[0].set(ylim=(0, 1.02))
        axes[0].yaxis.set_major_formatter(PercentFormatter(1))
        if priced:
            _band(axes[1], x, points, "cost", GREEN, "-")
            axes[1].set(ylim=(0, None))
        for ax in axes:
            for (name, cut), style in zip(cuts.items(), (":", "-."), strict=False):
                ax.axvline(cut, color=BLACK if style == ":" else GREY, lw=1.2, ls=style, label=name)

    alt = f"escapes and over-kills over {len(points)} thresholds" + (", and what they cost" if priced else "")
    return chart(draw, alt, (6.4, 4.6 if priced else 2.8))


def _band(axes: Any, x: list[float], points: list[ThresholdCost], name: str, colour: str, style: str) -> None:
    values = np.array([_triple(getattr(point, name)) for point in points])
    axes.fill_between(x, values[:, 1], values[:, 2], color=colour, alpha=0.15, lw=0)
    axes.plot(x, values[:, 0], style, color=colour, lw=1.6)


def _triple(told: Any) -> tuple[float, float, float]:
    return told if isinstance(told, tuple) else (told.value, told.low, told.high)


def render_recalibrated(
    manifest: dict[str, Any],
    report: dict[str, Any],
    scores: CalibrationScores,
    asked: ThresholdRequest,
    parent: Release,
) -> str:
    """The page of a release with another threshold than its parent's, as HTML text."""
    evaluate = EvaluateConfig(**manifest["config"]["evaluate"])
    new = next(one for one in report["thresholds"] if one["name"] == DEFECT_THRESHOLD)
    before = manifest["recalibrated"]["before"]
    cuts = {"before": before["value"], "after": new["value"]}
    language = manifest["config"].get("report", {}).get("language", "en")
    return (
        environment(language)
        .get_template("recalibrated.html")
        .render(
            manifest=manifest,
            parent=parent.version,
            rows=[
                (one, threshold_cost(one["value"], scores, asked.cost, evaluate.confidence))
                for one in (before, new)
                if one["value"] is not None
            ],
            cost=asked.cost,
            confidence=evaluate.confidence,
            picture=cost_chart(
                cost_curve(scores, asked.cost, evaluate.confidence), {k: v for k, v in cuts.items() if v is not None}
            ),
            unit=str(scores.unit_kind),
            language=language,
        )
    )


def cost_section(
    scores: CalibrationScores | None, cut: float | None, cost: CostConfig, confidence: float
) -> dict[str, Any] | None:
    """What the report shows of a threshold's price; None where there is no threshold, or no defect to escape."""
    if scores is None or cut is None or not len(scores.score):
        return None
    _, defect, _ = scores.part(True)
    if defect.all() or not defect.any():
        return None
    found = {
        "price": threshold_cost(cut, scores, cost, confidence),
        "best": None,
        "cost": cost,
        "unit": str(scores.unit_kind),
    }
    cuts = {"calibrated": cut}
    if None not in (cost.prevalence, cost.escape, cost.overkill):
        from tasks.evaluation.costs import cheapest_threshold

        cuts["cheapest"] = cheapest_threshold(scores, cost)
        found["best"] = threshold_cost(cuts["cheapest"], scores, cost, confidence)
    return found | {"picture": cost_chart(cost_curve(scores, cost, confidence), cuts)}
