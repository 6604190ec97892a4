"""The fused score: a part's distance to good and the peak of its raw map, as one number; and its patches, where asked.

A defect of an untrained kind may lie near the good prototype, because the tower never learnt to separate it; the peak
of the map does not depend on training and shows it. Both become p-values among good reference records, without a unit,
and are combined by the sum of −log p, so that one value that is rare among good parts is enough (R. A. Fisher,
*Statistical Methods for Research Workers*, 1925). Releases of earlier versions add ranks, and go on doing so.

The reference records are the good ones of the calibration part. Those of the training part would not do: the tower has
drawn them together, so every new part would lie beyond them. A threshold calibrated on the same records stays valid: a
reference record's rank differs from a new part's by at most 1/n.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

P_VALUES, RANKS = "p-values", "ranks"  # forms of the score
LOG_2 = float(np.log(2))
LEVELS = np.linspace(0, 0.9, 19)  # shares of the reference records at which a p-value is that of the records
RANK_BODY_SHARE = 0.9  # share of the reference records up to which a rank is the plain share of those below


def peak(maps: Any, xp: Any = np) -> Any:
    """The largest deviation of each map (n, values) from zero, in the map's own unit: (n,) float64."""
    if xp is not np:
        return xp.cast(xp.max(xp.abs(maps), axis=1), "float64")
    return np.abs(np.asarray(maps)).max(axis=1).astype(np.float64)


@dataclass(frozen=True)
class Fusion:
    """The good reference records' distances (n,) and peaks (n,), among which a part gets its two p-values.

    form: how both become one score, RANKS in releases of earlier versions; patches: (n,) how far their strangest places
    lie from the memory of patches, for a p-value in place of the peak's, None where there is no memory.
    """

    distance: np.ndarray
    peak: np.ndarray
    form: str = P_VALUES
    patches: np.ndarray | None = None

    def __call__(self, distance: Any, peak: Any, xp: Any = np) -> Any:
        """The score (k,), which rises with how rare a part is among good ones."""
        if self.form == RANKS:
            return rank(distance, self.distance, xp) + rank(peak, self.peak, xp)
        return surprisal(distance, self.distance, xp) + surprisal(peak, self.peak, xp)

    def with_patches(self, distance: Any, patches: Any, xp: Any = np) -> Any:
        """The score (k,) by the patches (k,) in place of the peak, which is a much weaker sign (docs/tried.md)."""
        return surprisal(distance, self.distance, xp) + surprisal(patches, self.patches, xp)


def surprisal(values: Any, reference: np.ndarray, xp: Any = np) -> Any:
    """−log of the p-value of each of `values` (k,) among `reference` (n,): straight between quantiles, and beyond.

    At the reference's quantiles of LEVELS it is −log of the share above, equals counting half. Beyond the last it rises
    by log 2 for each median excess, without end: p halves. It never jumps, so that the last digit of a distance is the
    last digit of the score. The logarithms are of constants: in ONNX those of a graph are computed in float32.
    """
    ordered = np.sort(np.asarray(reference, np.float64))
    knots, place = np.unique(np.quantile(ordered, LEVELS), return_inverse=True)
    heights = -np.log1p(-np.bincount(place, LEVELS) / np.bincount(place))
    widths = np.append(np.diff(knots), np.inf)
    slopes = np.append(np.diff(heights) / np.diff(knots), LOG_2 / _tail_scale(ordered, knots[-1]))
    values = np.asarray(values, np.float64) if xp is np else values
    within = xp.minimum(xp.maximum(values[:, None] - knots, 0.0), widths)
    return heights[0] + xp.sum(within * slopes, axis=1)


def _tail_scale(ordered: np.ndarray, start: float) -> float:
    """How far the reference records (n,) beyond `start` lie beyond it: the median; without any, their deviation."""
    excess = ordered[ordered > start] - start
    return float(np.median(excess)) if len(excess) else max(float(ordered.std()), abs(start), 1.0)


def rank(values: Any, reference: np.ndarray, xp: Any = np) -> Any:
    """The share of `reference` (n,) below each of `values` (k,), equals counting half, and its straight tail.

    Above the reference's quantile at RANK_BODY_SHARE the rank rises by the remaining share for each median excess,
    without end: the farther of two parts beyond all reference records is still the more anomalous, and a single odd
    reference record does not stretch the scale. `xp` is numpy, or keras.ops for float64 values in a graph.
    """
    ordered = np.sort(np.asarray(reference, np.float64))
    values = np.asarray(values, np.float64) if xp is np else values
    share = _counted(values, ordered, xp) / (2 * len(ordered))
    start = float(np.quantile(ordered, RANK_BODY_SHARE))
    return xp.where(
        values <= start,
        xp.minimum(share, RANK_BODY_SHARE),
        RANK_BODY_SHARE + (1 - RANK_BODY_SHARE) * (values - start) / _tail_scale(ordered, start),
    )


def _counted(values: Any, ordered: np.ndarray, xp: Any) -> Any:
    """Twice how many of `ordered` (n,) lie below each of `values` (k,), equals counting once."""
    if xp is np:
        return np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    # No searchsorted in ONNX: a graph counts, which gives the same.
    below, equal_too = (compare(ordered[None], values[:, None]) for compare in (xp.less, xp.less_equal))
    return xp.sum(xp.cast(below, "float64"), axis=1) + xp.sum(xp.cast(equal_too, "float64"), axis=1)
