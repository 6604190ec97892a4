"""The paired bootstrap of two models: both are compared on the same records and on the same draws of them.

What both find hard cancels out, so that the interval of the difference is far narrower than that of either metric.
Units (records, or groups) are drawn, never pairs. The ends of an interval are percentiles, moved outwards for few
units by Student's t (Hesterberg 2014, arXiv:1411.5279, section 5.3). Only units in which the models differ count:
three of them among thousands stay three.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array
from scipy.stats import norm, t

from tasks.evaluation.bootstrap import Bootstrap, weighted_auroc, weighted_share
from tasks.evaluation.comparison_report import Interval, MetricDifference, ModeDifference, PairedResult, PooledModes
from tasks.evaluation.metrics import pair_metrics, share_of_defects_found
from tasks.promotion.paired_rates import AnomalyScores, adjusted_p_values, error_differences, fall_p_value

PAIR_METRICS = ("auroc", "average_precision")
BLOCK_VALUES = 1 << 20  # draws × levels at once: 8 MB an array


def required_draws(least: int, confidence: float) -> int:
    """How many draws: `least` or more, so that fifty of them lie beyond an end of the interval."""
    return max(least, math.ceil(50 / (1 - confidence)))


def paired_result(
    challenger: np.ndarray, champion: np.ndarray, mode: np.ndarray, names: list[str], bootstrap: Bootstrap
) -> PairedResult:
    """What the challenger has over the champion, by each metric of pairs and modes, and by each mode.

    challenger, champion: (n, m) distances of the same records to the same modes' prototypes; mode: (n,) the column of
    each record's mode; names: of the m modes. Each end of an interval holds with the bootstrap's confidence.
    """
    modes, few = _by_mode(challenger, champion, mode, names, bootstrap)
    return PairedResult(
        challenger=pair_metrics(challenger, mode),
        champion=pair_metrics(champion, mode),
        same_model=bool(np.array_equal(challenger, champion)),
        figures=_by_pairs(challenger, champion, mode, bootstrap) | _by_accuracy(challenger, champion, mode, bootstrap),
        modes=modes,
        few=few,
        fewest=min_units_for_significance(bootstrap.confidence),
        unit=bootstrap.unit,
        unit_kind=bootstrap.kind,
        units=len(np.unique(bootstrap.units)),
        draws=bootstrap.draws,
        confidence=bootstrap.confidence,
    )


def with_good_or_defect(
    result: PairedResult, challenger: AnomalyScores, champion: AnomalyScores, good: np.ndarray, bootstrap: Bootstrap
) -> PairedResult:
    """The result with the AUROC of good against defect, and with both models' errors at their own thresholds.

    good: (n,) bool of the compared records, some of each kind.
    """
    every = np.concatenate([np.ones((1, len(good))), bootstrap.weights])
    models = (challenger, champion)
    aurocs = [weighted_auroc(model.score, ~good, every) for model in models]
    detected = [share_of_defects_found(model.score, good, 0.01) for model in models]
    differing = effective_units(np.subtract(*(_good_shares(model.score, good) for model in models)), bootstrap.units)
    differences = aurocs[0] - aurocs[1]
    figures = result.figures | {"good_auroc": _difference(differences[0], differences[1:], differing, bootstrap)}
    challenger_metrics, champion_metrics = (
        replace(metrics, good_auroc=float(auroc[0]), good_tpr_at_1_fpr=share)
        for metrics, auroc, share in zip((result.challenger, result.champion), aurocs, detected, strict=True)
    )
    errors = error_differences(challenger, champion, good, bootstrap)
    return replace(result, challenger=challenger_metrics, champion=champion_metrics, figures=figures, **errors)


def _good_shares(score: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Each record's share (n,) in the AUROC of good against defect: its comparisons with the other kind."""
    below, above = np.sort(score[good]), np.sort(score[~good])
    return np.where(good, 1 - _below(above, score) / len(above), _below(below, score) / len(below)) / (
        2 * np.where(good, len(below), len(above))
    )


def _by_pairs(
    challenger: np.ndarray, champion: np.ndarray, mode: np.ndarray, bootstrap: Bootstrap
) -> dict[str, MetricDifference]:
    """Verification AUROC and average precision."""
    every = np.concatenate([np.ones((1, len(mode))), bootstrap.weights])
    differences = weighted_pairs(challenger, mode, every) - weighted_pairs(champion, mode, every)
    apart = effective_units(_pair_shares(challenger, mode) - _pair_shares(champion, mode), bootstrap.units)
    return {
        name: _difference(column[0], column[1:], apart, bootstrap)
        for name, column in zip(PAIR_METRICS, differences.T, strict=True)
    }


def _by_accuracy(
    challenger: np.ndarray, champion: np.ndarray, mode: np.ndarray, bootstrap: Bootstrap
) -> dict[str, MetricDifference]:
    """Mode accuracy over the records, and its mean over the modes."""
    won, weights = _won(challenger, champion, mode), bootstrap.weights
    metrics = {
        "mode_accuracy": (won / len(mode), weighted_share(weights, won)),
        "macro_mode_accuracy": (won * _macro_weights(mode), _macro(won, mode, weights)),
    }
    return {
        name: _difference(shares.sum(), drawn, effective_units(shares, bootstrap.units), bootstrap)
        for name, (shares, drawn) in metrics.items()
    }


def _difference(value: float, drawn: np.ndarray, apart: float, bootstrap: Bootstrap) -> MetricDifference:
    return MetricDifference(float(value), bootstrap_bounds(drawn, apart, bootstrap.confidence), float(apart))


def _by_mode(
    challenger: np.ndarray, champion: np.ndarray, mode: np.ndarray, names: list[str], bootstrap: Bootstrap
) -> tuple[dict[str, ModeDifference], PooledModes | None]:
    """The accuracy of each mode, and of those together that have too few units each (None without any)."""
    right = [distances.argmin(axis=1) == mode for distances in (challenger, champion)]
    won, fewest = _won(challenger, champion, mode), min_units_for_significance(bootstrap.confidence)

    def compare(rows: np.ndarray) -> ModeDifference:
        units, interval = bootstrap.units[rows], None
        challenger, champion = (float(hits[rows].mean()) for hits in right)
        if len(np.unique(units)) >= fewest:
            drawn = weighted_share(bootstrap.weights[:, rows], won[rows])
            interval = bootstrap_bounds(drawn, effective_units(won[rows], units), bootstrap.confidence)
        return ModeDifference(challenger - champion, interval, int(rows.sum()), challenger, champion)

    modes = {names[code]: compare(mode == code) for code in np.unique(mode)}
    small = tuple(name for name, entry in modes.items() if entry.interval is None)
    few = np.isin(np.array(names)[mode], small)
    pooled = compare(few) if small else None
    tests = {name: mode == names.index(name) for name in modes if name not in small}
    rows = [*tests.values(), *([few] if small else [])]
    adjusted = adjusted_p_values([fall_p_value(won[own], bootstrap.units[own]) for own in rows])
    modes |= {name: replace(modes[name], p=p) for name, p in zip(tests, adjusted, strict=False)}
    return modes, pooled and PooledModes(**vars(replace(pooled, p=adjusted[-1])), modes=small)


def _won(challenger: np.ndarray, champion: np.ndarray, mode: np.ndarray) -> np.ndarray:
    """1 for each record (n,) that only the challenger has right, −1 for one that only the champion has, else 0."""
    return (challenger.argmin(axis=1) == mode).astype(float) - (champion.argmin(axis=1) == mode)


def bootstrap_bounds(drawn: np.ndarray, apart: float, confidence: float) -> Interval:
    """The lower and the upper end, each with `confidence`, of bootstrap values from `apart` units."""
    tail = norm.cdf(t.ppf(1 - confidence, apart - 1) * math.sqrt(apart / (apart - 1))) if apart > 1 else 0.0
    drawn = drawn[~np.isnan(drawn)]  # a mode that was not drawn has no accuracy
    low, high = np.quantile(drawn, tail, method="lower"), np.quantile(drawn, 1 - tail, method="higher")
    return float(low), float(high)


def effective_units(shares: np.ndarray, units: np.ndarray) -> float:
    """How many units make the difference, (Σ|c|)² / Σc² of their shares in it; 0 where none does.

    Of accuracies, it is the number of records that one model has right and the other wrong.
    """
    _, inverse = np.unique(units, return_inverse=True)
    summed = np.bincount(inverse, shares)
    square = float((summed**2).sum())
    return float(np.abs(summed).sum() ** 2 / square) if square > 0 else 0.0


def _pair_shares(distances: np.ndarray, mode: np.ndarray) -> np.ndarray:
    """Each record's share (n,) in the AUROC: its own pair against all others', its others against all own."""
    near, far = _effective(distances, mode)
    ranked, every = np.sort(near), np.sort(far.ravel())
    beaten = 1 - _below(every, near) / far.size
    beats = (_below(ranked, far) / len(near)).mean(axis=1)
    return (beaten + beats) / 2 / len(near)


def _below(ranked: np.ndarray, values: np.ndarray) -> np.ndarray:
    """How many of `ranked` lie below each value; equals count half."""
    return (np.searchsorted(ranked, values, "left") + np.searchsorted(ranked, values, "right")) / 2


def _effective(distances: np.ndarray, mode: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each record's distance to its own mode (n,), and those to the others (n, m − 1)."""
    same = np.arange(distances.shape[1]) == mode[:, None]
    return distances[same], distances[~same].reshape(len(mode), -1)


def weighted_pairs(distances: np.ndarray, mode: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Verification AUROC and average precision (draws, 2) under each row of record `weights` (draws, n)."""
    own, others = _effective(distances, mode)
    _, level = np.unique(np.concatenate([own, others.ravel()]), return_inverse=True)
    near, far, levels = level[: len(own)], level[len(own) :], int(level.max()) + 1
    at_own = _counts(np.arange(len(own)), near, (len(own), levels))
    at_others = _counts(np.repeat(np.arange(len(own)), others.shape[1]), far, (len(own), levels))
    blocks = np.array_split(weights, len(weights) * levels // BLOCK_VALUES + 1)
    return np.concatenate([_pairs_of_draws(block @ at_own, block @ at_others) for block in blocks])


def _counts(records: np.ndarray, levels: np.ndarray, shape: tuple[int, int]) -> csr_array:
    """How many distances each record has at each level."""
    return csr_array((np.ones(len(records)), (records, levels)), shape)


def _pairs_of_draws(hits: np.ndarray, misses: np.ndarray) -> np.ndarray:
    """The two metrics (draws, 2) from the weight of own and of other distances at each level (draws, levels)."""
    true_positives, false_positives = np.cumsum(hits, axis=1), np.cumsum(misses, axis=1)
    beyond = false_positives[:, -1:] - false_positives + misses / 2
    precision = true_positives / np.maximum(true_positives + false_positives, 1e-12)
    all_hits, all_misses = true_positives[:, -1], false_positives[:, -1]
    auroc = (hits * beyond).sum(axis=1) / (all_hits * all_misses)
    return np.stack([auroc, (hits * precision).sum(axis=1) / all_hits], axis=1)


def _macro(won: np.ndarray, mode: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The plain mean over the modes that were drawn, (draws,)."""
    columns = [weighted_share(weights[:, mode == code], won[mode == code]) for code in np.unique(mode)]
    return np.nanmean(np.stack(columns, axis=1), axis=1)


def _macro_weights(mode: np.ndarray) -> np.ndarray:
    _, inverse, count = np.unique(mode, return_inverse=True, return_counts=True)
    return 1 / (len(count) * count[inverse])


def min_units_for_significance(confidence: float) -> int:
    """The fewest units with which a fall could be told from chance: were all lost, 2⁻ⁿ is below 1 − confidence."""
    return math.ceil(math.log2(1 / (1 - confidence)) - 1e-9)
