"""Cross-fitting by group: every lot is test lot once, and every lot calibrates.

Each set of groups is scored by a model that was trained without it. The threshold that is tested on a set is found on
the scores of the other sets, so that no record helps to choose the threshold by which it is judged. With few lots this
says more of a new lot than the one or two lots of a test part (docs/judgement.md has the assumptions and figures).
Source: Vovk 2015, Cross-conformal predictors, Annals of Mathematics and Artificial Intelligence 74, 9.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from tasks.config.run import RunConfig
from tasks.core.json_form import Json
from tasks.core.stages import stage_folder
from tasks.data.split import place_of_unit
from tasks.evaluation.evaluation_report import CrossedGroup, CrossFitting, Estimate
from tasks.evaluation.intervals import auroc_with_interval, share_interval, threshold_metrics
from tasks.evaluation.resampling import Resampling
from tasks.evaluation.scored_records import OutOfFoldScores
from tasks.evaluation.thresholds import Rule

MIN_SETS = 2  # that were trained, to find a threshold on one and test it on another


def sets_of_groups(units: np.ndarray, sets: int, seed: int) -> np.ndarray:
    """The set (n,) of each record, 0 to min(sets, units) − 1; records of one unit (n,) share a set.

    The largest unit comes first, each into the set with the fewest records; equal ones in the order of a hash.
    """
    names, inverse, sizes = np.unique(units, return_inverse=True, return_counts=True)
    places = [place_of_unit(name, seed) for name in names]
    of_unit, records = np.zeros(len(names), np.int64), np.zeros(min(sets, len(names)), np.int64)
    for unit in np.lexsort((places, -sizes)):
        of_unit[unit] = records.argmin()
        records[of_unit[unit]] += sizes[unit]
    return of_unit[inverse]


@dataclass(frozen=True)
class CrossedSets:
    """The out-of-fold scores of every set that was trained and judged, and why the others were not."""

    scores: tuple[OutOfFoldScores, ...]
    failed: dict[str, str]

    @classmethod
    def of(cls, folds: tuple[Json, ...], config: RunConfig) -> CrossedSets | None:
        """The sets of the folds' metrics; None where no cross-fitting was asked for."""
        crossed = [fold for fold in folds if fold["kind"] == "cross"]
        if not crossed:
            return None
        failed = {fold["name"]: fold["failed"] for fold in crossed if "failed" in fold}
        folders = [_scores_folder(fold["stage"], config) for fold in crossed if "failed" not in fold]
        return cls(tuple(OutOfFoldScores.load(folder) for folder in folders), failed)

    @property
    def all(self) -> OutOfFoldScores | None:
        """The scores of all sets together; None with fewer than two sets, or where no model knows good parts."""
        if len(self.scores) < MIN_SETS:
            return None
        scores = _joined(self.scores)
        return scores.take(~np.isnan(scores.score)) if not np.isnan(scores.score).all() else None

    def others(self, number: int) -> OutOfFoldScores:
        """The scores of all sets but one."""
        return _joined(self.scores[:number] + self.scores[number + 1 :])


def _scores_folder(digest: str, config: RunConfig) -> Path:
    return stage_folder(config.stages_path, "fold-figures", digest)


def _joined(parts: tuple[OutOfFoldScores, ...]) -> OutOfFoldScores:
    names = [field.name for field in fields(OutOfFoldScores)]
    return OutOfFoldScores(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def cross_fitting(crossed: CrossedSets | None, config: RunConfig, test_threshold: float | None) -> CrossFitting | None:
    """The metrics of all sets together, each at the threshold of the others; None without cross-fitting.

    test_threshold: at which the run's own test part is judged.
    """
    if crossed is None:
        return None
    if len(crossed.scores) < MIN_SETS:
        return CrossFitting(sets=len(crossed.scores), failed=crossed.failed)
    thresholds = [_threshold_of_others(crossed, number, config) for number in range(len(crossed.scores))]
    limits = np.concatenate([np.full(len(part), limit) for part, limit in zip(crossed.scores, thresholds, strict=True)])
    scores = _joined(crossed.scores)
    called = np.where(np.isnan(limits) | np.isnan(scores.score), np.nan, scores.score > limits)
    resampling = scores.resampling(config)
    return CrossFitting(
        sets=len(crossed.scores),
        failed=crossed.failed,
        groups=len(set(scores.group.tolist()) - {""}),
        records=len(scores),
        unit=resampling.unit,
        metrics=_metrics(scores, called, resampling),
        by_group=_by_group(scores, called),
        thresholds=tuple(None if np.isnan(limit) else float(limit) for limit in thresholds),
        test_threshold=test_threshold,
    )


def _threshold_of_others(crossed: CrossedSets, number: int, config: RunConfig) -> float:
    """The threshold for one set, found on the scores of all others; NaN where the rule finds none."""
    others = crossed.others(number)
    others = others.take(~np.isnan(others.score))
    if others.good.all() or not others.good.any():
        return np.nan
    try:
        return Rule.of(config.evaluate).cut(others.score, ~others.good, others.resampling(config).units)[0]
    except ValueError:  # too few, as the report says of a threshold that is missing
        return np.nan


def _metrics(scores: OutOfFoldScores, called: np.ndarray, resampling: Resampling) -> dict[str, Estimate]:
    """Metrics with their intervals, by the names of HoldoutMetrics; those at the threshold where there is one."""
    trained = ~np.isnan(scores.right)
    right = scores.right[trained] == 1
    accuracy = share_interval(right, resampling.units[trained], resampling.confidence)
    metrics = {"mode_accuracy": Estimate(float(right.mean()), accuracy)}
    judged, good = ~np.isnan(called), scores.good
    if not judged.any() or good[judged].all() or not good[judged].any():
        return metrics
    known = ~np.isnan(scores.score)
    auroc = auroc_with_interval(scores.score[known], ~good[known], resampling.among(known))
    rates = threshold_metrics(
        called[judged].astype(bool), good[judged], replace(resampling, units=resampling.units[judged])
    )
    names = ("good_fpr", "good_tpr", "good_balanced_accuracy")
    at_threshold = {name: Estimate(rates[name], rates[f"{name}_interval"]) for name in names}
    return metrics | {"good_auroc": Estimate(auroc.auroc, auroc.interval)} | at_threshold


def _by_group(scores: OutOfFoldScores, called: np.ndarray) -> dict[str, CrossedGroup]:
    """The rates of each named group."""
    groups = {}
    for name in sorted(set(scores.group.tolist()) - {""}):
        rows = scores.group == name
        good = rows & scores.good
        groups[name] = CrossedGroup(
            n=int(rows.sum()),
            good=int(good.sum()),
            mode_accuracy=_mean(scores.right[rows]),
            fpr=_mean(called[good]),
            tpr=_mean(called[rows & ~scores.good]),
        )
    return groups


def _mean(values: np.ndarray) -> float | None:
    """The mean of what is known; None where nothing is (NaN)."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None
