"""The paired bootstrap of two models: both are judged on the same records and on the same draws of them.

What both find hard cancels out, so that the difference is told far more sharply than either figure.
Units (records, or groups) are drawn, never pairs. The ends of an interval are percentiles, moved
outwards for few units as Student's t asks (Hesterberg 2014, arXiv:1411.5279, section 5.3); the units
that count are those that tell the two apart, so that three lucky records among thousands stay three.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.stats import norm, t

from tasks.evaluation.bootstrap import bootstrap_weights

PAIR_METRICS = ("auroc", "average_precision")
ACCURACY_METRICS = ("mode_accuracy", "macro_mode_accuracy")
Differences = dict[str, Any]


def required_draws(least: int, confidence: float) -> int:
    """How many draws: `least` or more, so that fifty of them lie beyond an end of the interval."""
    return max(least, math.ceil(50 / (1 - confidence)))


def paired_differences(
    own: np.ndarray, other: np.ndarray, mode: np.ndarray, units: np.ndarray, confidence: float, draws: int, seed: int
) -> Differences:
    """What `own` has over `other`, for each figure that a gate may decide by, and for each mode.

    own, other: (n, m) distances of the same records to the same modes' prototypes; mode: (n,) each
    record's own column; units: (n,) what is drawn as one. `figures` and `modes` (by column) hold
    `difference` and `interval`, each end of which holds with `confidence`; `few` pools the modes that
    alone are too few to be told (None without any); their own `interval` is None.
    """
    weights = bootstrap_weights(units, draws, seed)
    right = [distances.argmin(axis=1) == mode for distances in (own, other)]
    won = right[0].astype(float) - right[1]
    counted = {"mode_accuracy": won / len(mode), "macro_mode_accuracy": won * _macro_weights(mode)}
    found: dict[str, Any] = {}
    for name, (mine, theirs) in _pair_draws(own, other, mode, weights).items():
        apart = effective_units(_pair_shares(own, mode) - _pair_shares(other, mode), units)
        found[name] = _difference_entry(mine[0] - theirs[0], mine[1:] - theirs[1:], apart, confidence)
    values = {"mode_accuracy": _mean(won, weights), "macro_mode_accuracy": _macro(won, mode, weights)}
    for name in ACCURACY_METRICS:
        found[name] = _difference_entry(
            float(counted[name].sum()), values[name], effective_units(counted[name], units), confidence
        )
    return {"figures": found, **_by_mode(right, mode, units, weights, confidence)}


def _difference_entry(difference: float, drawn: np.ndarray, apart: float, confidence: float) -> dict[str, Any]:
    return {
        "difference": float(difference),
        "interval": bootstrap_bounds(drawn, apart, confidence),
        "apart": float(apart),
    }


def bootstrap_bounds(drawn: np.ndarray, apart: float, confidence: float) -> list[float]:
    """The lower and the upper end, each with `confidence`, of bootstrap values from `apart` units."""
    tail = norm.cdf(t.ppf(1 - confidence, apart - 1) * math.sqrt(apart / (apart - 1))) if apart > 1 else 0.0
    drawn = drawn[~np.isnan(drawn)]  # a mode that was not drawn has no accuracy
    low, high = np.quantile(drawn, tail, method="lower"), np.quantile(drawn, 1 - tail, method="higher")
    return [float(low), float(high)]


def effective_units(shares: np.ndarray, units: np.ndarray) -> float:
    """How many units make the difference, (Σ|c|)² / Σc² of their shares in it; 0 where none does.

    Of accuracies, it is the number of records that one model has right and the other wrong.
    """
    _, inverse = np.unique(units, return_inverse=True)
    summed = np.bincount(inverse, shares)
    square = float((summed**2).sum())
    return float(np.abs(summed).sum() ** 2 / square) if square > 0 else 0.0


def _pair_shares(distances: np.ndarray, mode: np.ndarray) -> np.ndarray:
    """Each record's share (n,) in the pair AUROC: its own pair against all others', its others against all own."""
    own, others = _effective(distances, mode)
    ranked, every = np.sort(own), np.sort(others.ravel())
    beaten = 1 - _below(every, own) / others.size
    beats = (_below(ranked, others) / len(own)).mean(axis=1)
    return (beaten + beats) / 2 / len(own)


def _below(ranked: np.ndarray, values: np.ndarray) -> np.ndarray:
    """How many of `ranked` lie below each value; equals count half."""
    return (np.searchsorted(ranked, values, "left") + np.searchsorted(ranked, values, "right")) / 2


def _effective(distances: np.ndarray, mode: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each record's distance to its own mode (n,), and those to the others (n, m − 1)."""
    same = np.arange(distances.shape[1]) == mode[:, None]
    return distances[same], distances[~same].reshape(len(mode), -1)


def _pair_draws(
    own: np.ndarray, other: np.ndarray, mode: np.ndarray, weights: np.ndarray
) -> dict[str, list[np.ndarray]]:
    """Pair AUROC and average precision of both, (1 + draws,): of all records, and under each row of `weights`."""
    every = np.concatenate([np.ones((1, len(mode))), weights])
    values = [weighted_pairs(distances, mode, every) for distances in (own, other)]
    return {name: [found[:, i] for found in values] for i, name in enumerate(PAIR_METRICS)}


def weighted_pairs(distances: np.ndarray, mode: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Pair AUROC and average precision (draws, 2) under each row of record `weights` (draws, n)."""
    own, others = _effective(distances, mode)
    _, level = np.unique(np.concatenate([own, others.ravel()]), return_inverse=True)
    near, far, count = level[: len(own)], level[len(own) :], level.max() + 1
    values = np.empty((len(weights), 2))
    for i, weight in enumerate(weights):
        hit = np.bincount(near, weight, count)
        miss = np.bincount(far, np.repeat(weight, others.shape[1]), count)
        found, missed = np.cumsum(hit), np.cumsum(miss)
        beyond = missed[-1] - missed + miss / 2
        precision = found / np.maximum(found + missed, 1e-12)
        values[i] = hit @ beyond / (found[-1] * missed[-1]), hit @ precision / found[-1]
    return values


def _mean(won: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weighted mean (draws,); NaN where nothing was drawn."""
    drawn = weights.sum(axis=1)
    return np.divide(weights @ won, drawn, out=np.full(len(weights), np.nan), where=drawn > 0)


def _macro(won: np.ndarray, mode: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The plain mean over the modes that were drawn, (draws,)."""
    columns = [_mean(won[mode == code], weights[:, mode == code]) for code in np.unique(mode)]
    return np.nanmean(np.stack(columns, axis=1), axis=1)


def _macro_weights(mode: np.ndarray) -> np.ndarray:
    _, inverse, count = np.unique(mode, return_inverse=True, return_counts=True)
    return 1 / (len(count) * count[inverse])


def min_units_for_significance(confidence: float) -> int:
    """The fewest units with which a fall could be told from chance: were all lost, 2⁻ⁿ is below 1 − confidence."""
    return math.ceil(math.log2(1 / (1 - confidence)) - 1e-9)


def _by_mode(
    right: list[np.ndarray], mode: np.ndarray, units: np.ndarray, weights: np.ndarray, confidence: float
) -> dict[str, Any]:
    def told(rows: np.ndarray) -> dict[str, Any]:
        own, other = (float(one[rows].mean()) for one in right)
        won = right[0][rows].astype(float) - right[1][rows]
        entry = {"n": int(rows.sum()), "challenger": own, "champion": other, "difference": own - other}
        if len(np.unique(units[rows])) < min_units_for_significance(confidence):
            return entry | {"interval": None}
        drawn = _mean(won, weights[:, rows])
        return entry | {"interval": bootstrap_bounds(drawn, effective_units(won, units[rows]), confidence)}

    modes = {int(code): told(mode == code) for code in np.unique(mode)}
    small = [code for code, entry in modes.items() if entry["interval"] is None]
    return {"modes": modes, "few": told(np.isin(mode, small)) | {"modes": small} if small else None}
