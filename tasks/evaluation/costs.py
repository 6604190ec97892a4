"""A threshold in money: what escapes and over-kills cost, for every 10 000 parts.

An escape is a defect that passes as good, an over-kill a good part that is stopped. Their rates come from the
test part; how rare defects are on the line, and what each mistake costs, only the factory knows.

Intervals: Clopper and Pearson's of each rate, so that nothing seen is not nothing possible; where groups are
what is drawn, with the records reduced to what they are worth (Korn and Graubard 1998). Sums of both have the
interval that their own give (MOVER: Zou and Donner 2008). They are cautious: never narrower than asked.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import beta

from tasks.config.run import CostConfig
from tasks.core.errors import BadSetting
from tasks.registry.release_files import CalibrationScores

PARTS_PER_COST = 10_000


MAX_CURVE_POINTS = 400  # of the curve


@dataclass(frozen=True)
class ErrorRate:
    """A share of `of` records (or what that many in groups are worth), with its interval."""

    value: float
    low: float
    high: float
    count: int
    of: int


@dataclass(frozen=True)
class ThresholdCost:
    """What a threshold does to 10 000 parts: counts, and cost in the currency; each (value, low, high).

    Counts and cost are None where the prevalence or the costs are not stated.
    """

    threshold: float
    false_alarms: ErrorRate
    escapes: ErrorRate
    overkilled: tuple[float, float, float] | None
    escaped: tuple[float, float, float] | None
    cost: tuple[float, float, float] | None

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def error_rate(hit: np.ndarray, unit: np.ndarray, confidence: float) -> ErrorRate:
    """The share of hits (n,) bool with its interval; unit (n,) what belongs together."""
    n, count = len(hit), int(hit.sum())
    share = count / n
    worth = n / _design_effect(hit, unit, share)
    tail = (1 - confidence) / 2
    seen = share * worth
    low = float(beta.ppf(tail, seen, worth - seen + 1)) if count else 0.0
    high = float(beta.ppf(1 - tail, seen + 1, worth - seen)) if count < n else 1.0
    return ErrorRate(share, low, high, count, n)


def _design_effect(hit: np.ndarray, unit: np.ndarray, share: float) -> float:
    """By how much units make the variance of a share larger than that of single records; 1 at least."""
    _, code = np.unique(unit, return_inverse=True)
    units, n = code.max() + 1, len(hit)
    if units == n or not 0 < share < 1 or units < 2:
        return 1.0
    residual = np.bincount(code, hit - share)
    variance = units / (units - 1) * np.square(residual).sum() / n**2
    return max(1.0, variance / (share * (1 - share) / n))


def threshold_cost(
    threshold: float, scores: CalibrationScores, cost: CostConfig, confidence: float, test: bool = True
) -> ThresholdCost:
    """What a threshold does, by the records of the test part (or of the calibration part)."""
    score, defect, unit = scores.part(test)
    alarms = error_rate(score[~defect] > threshold, unit[~defect], confidence)
    escapes = error_rate(score[defect] <= threshold, unit[defect], confidence)
    over, escaped, money = None, None, None
    if cost.prevalence is not None:
        over = _times(alarms, PARTS_PER_COST * (1 - cost.prevalence))
        escaped = _times(escapes, PARTS_PER_COST * cost.prevalence)
        if cost.overkill is not None and cost.escape is not None:
            money = _sum((over, cost.overkill), (escaped, cost.escape))
    return ThresholdCost(threshold, alarms, escapes, over, escaped, money)


def _times(rate: ErrorRate, factor: float) -> tuple[float, float, float]:
    return rate.value * factor, rate.low * factor, rate.high * factor


def _sum(*terms: tuple[tuple[float, float, float], float]) -> tuple[float, float, float]:
    """Σ value × factor with MOVER's interval."""
    value = sum(factor * one[0] for one, factor in terms)
    low = sum((factor * (one[0] - one[1])) ** 2 for one, factor in terms) ** 0.5
    high = sum((factor * (one[2] - one[0])) ** 2 for one, factor in terms) ** 0.5
    return value, value - low, value + high


def cost_curve(scores: CalibrationScores, cost: CostConfig, confidence: float) -> list[ThresholdCost]:
    """The price of every threshold that makes a difference on the test part, thinned where they are many."""
    values = np.unique(scores.part(True)[0])
    if len(values) > MAX_CURVE_POINTS:
        values = np.unique(np.quantile(values, np.linspace(0, 1, MAX_CURVE_POINTS), method="nearest"))
    return [threshold_cost(float(value), scores, cost, confidence) for value in values]


def cheapest_threshold(scores: CalibrationScores, cost: CostConfig) -> float:
    """The threshold of least expected cost on the calibration part; of equals, that in the middle of them.

    Chosen there, its price on the test part is honest.
    """
    score, defect, _ = scores.part(False)
    order = np.argsort(score, kind="stable")
    score, defect = score[order], defect[order]
    missed = np.cumsum(defect) / max(int(defect.sum()), 1)
    stopped = 1 - np.cumsum(~defect) / max(int((~defect).sum()), 1)
    expected = cost.prevalence * cost.escape * missed + (1 - cost.prevalence) * cost.overkill * stopped
    expected = np.where(np.append(score[1:] != score[:-1], True), expected, np.inf)  # equals fall together
    (best,) = np.nonzero(expected <= expected.min() * (1 + 1e-12))
    at = best[len(best) // 2]
    return float((score[at] + score[at + 1]) / 2) if at + 1 < len(score) else float(score[at])


CHEAPEST = "cheapest"


@dataclass(frozen=True)
class ThresholdRequest:
    """The new threshold's rule (one of tasks/evaluation/thresholds.py, or `cheapest`), its target, and the costs."""

    rule: str
    target: float
    cost: CostConfig

    def __post_init__(self) -> None:
        """Raise BadSetting where the cheapest is asked for and the costs are not stated."""
        if self.rule == CHEAPEST and None in (self.cost.prevalence, self.cost.escape, self.cost.overkill):
            raise BadSetting("--cheapest: expected --prevalence, --escape and --overkill, found not all of them")
