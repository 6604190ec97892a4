"""What a model is worth on the test part: its figures, thresholds and baselines."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.bank import Bank
from tasks.calibrate import Rule, Threshold, calibrate
from tasks.config import Retrain
from tasks.figures import (
    angular_accuracy,
    draws_of,
    interval,
    intervals,
    macro,
    pair_figures,
    per_mode_figures,
    retrieval_figures,
    weighted_auroc,
)
from tasks.groups import balanced_accuracy, balanced_interval, per_group_figures
from tasks.judge import Judge

LEAST_GROUPS = 10  # below this, drawing groups says little about groups that were not drawn


def thresholds_of(judge: Judge, bank: Bank, config: Retrain) -> list[Threshold]:
    """Good or defect by the configured rule; same or different mode by Youden's."""
    rows = bank.rows("calibrate")
    distances = judge.to_modes(bank.maps[rows])
    different = np.arange(distances.shape[1]) != bank.mode[rows][:, None]
    units, _ = units_of(bank, rows)
    settings, name = config.evaluate, judge.distance.name
    bootstrap = {"confidence": settings.confidence, "seed": config.seed}
    pair_units = np.repeat(units, distances.shape[1])
    same = Rule("youden", **bootstrap)
    found = [calibrate("same mode", distances.ravel(), different.ravel(), pair_units, same, name)]
    if judge.to_good is not None:
        score, defect = judge.to_good(bank.maps[rows]), ~bank.good[rows]
        rule = Rule(settings.rule, settings.target, **bootstrap)
        found.insert(0, calibrate("good or defect", score, defect, units, rule, name))
    return found


def units_of(bank: Bank, rows: np.ndarray) -> tuple[np.ndarray, str]:
    """What the bootstrap draws: codes (n,) of the groups where there are enough, else of the records."""
    groups = np.unique(bank.group[rows])
    if len(groups) < LEAST_GROUPS:
        few = f"record (too few groups: {len(groups)})" if groups.any() else "record"
        return np.arange(len(rows)), few
    names = np.where(bank.group[rows] != "", bank.group[rows], bank.hash[rows].astype(str))
    return np.unique(names, return_inverse=True)[1], "group"


def test_figures(judge: Judge, bank: Bank, thresholds: list[Threshold], config: Retrain) -> dict[str, Any]:
    """Every figure of the trained model on the test part."""
    rows = bank.rows("test")
    maps, mode = np.asarray(bank.maps[rows]), bank.mode[rows]
    distances = judge.to_modes(maps)
    units, unit = units_of(bank, rows)
    weights = draws_of(units, config.evaluate.bootstrap, config.seed)
    embedded = judge.embed(maps)
    per_mode = per_mode_figures(distances, mode, judge.modes)
    return {
        **pair_figures(distances, mode),
        **retrieval_figures(lambda block: judge.distance.matrix(embedded[block], embedded), mode),
        **_triplet_figures(judge, bank, distances, embedded),
        **_good_figures(judge, bank, thresholds, weights, config),
        "macro": macro(per_mode),
        "per_mode": per_mode,
        "per_group": _per_group(judge, bank, thresholds, distances),
        "intervals": intervals(distances, mode, weights, config.evaluate.confidence),
        "interval_unit": unit,
        "records": len(rows),
    }


def _triplet_figures(judge: Judge, bank: Bank, distances: np.ndarray, embedded: np.ndarray) -> dict[str, float]:
    """Triplet accuracy in the trained distance, and the notebook's angular accuracy beside it."""
    number = np.zeros(len(bank.maps), np.int64)
    number[bank.rows("test")] = np.arange(len(distances))
    anchor, positive, negative = bank.triplets["test"].T
    positive, negative = number[positive], number[negative]
    right = distances[positive, anchor] < distances[negative, anchor]
    anchors = judge.embed(bank.anchors)  # the notebook's anchor is the embedded mean map
    return {
        "triplet_accuracy": float(right.mean()),
        **angular_accuracy(anchors[anchor], embedded[positive], embedded[negative]),
    }


def _good_figures(
    judge: Judge, bank: Bank, thresholds: list[Threshold], weights: np.ndarray, config: Retrain
) -> dict[str, Any]:
    """Good-or-defect AUROC, and accuracy and error rates at the calibrated threshold."""
    rows = bank.rows("test")
    good = bank.good[rows]
    if judge.to_good is None or good.all() or not good.any():
        return {}
    score = judge.to_good(bank.maps[rows])
    draws = weighted_auroc(score, ~good, weights)
    found: dict[str, Any] = {
        "good_auroc": float(weighted_auroc(score, ~good, np.ones((1, len(good))))[0]),
        "good_auroc_interval": interval(draws, config.evaluate.confidence),
    }
    cut = thresholds[0].value
    if cut is not None:
        called = score > cut
        found |= {
            "good_accuracy": float((called == ~good).mean()),
            "good_balanced_accuracy": balanced_accuracy(called, good),
            "good_balanced_accuracy_interval": balanced_interval(called, good, weights, config.evaluate.confidence),
            "good_fpr": float(called[good].mean()),
            "good_tpr": float(called[~good].mean()),
            "good_fpr_by_group": _by_group(called, good, bank.group[rows]),
        }
    return found


def _per_group(judge: Judge, bank: Bank, thresholds: list[Threshold], distances: np.ndarray) -> dict[str, Any]:
    """The figures of each group of the test part; none where the records have no groups."""
    rows = bank.rows("test")
    score = None if judge.to_good is None else judge.to_good(bank.maps[rows])
    cut = None if score is None else thresholds[0].value
    return per_group_figures(distances, bank.mode[rows], bank.good[rows], score, cut, bank.group[rows])


def _by_group(called: np.ndarray, good: np.ndarray, group: np.ndarray) -> dict[str, float]:
    names = sorted(set(group[good].tolist()) - {""})
    return {name: float(called[good & (group == name)].mean()) for name in names}


def short_figures(judge: Judge, bank: Bank) -> dict[str, float]:
    """The pair figures and the good-or-defect AUROC of a judge, as baselines need them."""
    rows = bank.rows("test")
    found = pair_figures(judge.to_modes(bank.maps[rows]), bank.mode[rows])
    good = bank.good[rows]
    if judge.to_good is not None and good.any() and not good.all():
        score = judge.to_good(bank.maps[rows])
        found["good_auroc"] = float(weighted_auroc(score, ~good, np.ones((1, len(good))))[0])
    return found
