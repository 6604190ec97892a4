"""Errors of two models on the same records: intervals of their difference, and whether a fall may be chance.

Only units (records, or groups) in which the models differ say anything, as in McNemar's test.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.signal import convolve
from scipy.stats import binom, t

from tasks.evaluation.comparison_report import Interval, RateDifference
from tasks.evaluation.intervals import design_effect
from tasks.evaluation.resampling import Resampling, effective_units


@dataclass(frozen=True)
class AnomalyScores:
    """A model's anomaly scores (n,), larger = more anomalous, and its own threshold between good and defect."""

    score: np.ndarray
    threshold: float | None

    @property
    def called(self) -> np.ndarray:
        """Which records (n,) the model calls defects. The threshold must be known."""
        return self.score > self.threshold


def error_differences(
    challenger: AnomalyScores, champion: AnomalyScores, good: np.ndarray, resampling: Resampling
) -> dict[str, RateDifference]:
    """The `escapes` and `false_alarms` of both models at their own thresholds on the same records.

    good: (n,) bool. Empty where a model has no threshold; a kind without records has no entry.
    """
    if challenger.threshold is None or champion.threshold is None:
        return {}
    errors = [model.called == good for model in (challenger, champion)]
    kinds = {"escapes": ~good, "false_alarms": good}
    return {
        name: _rate_difference(*(wrong[kind] for wrong in errors), kind, resampling)
        for name, kind in kinds.items()
        if kind.any()
    }


def _rate_difference(
    challenger: np.ndarray, champion: np.ndarray, kind: np.ndarray, resampling: Resampling
) -> RateDifference:
    interval = score_interval(challenger, champion, resampling.units[kind], resampling.confidence)
    counts = int(challenger.sum()), int(champion.sum())
    flips = int((champion & ~challenger).sum()), int((challenger & ~champion).sum())
    return RateDifference((counts[0] - counts[1]) / len(challenger), interval, len(challenger), *counts, *flips)


def score_interval(first: np.ndarray, second: np.ndarray, units: np.ndarray, confidence: float) -> Interval:
    """The ends of the difference of two paired shares, first − second, each with `confidence`.

    first, second: (n,) bool; units: (n,) codes of what varies as one. Source: the score interval of Tango 1998
    (Statistics in Medicine 17, 891), which is no single point where the two agree everywhere; with Student's t of
    the units (one unit says nothing: −1 to 1), and the counts divided by the design effect of groups, as Korn and
    Graubard 1998 do for one share.
    """
    n, change, count = len(first), first.astype(float) - second, effective_units(np.ones(len(first)), units)
    if count <= 1:
        return -1.0, 1.0
    effect, quantile = design_effect(change, units), t.ppf(confidence, count - 1)
    gained, lost = (change > 0).sum() / effect, (change < 0).sum() / effect
    low, high = (_score_end(gained, lost, n / effect, side * quantile) for side in (1, -1))
    return low, high


def _score_end(gained: float, lost: float, n: float, quantile: float) -> float:
    """The difference at which Tango's score statistic equals `quantile`: the lower end where that is above 0."""

    def excess(difference: float) -> float:
        b = -gained - lost + (2 * n - gained + lost) * difference
        c = -lost * difference * (1 - difference)
        share = (math.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
        variance = n * (2 * share + difference * (1 - difference))
        return gained - lost - n * difference - quantile * math.sqrt(max(variance, 0.0))

    edge = 1 - 1e-12
    ends = excess(-edge), excess(edge)
    if ends[0] * ends[1] > 0:  # all records changed alike: the end is the edge of what is possible
        return math.copysign(1.0, gained - lost)
    return float(brentq(excess, -edge, edge, xtol=1e-10))


def fall_p_value(change: np.ndarray, units: np.ndarray) -> tuple[float, float]:
    """How often chance gives a sum of changes (n,) as low as this one, and how often it gives the lowest possible.

    change: −1, 0 or 1 for each record. Chance: each unit's sum has either sign with probability ½, as of two equally
    good models (exact sign-flip test; of single records, McNemar's).
    """
    sums = np.bincount(np.unique(units, return_inverse=True)[1], change)
    sums = np.rint(sums[sums != 0]).astype(int)
    sizes, counts = np.unique(np.abs(sums), return_counts=True)
    chance, place = np.ones(1), 0  # of the sums −place, −place + 1, …
    for size, count in zip(sizes, counts, strict=True):
        steps = np.zeros(2 * size * count + 1)
        steps[:: 2 * size] = binom.pmf(np.arange(count + 1), count, 0.5)
        chance, place = convolve(chance, steps), place + size * count
    least = 0.5 ** len(sums)
    return float(np.clip(chance[: int(sums.sum()) + place + 1].sum(), least, 1.0)), least


def adjusted_p_values(values: Sequence[tuple[float, float]]) -> list[float]:
    """The p-values of several tests, each as `fall_p_value` gives it, with Holm's correction.

    A test whose lowest possible p-value is above another's cannot reject where that one does, and does not count in
    its correction (Tarone 1990, Biometrics 46, 515).
    """
    p, least = np.array(values, float).reshape(-1, 2).T
    order, adjusted, highest = np.argsort(p, kind="stable"), np.ones(len(p)), 0.0
    for rank, test in enumerate(order):
        rivals = (least[order[rank:]] <= p[test] * (1 + 1e-9)).sum()
        highest = max(highest, min(1.0, float(p[test] * rivals)))
        adjusted[test] = highest
    return adjusted.tolist()
