"""What the folds are worth: defects of a mode that was never trained, and models that were taught at random.

Kept apart from the figures of the trained modes: how a model judges what it knows and what it does not
know are two questions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.config.run import RunConfig
from tasks.evaluation.bootstrap import auroc_with_interval, bootstrap_units, bootstrap_weights, intervals
from tasks.evaluation.holdout import calibrate_thresholds
from tasks.evaluation.metrics import pair_metrics
from tasks.evaluation.scored_records import ScoredRecords

CHANCE_LEVEL = (0.45, 0.55)  # where the pair AUROC of a model that was taught at random must lie


def unseen_metrics(test: ScoredRecords, calibration: ScoredRecords, mode: str, config: RunConfig) -> dict[str, Any]:
    """How well test records of a mode that was left out of training are separated from good ones and from all others.

    test: the test part of the whole bank; calibration: the calibration part of the bank without the mode. `scores` are
    AUROCs against the good test records, `caught` is the share above the threshold that was calibrated without the
    mode, and `novelty` the AUROC of the distance to the nearest prototype against all test records of trained modes.
    """
    classifier, good = test.classifier, test.good
    strange = test.mode == test.bank.modes.index(mode)
    units = bootstrap_units(test.bank, test.rows)[0]
    draws, confidence = config.evaluate.bootstrap, config.evaluate.confidence
    weights = bootstrap_weights(units, draws, config.seed)
    nearest = test.distances.min(axis=1)
    found: dict[str, Any] = {
        "n": int(strange.sum()),
        "novelty": auroc_with_interval(nearest, strange, weights, confidence),
    }
    if not classifier.knows_good or not good.any():
        return found
    asked = good | strange
    scores = {name: values[asked] for name, values in classifier.scores(test.embedded).items()}
    found["scores"] = {
        name: auroc_with_interval(values, strange[asked], weights[:, asked], confidence)
        for name, values in scores.items()
    }
    found["used"] = "fused" if classifier.fused else "distance"
    cut = calibrate_thresholds(calibration, config)[0].value
    found["caught"] = None if cut is None else float((test.score[strange] > cut).mean())
    return found


def permuted_label_metrics(test: ScoredRecords, config: RunConfig) -> dict[str, Any]:
    """Pair AUROC with its interval, and mode accuracy, on test records, whose modes are the true ones."""
    distances, mode = test.distances, test.mode
    found = pair_metrics(distances, mode)
    weights = bootstrap_weights(bootstrap_units(test.bank, test.rows)[0], config.evaluate.bootstrap, config.seed)
    edges = intervals(distances, mode, weights, config.evaluate.confidence)["auroc"]
    return {"auroc": found["auroc"], "interval": edges, "mode_accuracy": found["mode_accuracy"]}


def left_out_mode_summary(folds: tuple[dict[str, Any], ...], config: RunConfig) -> dict[str, Any] | None:
    """The figures by mode and their plain means; None where they were not asked for.

    `modes` is empty where no mode can be left out; one whose training died has `failed`, and no figures.
    """
    if not config.evaluate.unseen:
        return None
    modes = {one["name"]: one for one in folds if one["kind"] == "without"}
    means: dict[str, float] = {}
    trained_ones = [one for one in modes.values() if "failed" not in one]
    if trained_ones:
        means["novelty_auroc"] = _mean([one["novelty"]["auroc"] for one in trained_ones])
    judged = [one for one in modes.values() if "scores" in one]
    for name in sorted({name for one in judged for name in one["scores"]}):
        means[f"good_auroc_{name}"] = _mean([one["scores"][name]["auroc"] for one in judged if name in one["scores"]])
    if judged:
        means["good_auroc"] = _mean([one["scores"][one["used"]]["auroc"] for one in judged])
    caught = [one["caught"] for one in judged if one["caught"] is not None]
    return {"modes": modes, "mean": means | ({"caught": _mean(caught)} if caught else {})}


def permutation_summary(folds: tuple[dict[str, Any], ...], config: RunConfig) -> dict[str, Any] | None:
    """The pair AUROC of each permutation, their mean, and whether it is that of a coin; None where not asked for.

    `chance` is None where it cannot be told: the mean lies outside of what is expected, but no farther than
    the scatter of so few records reaches, or every training died (`failed` says of what, and `mean` is None).
    """
    if not config.evaluate.permutation:
        return None
    folds = [one for one in folds if one["kind"] == "permuted"]
    values = [one["auroc"] for one in folds if "failed" not in one]
    mean = _mean(values) if values else None
    return {
        "auroc": values,
        "mean": mean,
        "expected": list(CHANCE_LEVEL),
        "chance": None if mean is None else _chance(mean, [one["interval"] for one in folds if "failed" not in one]),
        "failed": [one["failed"] for one in folds if "failed" in one],
    }


def _chance(mean: float, edges: list[list[float]]) -> bool | None:
    low, high = np.mean(edges, axis=0)
    return True if CHANCE_LEVEL[0] <= mean <= CHANCE_LEVEL[1] else None if low <= 0.5 <= high else False


def _mean(values: list[float]) -> float:
    return float(np.mean(values))
