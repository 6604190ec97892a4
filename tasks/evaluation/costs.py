"""A threshold in money: what missed defects and stopped good parts cost, for every 10 000 parts.

An escape is a defect that passes as good, an over-kill (false alarm) is a good part that is stopped. Their rates come
from the test part; how rare defects are on the line, and what each mistake costs, only the factory knows.

Intervals: Clopper and Pearson's of each rate, so that an error that was not seen is still possible. Where groups are
drawn instead of records, the number of records is divided by their design effect (Korn and Graubard 1998). Sums of
both rates have the interval that follows from both (MOVER: Zou and Donner 2008). Clopper and Pearson's holds the true
rate at least as often as asked; the other two are approximations, and docs/costs.md says how often they held it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from tasks.config.run import CostConfig
from tasks.core.errors import BadSetting
from tasks.core.json_form import Json
from tasks.core.sentences import Sentence, sentence
from tasks.evaluation.intervals import share_interval
from tasks.registry.release_files import CalibrationScores, Threshold

CHEAPEST = "cheapest"  # the rule that needs costs; the others are in tasks/evaluation/thresholds.py
PARTS_PER_COST = 10_000
MAX_CURVE_POINTS = 400

Interval = tuple[float, float, float]  # value, low, high


@dataclass(frozen=True)
class ThresholdRequest:
    """A threshold that is asked for: its rule (see thresholds.py, or `cheapest`), its target, and the costs."""

    rule: str
    target: float
    cost: CostConfig

    def __post_init__(self) -> None:
        """Raise BadSetting where the cheapest threshold is asked for without all costs."""
        if self.rule == CHEAPEST and not has_costs(self.cost):
            names = ("prevalence", "escape", "overkill")
            options = [f"--{name}" for name in names if getattr(self.cost, name) is not None]
            raise BadSetting(
                "--cheapest: expected --prevalence, --escape and --overkill, "
                f"found {' and '.join(options) or 'none of them'}"
            )


@dataclass(frozen=True)
class ErrorRate:
    """A share with its interval: `count` of `of` records."""

    value: float
    low: float
    high: float
    count: int
    of: int

    def per_parts(self, parts: float) -> Interval:
        """How many of so many parts have the error."""
        return self.value * parts, self.low * parts, self.high * parts


@dataclass(frozen=True)
class ThresholdCost:
    """The errors of a threshold: rates, and counts and cost (in the currency) of 10 000 parts as (value, low, high).

    Counts and cost are None where the prevalence or the costs are not stated.
    """

    threshold: float
    false_alarms: ErrorRate
    escapes: ErrorRate
    overkilled: Interval | None
    escaped: Interval | None
    cost: Interval | None

    def as_json(self) -> Json:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Recalibration:
    """A release's threshold and the one that replaces it, and by which scores and costs both are compared."""

    before: Threshold
    after: Threshold
    scores: CalibrationScores
    cost: CostConfig
    confidence: float

    def prices(self, test: bool = True) -> dict[str, ThresholdCost]:
        """What `before` and `after` cost on the test part, or on the calibration part, which chose the threshold.

        A release without a threshold has no price before.
        """
        values = {"before": self.before.value, "after": self.after.value}
        return {
            name: threshold_cost(value, self.scores, self.cost, self.confidence, test)
            for name, value in values.items()
            if value is not None
        }

    def contradiction(self) -> Sentence | None:
        """What to say where the new threshold costs more than the one before on the test part; None elsewhere."""
        test, chosen = self.prices(), self.prices(test=False)
        if "before" not in test or test["before"].cost is None or test["after"].cost[0] <= test["before"].cost[0]:
            return None
        costs = {
            f"{part}_{when}": prices[when].cost[0]
            for part, prices in (("calibration", chosen), ("test", test))
            for when in ("before", "after")
        }
        return sentence("costs_more", **costs)


def has_costs(cost: CostConfig) -> bool:
    """Whether the prevalence and both costs are stated."""
    return None not in (cost.prevalence, cost.escape, cost.overkill)


def error_rate(error: np.ndarray, unit: np.ndarray, confidence: float) -> ErrorRate:
    """The share of errors with its interval. error: (n,) bool; unit: (n,) codes of records that belong together."""
    low, high = share_interval(error, unit, confidence)
    return ErrorRate(float(error.mean()), low, high, int(error.sum()), len(error))


def threshold_cost(
    threshold: float, scores: CalibrationScores, cost: CostConfig, confidence: float, test: bool = True
) -> ThresholdCost:
    """The errors of a threshold and their cost, on the records of the test part (or of the calibration part)."""
    score, defect, unit = scores.part(test)
    alarms = error_rate(score[~defect] > threshold, unit[~defect], confidence)
    escapes = error_rate(score[defect] <= threshold, unit[defect], confidence)
    overkilled, escaped, total = None, None, None
    if cost.prevalence is not None:
        overkilled = alarms.per_parts(PARTS_PER_COST * (1 - cost.prevalence))
        escaped = escapes.per_parts(PARTS_PER_COST * cost.prevalence)
        if has_costs(cost):
            total = _weighted_sum((overkilled, cost.overkill), (escaped, cost.escape))
    return ThresholdCost(threshold, alarms, escapes, overkilled, escaped, total)


def _weighted_sum(*terms: tuple[Interval, float]) -> Interval:
    """Σ value × factor with MOVER's interval."""
    total = sum(factor * value for (value, _, _), factor in terms)
    below = sum((factor * (value - low)) ** 2 for (value, low, _), factor in terms) ** 0.5
    above = sum((factor * (high - value)) ** 2 for (value, _, high), factor in terms) ** 0.5
    return total, total - below, total + above


def cost_curve(scores: CalibrationScores, cost: CostConfig, confidence: float) -> list[ThresholdCost]:
    """The cost of each distinct threshold on the test part; of many thresholds, MAX_CURVE_POINTS by quantile."""
    values = np.unique(scores.part(True)[0])
    if len(values) > MAX_CURVE_POINTS:
        values = np.unique(np.quantile(values, np.linspace(0, 1, MAX_CURVE_POINTS), method="nearest"))
    return [threshold_cost(float(value), scores, cost, confidence) for value in values]


def cheapest_threshold(scores: CalibrationScores, cost: CostConfig) -> float:
    """The threshold of least expected cost on the calibration part; of equally cheap ones, the one in the middle.

    As it is chosen on the calibration part, its cost on the test part is not too low by selection.
    """
    score, defect, _ = scores.part(False)
    order = np.argsort(score, kind="stable")
    score, defect = score[order], defect[order]
    missed = np.cumsum(defect) / max(int(defect.sum()), 1)
    stopped = 1 - np.cumsum(~defect) / max(int((~defect).sum()), 1)
    expected = cost.prevalence * cost.escape * missed + (1 - cost.prevalence) * cost.overkill * stopped
    expected = np.where(np.append(score[1:] != score[:-1], True), expected, np.inf)  # equal scores pass together
    (cheapest,) = np.nonzero(expected <= expected.min() * (1 + 1e-12))
    at = cheapest[len(cheapest) // 2]
    return float((score[at] + score[at + 1]) / 2) if at + 1 < len(score) else float(score[at])
