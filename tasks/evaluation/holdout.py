"""What a model is worth on the test part: its figures, thresholds and baselines."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.config.run import RunConfig
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
from tasks.evaluation.scored_records import ScoredRecords
from tasks.evaluation.thresholds import Rule, calibrate
from tasks.registry.release_files import Threshold


def calibrate_thresholds(records: ScoredRecords, config: RunConfig) -> list[Threshold]:
    """Good or defect by the configured rule; same or different mode by Youden's, both on calibration records."""
    classifier, distances = records.classifier, records.distances
    different = np.arange(distances.shape[1]) != records.mode[:, None]
    units, _ = bootstrap_units(records.bank, records.rows)
    settings, name = config.evaluate, classifier.distance.name
    bootstrap = {"confidence": settings.confidence, "seed": config.seed}
    pair_units = np.repeat(units, distances.shape[1])
    same = Rule("youden", **bootstrap)
    thresholds = [calibrate("same mode", distances.ravel(), different.ravel(), pair_units, same, name)]
    if classifier.knows_good:
        rule = Rule(settings.rule, settings.target, **bootstrap)
        thresholds.insert(0, calibrate("good or defect", records.score, ~records.good, units, rule, classifier.unit))
    return thresholds


def holdout_metrics(records: ScoredRecords, thresholds: list[Threshold], config: RunConfig) -> dict[str, Any]:
    """Every metric of the trained model on test records."""
    classifier, distances, mode = records.classifier, records.distances, records.mode
    units, unit = bootstrap_units(records.bank, records.rows)
    weights = bootstrap_weights(units, config.evaluate.bootstrap, config.seed)
    embedded, confidence = records.embedded, config.evaluate.confidence
    edges = accuracy_intervals(distances, mode, weights, classifier.modes, confidence)
    per_mode = {
        name: entry | ({"accuracy_interval": edges[name]} if name in edges else {})
        for name, entry in per_mode_metrics(distances, mode, classifier.modes).items()
    }
    return {
        **pair_metrics(distances, mode),
        **retrieval_metrics(lambda block: classifier.pair_distances(embedded.take(block), embedded), mode),
        **_triplet_metrics(records),
        **_good_metrics(records, thresholds, weights, config),
        "macro": macro(per_mode),
        "macro_intervals": macro_intervals(distances, mode, weights, confidence),
        "per_mode": per_mode,
        "per_group": _per_group(records, thresholds),
        "intervals": intervals(distances, mode, weights, confidence),
        "interval_unit": unit,
        "records": len(records),
    }


def _triplet_metrics(records: ScoredRecords) -> dict[str, float]:
    """Triplet accuracy in the trained distance, and the notebook's angular accuracy beside it."""
    bank, distances, vectors = records.bank, records.distances, records.embedded.vectors
    position = np.zeros(len(bank.maps), np.int64)
    position[records.rows] = np.arange(len(records))
    anchor, positive, negative = bank.triplets["test"].T
    positive, negative = position[positive], position[negative]
    correct = distances[positive, anchor] < distances[negative, anchor]
    anchors = records.classifier.embed(bank.anchors).vectors  # the notebook's anchor is the embedded mean map
    return {
        "triplet_accuracy": float(correct.mean()),
        **angular_accuracy(anchors[anchor], vectors[positive], vectors[negative]),
    }


def _good_metrics(
    records: ScoredRecords, thresholds: list[Threshold], weights: np.ndarray, config: RunConfig
) -> dict[str, Any]:
    """Good-or-defect AUROC, and accuracy and error rates at the calibrated threshold."""
    if not records.has_good_and_defective:
        return {}
    classifier, good = records.classifier, records.good
    aurocs = {
        name: auroc_with_interval(values, ~good, weights, config.evaluate.confidence)
        for name, values in classifier.scores(records.embedded).items()
    }
    used = aurocs["fused" if classifier.fused else "distance"]
    found: dict[str, Any] = {
        "good_auroc": used["auroc"],
        "good_auroc_interval": used["interval"],
        "good_scores": aurocs,
        **{f"good_auroc_{name}": entry["auroc"] for name, entry in aurocs.items()},
    }
    cut = thresholds[0].value
    if cut is not None:
        called = records.score > cut
        found |= threshold_metrics(called, good, weights, config.evaluate.confidence)
        found["good_fpr_by_group"] = _by_group(called, good, records.group)
    return found


def _per_group(records: ScoredRecords, thresholds: list[Threshold]) -> dict[str, Any]:
    """The metrics of each named group; empty where the data names no groups."""
    named = records.group != ""
    if not named.any():
        return {}
    score = records.score[named] if records.classifier.knows_good else None
    cut = None if score is None else thresholds[0].value
    return per_group_metrics(
        records.distances[named], records.mode[named], records.good[named], score, cut, records.group[named]
    )


def _by_group(called: np.ndarray, good: np.ndarray, group: np.ndarray) -> dict[str, float]:
    names = sorted(set(group[good].tolist()) - {""})
    return {name: float(called[good & (group == name)].mean()) for name in names}


def baseline_metrics(records: ScoredRecords) -> dict[str, float]:
    """The pair metrics and the good-or-defect AUROC by the distance to good, as baselines need them."""
    metrics = pair_metrics(records.distances, records.mode)
    if records.has_good_and_defective:
        distances = records.classifier.good_distances(records.embedded)
        metrics["good_auroc"] = float(weighted_auroc(distances, ~records.good, np.ones((1, len(records))))[0])
    return metrics
