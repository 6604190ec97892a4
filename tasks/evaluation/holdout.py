"""What a model is worth on the test part: its figures, thresholds and baselines."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.config.run import RunConfig
from tasks.data.bank import Bank
from tasks.evaluation.bootstrap import (
    accuracy_intervals,
    auroc_with_interval,
    bootstrap_units,
    bootstrap_weights,
    intervals,
    macro_intervals,
    threshold_metrics,
    weighted_auroc,
)
from tasks.evaluation.metrics import (
    angular_accuracy,
    macro,
    pair_metrics,
    per_group_metrics,
    per_mode_metrics,
    retrieval_metrics,
)
from tasks.evaluation.thresholds import Rule, calibrate
from tasks.model.classifier import PrototypeClassifier
from tasks.registry.release_files import Threshold


def calibrate_thresholds(judge: PrototypeClassifier, bank: Bank, config: RunConfig) -> list[Threshold]:
    """Good or defect by the configured rule; same or different mode by Youden's."""
    rows = bank.rows("calibrate")
    distances = judge.mode_distances(bank.maps[rows])
    different = np.arange(distances.shape[1]) != bank.mode[rows][:, None]
    units, _ = bootstrap_units(bank, rows)
    settings, name = config.evaluate, judge.distance.name
    bootstrap = {"confidence": settings.confidence, "seed": config.seed}
    pair_units = np.repeat(units, distances.shape[1])
    same = Rule("youden", **bootstrap)
    found = [calibrate("same mode", distances.ravel(), different.ravel(), pair_units, same, name)]
    if judge.good_distances is not None:
        score, defect = judge.score(bank.maps[rows]), ~bank.good[rows]
        rule = Rule(settings.rule, settings.target, **bootstrap)
        found.insert(0, calibrate("good or defect", score, defect, units, rule, judge.unit))
    return found


def holdout_metrics(
    judge: PrototypeClassifier, bank: Bank, thresholds: list[Threshold], config: RunConfig
) -> dict[str, Any]:
    """Every figure of the trained model on the test part."""
    rows = bank.rows("test")
    maps, mode = np.asarray(bank.maps[rows]), bank.mode[rows]
    distances = judge.mode_distances(maps)
    units, unit = bootstrap_units(bank, rows)
    weights = bootstrap_weights(units, config.evaluate.bootstrap, config.seed)
    embedded = judge.embed(maps)
    confidence = config.evaluate.confidence
    edges = accuracy_intervals(distances, mode, weights, judge.modes, confidence)
    per_mode = {
        name: entry | ({"accuracy_interval": edges[name]} if name in edges else {})
        for name, entry in per_mode_metrics(distances, mode, judge.modes).items()
    }
    return {
        **pair_metrics(distances, mode),
        **retrieval_metrics(lambda block: judge.distance.matrix(embedded[block], embedded), mode),
        **_triplet_metrics(judge, bank, distances, embedded),
        **_good_metrics(judge, bank, thresholds, weights, config),
        "macro": macro(per_mode),
        "macro_intervals": macro_intervals(distances, mode, weights, confidence),
        "per_mode": per_mode,
        "per_group": _per_group(judge, bank, rows, distances, thresholds),
        "intervals": intervals(distances, mode, weights, confidence),
        "interval_unit": unit,
        "records": len(rows),
    }


def _triplet_metrics(
    judge: PrototypeClassifier, bank: Bank, distances: np.ndarray, embedded: np.ndarray
) -> dict[str, float]:
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


def _good_metrics(
    judge: PrototypeClassifier, bank: Bank, thresholds: list[Threshold], weights: np.ndarray, config: RunConfig
) -> dict[str, Any]:
    """Good-or-defect AUROC, and accuracy and error rates at the calibrated threshold."""
    rows = bank.rows("test")
    good = bank.good[rows]
    if judge.good_distances is None or good.all() or not good.any():
        return {}
    maps = np.asarray(bank.maps[rows])
    score, scores = judge.score(maps), judge.scores(maps)
    aurocs = {
        name: auroc_with_interval(values, ~good, weights, config.evaluate.confidence) for name, values in scores.items()
    }
    used = aurocs["fused" if judge.fused else "distance"]
    found: dict[str, Any] = {
        "good_auroc": used["auroc"],
        "good_auroc_interval": used["interval"],
        "good_scores": aurocs,
        **{f"good_auroc_{name}": entry["auroc"] for name, entry in aurocs.items()},
    }
    cut = thresholds[0].value
    if cut is not None:
        called = score > cut
        found |= threshold_metrics(called, good, weights, config.evaluate.confidence)
        found["good_fpr_by_group"] = _by_group(called, good, bank.group[rows])
    return found


def _per_group(
    judge: PrototypeClassifier, bank: Bank, rows: np.ndarray, distances: np.ndarray, thresholds: list[Threshold]
) -> dict[str, Any]:
    """The figures of each group of the records at `rows`; empty where the data names no groups."""
    named = bank.group[rows] != ""
    if not named.any():
        return {}
    left, some = rows[named], distances[named]
    score = None if judge.good_distances is None else judge.score(np.asarray(bank.maps[left]))
    cut = None if score is None else thresholds[0].value
    return per_group_metrics(some, bank.mode[left], bank.good[left], score, cut, bank.group[left])


def _by_group(called: np.ndarray, good: np.ndarray, group: np.ndarray) -> dict[str, float]:
    names = sorted(set(group[good].tolist()) - {""})
    return {name: float(called[good & (group == name)].mean()) for name in names}


def baseline_metrics(judge: PrototypeClassifier, bank: Bank) -> dict[str, float]:
    """The pair figures and the good-or-defect AUROC of a judge, as baselines need them."""
    rows = bank.rows("test")
    found = pair_metrics(judge.mode_distances(bank.maps[rows]), bank.mode[rows])
    good = bank.good[rows]
    if judge.good_distances is not None and good.any() and not good.all():
        score = judge.good_distances(bank.maps[rows])
        found["good_auroc"] = float(weighted_auroc(score, ~good, np.ones((1, len(good))))[0])
    return found
