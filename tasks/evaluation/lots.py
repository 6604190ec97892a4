"""Thresholds for parts of new lots: how far lots differ is learnt from the calibration lots.

Split conformal prediction holds for records that are alike. Parts of one lot are more alike than parts of two: with
few calibration lots, a new lot gets more false alarms than asked for (docs/judgement.md has the simulation). Here a
score is the level of its lot plus the deviation of the part. Levels are taken as normal, so that the level of a new
lot lies about the mean of K lots by Student's t with K − 1 degrees of freedom; deviations are used as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta, t

from tasks.core.sentences import sentence
from tasks.evaluation.comparison_report import Interval
from tasks.evaluation.least_sizes import min_good_records

MIN_LOTS = 3  # of two good records or more; two lots cannot show how far lots differ
LEVELS = 200  # quantiles of a new lot's level


@dataclass(frozen=True)
class LotEffects:
    """Good scores as levels of K lots and deviations of parts (n,).

    mean, mean_error: of the lots' levels, and its standard error; error: of a new lot's level about that mean.
    """

    lots: int
    mean: float
    mean_error: float
    error: float
    deviations: np.ndarray

    @classmethod
    def of(cls, score: np.ndarray, units: np.ndarray) -> LotEffects | None:
        """The effects of the lots in units (n,) with two scores or more; None with fewer than MIN_LOTS of them.

        Variance of the levels: that of the lots' means, less what deviations add to it (analysis of variance).
        """
        _, lot, size = np.unique(units, return_inverse=True, return_counts=True)
        several = size[lot] > 1
        if (size > 1).sum() < MIN_LOTS:
            return None
        _, lot, size = np.unique(units[several], return_inverse=True, return_counts=True)
        level = np.bincount(lot, score[several]) / size
        deviations = (score[several] - level[lot]) * np.sqrt(size / (size - 1))[lot]
        of_means = float(level.var(ddof=1))
        of_levels = max(0.0, of_means - float(np.square(deviations).mean() * (1 / size).mean()))
        of_mean = of_means / len(size)
        error = math.sqrt(of_levels + of_mean)
        return cls(len(size), float(level.mean()), math.sqrt(of_mean), error, np.sort(deviations))

    def threshold(self, target: float) -> float:
        """The cut that a share `target` of good parts of new lots exceeds, on average over lots."""
        shifts = self.error * t.ppf((np.arange(LEVELS) + 0.5) / LEVELS, self.lots - 1)
        n = len(self.deviations)
        level = min(1.0, (1 - target) * (n + 1) / n)
        return self.mean + float(np.quantile((shifts[:, None] + self.deviations).ravel(), level))

    def interval(self, threshold: float, confidence: float) -> Interval:
        """The ends between which the threshold lies as far as the mean level is known.

        How far lots differ, and how well that is known, is in the threshold itself.
        """
        half_width = float(t.ppf((1 + confidence) / 2, self.lots - 1)) * self.mean_error
        return threshold - half_width, threshold + half_width

    def certain_threshold(self, target: float, confidence: float) -> float:
        """The cut that at most a share `target` of good parts exceeds, in a share `confidence` of new lots."""
        deviation = self.deviations[certain_rank(len(self.deviations), target, confidence) - 1]
        return self.mean + self.error * float(t.ppf(confidence, self.lots - 1)) + float(deviation)


def certain_rank(n: int, target: float, confidence: float) -> int:
    """The rank of n scores above which at most a share `target` lies, with that confidence (from the smallest, 1).

    The share above the r-th smallest has the distribution Beta(n − r + 1, r). Raises ValueError where even the largest
    score is not enough.
    """
    ranks = np.arange(1, n + 1)
    enough = np.flatnonzero(beta.cdf(target, n - ranks + 1, ranks) >= confidence)
    if not len(enough):
        needed = min_good_records(target, confidence)
        raise ValueError(
            sentence("few_for_certain_fpr", count=n, rate=target, confidence=100 * confidence, needed=needed)
        )
    return int(ranks[enough[0]])
