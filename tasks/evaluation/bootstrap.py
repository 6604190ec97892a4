"""The figures of a judgement broken down: at the threshold, by mode and as plain means over modes, with intervals."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.data.bank import Bank


def macro_intervals(
    distances: np.ndarray, mode: np.ndarray, weights: np.ndarray, confidence: float
) -> dict[str, list[float]]:
    """Bootstrap intervals of the macro figures, as `figures.macro` names them.

    distances: (n, m) of records to prototypes; mode: (n,) each record's own column; weights: (draws, n)
    how often each record is drawn. A draw without any record of a mode leaves that mode out.
    """
    right = distances.argmin(axis=1) == mode
    drawn: dict[str, list[np.ndarray]] = {"accuracy": [], "auroc": [], "tpr_at_5_fpr": []}
    for code in np.unique(mode):
        own = mode == code
        drawn["accuracy"].append(_share(weights[:, own], right[own]))
        if not own.all():
            drawn["auroc"].append(weighted_auroc(-distances[:, code], own, weights))
            drawn["tpr_at_5_fpr"].append(weighted_tpr(-distances[:, code], own, weights, 0.05))
    return {name: interval(np.nanmean(values, axis=0), confidence) for name, values in drawn.items() if values}


def accuracy_intervals(
    distances: np.ndarray, mode: np.ndarray, weights: np.ndarray, names: list[str], confidence: float
) -> dict[str, list[float]]:
    """The bootstrap interval of each mode's accuracy; a mode that no draw holds has none."""
    right = distances.argmin(axis=1) == mode
    drawn = {names[code]: _share(weights[:, mode == code], right[mode == code]) for code in np.unique(mode)}
    return {name: interval(values, confidence) for name, values in drawn.items() if not np.isnan(values).all()}


def weighted_tpr(score: np.ndarray, positive: np.ndarray, weights: np.ndarray, at: float) -> np.ndarray:
    """The largest TPR with an FPR of `at` or less (draws,), under each row of `weights` (draws, n); NaN without both.

    Equal scores are called alike: only the last of them can be a cut.
    """
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    hit, miss = (np.cumsum(weights[:, order] * which[order], axis=1) for which in (positive, ~positive))
    hits, misses = hit[:, -1:], miss[:, -1:]
    with np.errstate(invalid="ignore"):  # 0 / 0 where a draw lacks one kind: NaN, as told
        fits = (miss[:, last] <= at * misses) * hit[:, last] / hits
    return np.where(misses[:, 0] > 0, fits.max(axis=1), np.nan)


def threshold_metrics(
    called: np.ndarray, good: np.ndarray, weights: np.ndarray, confidence: float
) -> dict[str, float | list[float]]:
    """What a threshold is worth on records (n,) that it called defective, each figure with its interval.

    The balanced accuracy is the mean of the defects that are found and the good parts that pass.
    """
    drawn = {
        "good_accuracy": _share(weights, called == ~good),
        "good_fpr": _share(weights[:, good], called[good]),
        "good_tpr": _share(weights[:, ~good], called[~good]),
    }
    drawn["good_balanced_accuracy"] = (1 - drawn["good_fpr"] + drawn["good_tpr"]) / 2
    fpr, tpr = float(called[good].mean()), float(called[~good].mean())
    values = {
        "good_accuracy": float((called == ~good).mean()),
        "good_balanced_accuracy": (1 - fpr + tpr) / 2,
        "good_fpr": fpr,
        "good_tpr": tpr,
    }
    return values | {f"{name}_interval": interval(drawn[name], confidence) for name in values}


def _share(weights: np.ndarray, hit: np.ndarray) -> np.ndarray:
    """The weighted share of hits (draws,); NaN where nothing is drawn."""
    total = weights.sum(axis=1)
    return np.divide(weights @ hit, total, out=np.full(len(weights), np.nan), where=total > 0)


def weighted_auroc(score: np.ndarray, positive: np.ndarray, weights: np.ndarray, each: int = 1) -> np.ndarray:
    """AUROC (draws,) under each row of `weights` (draws, n / each): ties count half; NaN where a class has no weight.

    each: how many scores in a row share a weight, such as the pairs of one record.
    """
    _, level = np.unique(score, return_inverse=True)
    count = level.max() + 1
    values = np.empty(len(weights))
    for i, own in enumerate(weights):
        weight = np.repeat(own, each)
        hit = np.bincount(level, weight * positive, count)
        miss = np.bincount(level, weight * ~positive, count)
        below = np.cumsum(miss) - miss
        both = hit.sum() * miss.sum()
        values[i] = (hit * (below + miss / 2)).sum() / both if both else np.nan
    return values


def bootstrap_weights(units: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Bootstrap weights (draws, n): how often each record is drawn when its unit is drawn."""
    _, inverse = np.unique(units, return_inverse=True)
    count = inverse.max() + 1
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=draws)
    return drawn[:, inverse].astype(np.float64)


def interval(values: np.ndarray, confidence: float) -> list[float]:
    """Percentile interval of bootstrap values; draws that gave none (NaN) are left out."""
    tail = (1 - confidence) / 2
    return [float(edge) for edge in np.nanquantile(values, [tail, 1 - tail])]


def intervals(
    distances: np.ndarray, mode: np.ndarray, weights: np.ndarray, confidence: float
) -> dict[str, list[float]]:
    """Bootstrap intervals of the pair AUROC and of the mode accuracy."""
    same = np.arange(distances.shape[1]) == mode[:, None]
    right = distances.argmin(axis=1) == mode
    return {
        "auroc": interval(weighted_auroc(-distances.ravel(), same.ravel(), weights, distances.shape[1]), confidence),
        "mode_accuracy": interval(weights @ right / weights.sum(axis=1), confidence),
    }


MIN_GROUPS = 10  # below this, drawing groups says little about groups that were not drawn


def bootstrap_units(bank: Bank, rows: np.ndarray) -> tuple[np.ndarray, str]:
    """What the bootstrap draws: codes (n,) of the groups where there are enough, else of the records."""
    groups = np.unique(bank.group[rows])
    if len(groups) < MIN_GROUPS:
        few = f"record (too few groups: {len(groups)})" if groups.any() else "record"
        return np.arange(len(rows)), few
    names = np.where(bank.group[rows] != "", bank.group[rows], bank.hash[rows].astype(str))
    return np.unique(names, return_inverse=True)[1], "group"


def auroc_with_interval(
    score: np.ndarray, positive: np.ndarray, weights: np.ndarray, confidence: float
) -> dict[str, Any]:
    """The AUROC of a score (n,) and its bootstrap interval."""
    value = float(weighted_auroc(score, positive, np.ones((1, len(score))))[0])
    return {"auroc": value, "interval": interval(weighted_auroc(score, positive, weights), confidence)}
