"""The intervals of metrics under the resamples of their records, and those of shares."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import beta, t

from tasks.evaluation.comparison_report import Interval
from tasks.evaluation.evaluation_report import Auroc
from tasks.evaluation.resampling import Resampling, effective_units


def intervals(distances: np.ndarray, mode: np.ndarray, resampling: Resampling) -> dict[str, Interval]:
    """The intervals of the verification AUROC and of the mode accuracy.

    distances: (n, m) of records to prototypes; mode: (n,) each record's own column.
    """
    same = np.arange(distances.shape[1]) == mode[:, None]
    right = distances.argmin(axis=1) == mode
    aurocs = weighted_auroc(-distances.ravel(), same.ravel(), resampling.weights, distances.shape[1])
    return {
        "auroc": resampling.interval(aurocs),
        "mode_accuracy": share_interval(right, resampling.units, resampling.confidence),
    }


def macro_intervals(distances: np.ndarray, mode: np.ndarray, resampling: Resampling) -> dict[str, Interval]:
    """The intervals of the means over modes, by the names of `metrics.macro`; arrays as in `intervals`.

    A draw without any record of a mode leaves that mode out.
    """
    weights, right = resampling.weights, distances.argmin(axis=1) == mode
    drawn: dict[str, list[np.ndarray]] = {"accuracy": [], "auroc": [], "tpr_at_5_fpr": []}
    for code in np.unique(mode):
        of_mode = mode == code
        drawn["accuracy"].append(weighted_share(weights[:, of_mode], right[of_mode]))
        if not of_mode.all():
            drawn["auroc"].append(weighted_auroc(-distances[:, code], of_mode, weights))
            drawn["tpr_at_5_fpr"].append(weighted_tpr(-distances[:, code], of_mode, weights, 0.05))
    return {name: resampling.interval(np.nanmean(values, axis=0)) for name, values in drawn.items() if values}


def accuracy_intervals(distances: np.ndarray, mode: np.ndarray, resampling: Resampling) -> dict[int, Interval]:
    """The interval of the accuracy of each mode by its code."""
    right, units = distances.argmin(axis=1) == mode, resampling.units
    return {
        int(code): share_interval(right[mode == code], units[mode == code], resampling.confidence)
        for code in np.unique(mode)
    }


def auroc_with_interval(score: np.ndarray, positive: np.ndarray, resampling: Resampling) -> Auroc:
    """The AUROC of a score (n,) with its interval."""
    values = weighted_auroc(score, positive, resampling.weights)
    return Auroc(float(values[0]), resampling.interval(values))


def threshold_metrics(called: np.ndarray, good: np.ndarray, resampling: Resampling) -> dict[str, float | Interval]:
    """Accuracy and error rates of a threshold on records (n,) that it `called` defective, each with its interval.

    By the names of HoldoutMetrics. The balanced accuracy is the mean of the shares of good parts passed and defects
    found; its interval follows from both (MOVER: Zou and Donner 2008, Statistics in Medicine 27, 1693).
    """

    def of(hit: np.ndarray, rows: np.ndarray) -> tuple[float, Interval]:
        return float(hit[rows].mean()), share_interval(hit[rows], resampling.units[rows], resampling.confidence)

    passed, detected = of(~called, good), of(called, ~good)
    half_width = [math.hypot(*(entry[1][end] - entry[0] for entry in (passed, detected))) / 2 for end in (0, 1)]
    balanced = (passed[0] + detected[0]) / 2
    metrics = {
        "good_accuracy": of(called == ~good, np.full(len(good), True)),
        "good_fpr": of(called, good),
        "good_tpr": detected,
        "good_balanced_accuracy": (balanced, (balanced - half_width[0], balanced + half_width[1])),
    }
    plain = {name: value for name, (value, _) in metrics.items()}
    return plain | {f"{name}_interval": interval for name, (_, interval) in metrics.items()}


def share_interval(hit: np.ndarray, units: np.ndarray, confidence: float) -> Interval:
    """The interval of a share: Clopper's and Pearson's, with the number of records divided by their design effect.

    hit: (n,) bool; units: (n,) codes of records that belong together. With few units the number is smaller still, by
    the squares of Student's quantiles of n records and of the units. All of one unit say nothing of others: 0 to 1.
    Source: Korn and Graubard 1998, Survey Methodology 24, 193.
    """
    n, tail, count = len(hit), (1 - confidence) / 2, effective_units(np.ones(len(hit)), units)
    if count < n:
        if count <= 1:
            return 0.0, 1.0
        n = n / design_effect(hit, units) * (t.ppf(tail, n - 1) / t.ppf(tail, count - 1)) ** 2
    hits = hit.mean() * n
    low = float(beta.ppf(tail, hits, n - hits + 1)) if hit.any() else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, n - hits)) if not hit.all() else 1.0
    return low, high


def design_effect(values: np.ndarray, units: np.ndarray) -> float:
    """How much larger the variance of the mean of values (n,) is than if every record stood for itself; at least 1."""
    _, code = np.unique(units, return_inverse=True)
    count, residual = code.max() + 1, values - values.mean()
    of_records = np.square(residual).sum()
    if count < 2 or count == len(values) or of_records == 0:
        return 1.0
    of_units = np.square(np.bincount(code, residual)).sum() * count / (count - 1)
    return max(1.0, float(of_units / of_records))


def weighted_tpr(score: np.ndarray, positive: np.ndarray, weights: np.ndarray, at: float) -> np.ndarray:
    """The largest TPR with an FPR of `at` or less (draws,), under each row of `weights` (draws, n); NaN without both.

    Equal scores are called alike: only the last of them can be a cut.
    """
    order = np.argsort(-score, kind="stable")
    cuts = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    negative, values = ~positive[order], np.full(len(weights), np.nan)
    for i, record_weights in enumerate(weights):
        drawn = record_weights[order]
        called, miss = np.cumsum(drawn), np.cumsum(drawn * negative)
        hits, misses = called[-1] - miss[-1], miss[-1]
        if hits > 0 and misses > 0:
            fit = np.searchsorted(cuts, np.searchsorted(miss, at * misses, "right"))  # how many cuts have that FPR
            values[i] = (called - miss)[cuts[fit - 1]] / hits if fit else 0.0
    return values


def weighted_share(weights: np.ndarray, hit: np.ndarray) -> np.ndarray:
    """The weighted share of hits (draws,); NaN where nothing is drawn."""
    total = weights.sum(axis=1)
    return np.divide(weights @ hit, total, out=np.full(len(weights), np.nan), where=total > 0)


def weighted_auroc(score: np.ndarray, positive: np.ndarray, weights: np.ndarray, each: int = 1) -> np.ndarray:
    """AUROC (draws,) under each row of `weights` (draws, n / each): ties count half; NaN where a class has no weight.

    each: how many scores in a row share a weight, such as the pairs of one record.
    """
    _, level = np.unique(score, return_inverse=True)
    order = np.argsort(level, kind="stable")
    record, negative, values = order // each, ~positive[order], np.full(len(weights), np.nan)
    starts = np.flatnonzero(np.diff(level[order], prepend=-1))
    for i, record_weights in enumerate(weights):
        drawn = record_weights[record]
        miss = drawn * negative
        hit = drawn - miss
        if len(starts) < len(order):
            hit, miss = np.add.reduceat(hit, starts), np.add.reduceat(miss, starts)
        below = np.cumsum(miss) - miss
        both = hit.sum() * miss.sum()
        if both:
            values[i] = (hit * (below + miss / 2)).sum() / both
    return values
