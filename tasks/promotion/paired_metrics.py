"""The differences of the metrics of two models on the same records and the same resamples of them.

What both find hard cancels out, so that the interval of the difference is far narrower than that of either metric.
Records or groups are resampled, never pairs. Only units in which the models differ count: three of them among
thousands stay three.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from tasks.config.run import RunConfig
from tasks.data.bank import Bank
from tasks.evaluation.comparison_report import MetricDifference, ModeDifference, PairedResult, PairMetrics, PooledModes
from tasks.evaluation.intervals import weighted_auroc, weighted_share
from tasks.evaluation.metrics import pair_metrics, share_of_defects_found
from tasks.evaluation.resampling import Resampling, effective_units
from tasks.promotion.paired_rates import AnomalyScores, adjusted_p_values, error_differences, fall_p_value

PAIR_METRICS = ("auroc", "average_precision")


def required_draws(least: int, confidence: float) -> int:
    """How many draws: `least` or more, so that fifty of them lie beyond an end of the interval."""
    return max(least, math.ceil(50 / (1 - confidence)))


def paired_resampling(bank: Bank, rows: np.ndarray, config: RunConfig) -> Resampling:
    """The resampling behind the difference of two models on the records at `rows`, by `gate.confidence`."""
    confidence = config.gate.confidence
    draws = required_draws(config.evaluate.bootstrap, confidence)
    return replace(Resampling.of(bank, rows, config), draws=draws, confidence=confidence)


def paired_result(
    challenger: np.ndarray, champion: np.ndarray, mode: np.ndarray, names: list[str], resampling: Resampling
) -> PairedResult:
    """What the challenger has over the champion, by each metric of pairs and modes, and by each mode.

    challenger, champion: (n, m) distances of the same records to the same modes' prototypes; mode: (n,) the column of
    each record's mode; names: of the m modes. Each end of an interval holds with the resampling's confidence.
    """
    figures = _by_pairs(challenger, champion, mode, resampling) | _by_accuracy(challenger, champion, mode, resampling)
    modes, few = _by_mode(challenger, champion, mode, names, resampling)
    return replace(
        paired_scores(challenger, champion, resampling),
        challenger=pair_metrics(challenger, mode),
        champion=pair_metrics(champion, mode),
        figures=figures,
        modes=modes,
        few=few,
    )


def paired_difference(
    metric: str, challenger: np.ndarray, champion: np.ndarray, mode: np.ndarray, resampling: Resampling
) -> MetricDifference:
    """What the challenger has over the champion by one metric of pairs or modes; arrays as in `paired_result`."""
    differences = _by_pairs if metric in PAIR_METRICS else _by_accuracy
    return differences(challenger, champion, mode, resampling)[metric]


def paired_scores(challenger: np.ndarray, champion: np.ndarray, resampling: Resampling) -> PairedResult:
    """A result without modes, to which `with_good_or_defect` or `with_false_alarms` adds what scores say.

    challenger, champion: (n,) anomaly scores of the same records, or (n, m) distances.
    """
    return PairedResult(
        challenger=PairMetrics(),
        champion=PairMetrics(),
        same_model=bool(np.array_equal(challenger, champion)),
        figures={},
        modes={},
        few=None,
        fewest=min_units_for_significance(resampling.confidence),
        unit=resampling.unit,
        unit_kind=resampling.kind,
        units=len(np.unique(resampling.units)),
        draws=resampling.draws if resampling.kind == "record" else 0,
        confidence=resampling.confidence,
        spent_confidence=resampling.deciding_confidence,
    )


def with_false_alarms(
    result: PairedResult, challenger: AnomalyScores, champion: AnomalyScores, resampling: Resampling
) -> PairedResult:
    """The result with both models' false alarms at their own thresholds, on records that are all good."""
    good = np.ones(len(challenger.score), bool)
    return replace(result, **error_differences(challenger, champion, good, resampling))


def with_good_or_defect(
    result: PairedResult, challenger: AnomalyScores, champion: AnomalyScores, good: np.ndarray, resampling: Resampling
) -> PairedResult:
    """The result with the AUROC of good against defect, and with both models' errors at their own thresholds.

    good: (n,) bool of the compared records, some of each kind.
    """
    models = (challenger, champion)
    aurocs = [weighted_auroc(model.score, ~good, resampling.weights) for model in models]
    detected = [share_of_defects_found(model.score, good, 0.01) for model in models]
    differing = effective_units(np.subtract(*(_good_shares(model.score, good) for model in models)), resampling.units)
    differences = aurocs[0] - aurocs[1]
    figures = result.figures | {"good_auroc": _difference(differences, differing, resampling)}
    challenger_metrics, champion_metrics = (
        replace(metrics, good_auroc=float(auroc[0]), good_tpr_at_1_fpr=share)
        for metrics, auroc, share in zip((result.challenger, result.champion), aurocs, detected, strict=True)
    )
    errors = error_differences(challenger, champion, good, resampling)
    return replace(result, challenger=challenger_metrics, champion=champion_metrics, figures=figures, **errors)


def _good_shares(score: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Each record's share (n,) in the AUROC of good against defect: its comparisons with the other kind."""
    below, above = np.sort(score[good]), np.sort(score[~good])
    return np.where(good, 1 - _below(above, score) / len(above), _below(below, score) / len(below)) / (
        2 * np.where(good, len(below), len(above))
    )


def _by_pairs(
    challenger: np.ndarray, champion: np.ndarray, mode: np.ndarray, resampling: Resampling
) -> dict[str, MetricDifference]:
    """Verification AUROC and average precision."""
    weights = resampling.weights
    differences = weighted_pairs(challenger, mode, weights) - weighted_pairs(champion, mode, weights)
    apart = effective_units(_pair_shares(challenger, mode) - _pair_shares(champion, mode), resampling.units)
    return {
        name: _difference(column, apart, resampling) for name, column in zip(PAIR_METRICS, differences.T, strict=True)
    }


def _by_accuracy(
    challenger: np.ndarray, champion: np.ndarray, mode: np.ndarray, resampling: Resampling
) -> dict[str, MetricDifference]:
    """Mode accuracy over the records, and its mean over the modes."""
    won, weights = _won(challenger, champion, mode), resampling.weights
    metrics = {
        "mode_accuracy": (won, weighted_share(weights, won)),
        "macro_mode_accuracy": (won * _macro_weights(mode), _macro(won, mode, weights)),
    }
    return {
        name: _difference(values, effective_units(shares, resampling.units), resampling)
        for name, (shares, values) in metrics.items()
    }


def _difference(values: np.ndarray, apart: float, resampling: Resampling) -> MetricDifference:
    deciding = resampling.deciding_confidence
    certain = None if deciding is None else resampling.difference_interval(values, apart, deciding)
    return MetricDifference(float(values[0]), resampling.difference_interval(values, apart), apart, certain)


def _by_mode(
    challenger: np.ndarray, champion: np.ndarray, mode: np.ndarray, names: list[str], resampling: Resampling
) -> tuple[dict[str, ModeDifference], PooledModes | None]:
    """The accuracy of each mode, and of those together that have too few units each (None without any)."""
    right = [distances.argmin(axis=1) == mode for distances in (challenger, champion)]
    won, fewest = _won(challenger, champion, mode), min_units_for_significance(resampling.confidence)

    def compare(rows: np.ndarray) -> ModeDifference:
        units, interval = resampling.units[rows], None
        challenger, champion = (float(hits[rows].mean()) for hits in right)
        if len(np.unique(units)) >= fewest:
            resampled = resampling.among(rows)
            values = weighted_share(resampled.weights, won[rows])
            interval = resampled.difference_interval(values, effective_units(won[rows], units))
        return ModeDifference(challenger - champion, interval, int(rows.sum()), challenger, champion)

    modes = {names[code]: compare(mode == code) for code in np.unique(mode)}
    small = tuple(name for name, entry in modes.items() if entry.interval is None)
    few = np.isin(np.array(names)[mode], small)
    pooled = compare(few) if small else None
    tests = {name: mode == names.index(name) for name in modes if name not in small}
    rows = [*tests.values(), *([few] if small else [])]
    adjusted = adjusted_p_values([fall_p_value(won[own], resampling.units[own]) for own in rows])
    modes |= {name: replace(modes[name], p=p) for name, p in zip(tests, adjusted, strict=False)}
    return modes, pooled and PooledModes(**vars(replace(pooled, p=adjusted[-1])), modes=small)


def _won(challenger: np.ndarray, champion: np.ndarray, mode: np.ndarray) -> np.ndarray:
    """1 for each record (n,) that only the challenger has right, −1 for one that only the champion has, else 0."""
    return (challenger.argmin(axis=1) == mode).astype(float) - (champion.argmin(axis=1) == mode)


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
    levels, level = np.unique(own, return_inverse=True)
    near, far = np.argsort(level, kind="stable"), np.argsort(others, axis=None)
    starts, record = np.flatnonzero(np.diff(level[near], prepend=-1)), far // others.shape[1]
    nearer, as_near = (np.searchsorted(others.ravel()[far], levels, side) for side in ("left", "right"))
    values = np.empty((len(weights), 2))
    for i, drawn in enumerate(weights):
        hits, misses = np.add.reduceat(drawn[near], starts), np.append(0.0, np.cumsum(drawn[record]))
        values[i] = _pairs_of_draw(hits, misses[nearer], misses[as_near], misses[-1])
    return values


def _pairs_of_draw(
    hits: np.ndarray, nearer: np.ndarray, as_near: np.ndarray, all_misses: np.floating
) -> tuple[np.floating, np.floating]:
    """The two metrics from the weight of own distances at each of their levels (levels,), and of others up to there.

    nearer, as_near: of others below each level, and of those that are not above it.
    """
    true_positives = np.cumsum(hits)
    beyond = all_misses - (nearer + as_near) / 2
    precision = true_positives / np.maximum(true_positives + as_near, 1e-12)
    auroc = (hits * beyond).sum() / (true_positives[-1] * all_misses)
    return auroc, np.cumsum(hits * precision)[-1] / true_positives[-1]


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
