"""Ablations: metrics on a mode that was left out of training, on permuted labels, and on the notebook's own split.

They are reported apart from the metrics of the released model, for they are metrics of other models.
"""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from tasks.config.run import RunConfig
from tasks.core.json_form import Json
from tasks.evaluation.holdout import calibrate_thresholds, triplet_metrics
from tasks.evaluation.intervals import auroc_with_interval, intervals
from tasks.evaluation.metrics import pair_metrics, share_of_defects_found
from tasks.evaluation.scored_records import ScoredRecords, score_part
from tasks.model.classifier import fit_prototypes
from tasks.model.distances import trained_distance
from tasks.model.embeddings import EmbeddedBank

CHANCE_LEVEL = (0.45, 0.55)  # where the verification AUROC of a model trained on permuted labels must lie


def unseen_metrics(test: ScoredRecords, calibration: ScoredRecords, mode: str, config: RunConfig) -> Json:
    """How well test records of a mode that was left out of training are separated from good ones and from all others.

    test: the test part of the whole bank; calibration: the calibration part of the bank without the mode. `scores` are
    AUROCs against the good test records, `caught` is the share above the threshold that was calibrated without the
    mode, and `novelty` the AUROC of the distance to the nearest prototype against all test records of trained modes.
    """
    classifier, good = test.classifier, test.good
    strange = test.mode == test.bank.modes.index(mode)
    resampling = test.resampling(config)
    novelty = auroc_with_interval(test.distances.min(axis=1), strange, resampling)
    metrics: Json = {"n": int(strange.sum()), "novelty": asdict(novelty)}
    if not classifier.knows_good or not good.any():
        return metrics
    rows = good | strange
    scores = {
        name: asdict(auroc_with_interval(values[rows], strange[rows], resampling.among(rows)))
        | {"tpr_at_1_fpr": share_of_defects_found(values[rows], good[rows], 0.01)}
        for name, values in classifier.scores(test.embedded).items()
    }
    threshold = calibrate_thresholds(calibration, config)[0].value
    caught = None if threshold is None else float((test.score[strange] > threshold).mean())
    return metrics | {"scores": scores, "used": classifier.score_kind, "caught": caught}


def permuted_label_metrics(test: ScoredRecords, config: RunConfig) -> Json:
    """Verification AUROC with its interval, and mode accuracy, on test records, whose modes are the true ones."""
    metrics = pair_metrics(test.distances, test.mode)
    interval = intervals(test.distances, test.mode, test.resampling(config))["auroc"]
    return {"auroc": metrics.auroc, "interval": interval, "mode_accuracy": metrics.mode_accuracy}


def replayed_split_metrics(records: EmbeddedBank, config: RunConfig) -> Json:
    """The notebook's figures on the triplets that its own split holds out, and how far that split leaks.

    records: of a bank by `with_notebook_split`. `shared`: the share of held-out triplets both of whose records are in
    training triplets.
    """
    classifier = fit_prototypes("replay", records, trained_distance(config.fit), config.fit.prototype)
    train, held_out = (records.bank.triplets[part] for part in ("train", "stop"))
    metrics = triplet_metrics(score_part(classifier, records, "stop"), "stop")
    metrics["angular_accuracy_at_0.5"] = metrics.pop("angular_accuracy")  # as figures are stored
    shared = float(np.isin(held_out[:, 1:], train[:, 1:]).all(axis=1).mean())
    return {"triplets": len(train), "held_out": len(held_out), "shared": shared, **metrics}


def replay_summary(folds: tuple[Json, ...]) -> Json | None:
    """The metrics of the replayed split, or why its training `failed`; None where it was not asked for."""
    return next((fold for fold in folds if fold["kind"] == "replay"), None)


def left_out_mode_summary(folds: tuple[Json, ...], config: RunConfig) -> Json | None:
    """The metrics by mode and their plain means; None where the settings do not ask for them.

    `modes` is empty where no mode can be left out; one whose training failed has `failed`, and no metrics.
    """
    if not config.evaluate.unseen:
        return None
    modes = {fold["name"]: fold for fold in folds if fold["kind"] == "without"}
    trained = [fold for fold in modes.values() if "failed" not in fold]
    scored = [fold for fold in trained if "scores" in fold]
    values = {"novelty_auroc": [fold["novelty"]["auroc"] for fold in trained]}
    for name in sorted({name for fold in scored for name in fold["scores"]}):
        of_score = [fold["scores"][name] for fold in scored if name in fold["scores"]]
        values[f"good_auroc_{name}"] = [score["auroc"] for score in of_score]
        # Folds that an earlier version measured have no such share.
        shares = [score.get("tpr_at_1_fpr") for score in of_score]
        values[f"good_tpr_at_1_fpr_{name}"] = [share for share in shares if share is not None]
    values["good_auroc"] = [fold["scores"][fold["used"]]["auroc"] for fold in scored]
    values["caught"] = [fold["caught"] for fold in scored if fold["caught"] is not None]
    return {"modes": modes, "mean": {name: float(np.mean(row)) for name, row in values.items() if row}}


def permutation_summary(folds: tuple[Json, ...], config: RunConfig) -> Json | None:
    """The verification AUROC of each permutation, their mean, and whether that is chance; None where not asked for.

    `chance` is None where it is undecided: the mean lies outside of CHANCE_LEVEL but its interval includes 0.5, or
    every training failed (`failed` says why, and `mean` is None).
    """
    if not config.evaluate.permutation:
        return None
    permuted = [fold for fold in folds if fold["kind"] == "permuted"]
    trained = [fold for fold in permuted if "failed" not in fold]
    mean = float(np.mean([fold["auroc"] for fold in trained])) if trained else None
    return {
        "auroc": [fold["auroc"] for fold in trained],
        "mean": mean,
        "expected": list(CHANCE_LEVEL),
        "chance": None if mean is None else _is_chance(mean, [fold["interval"] for fold in trained]),
        "failed": [fold["failed"] for fold in permuted if "failed" in fold],
    }


def _is_chance(mean: float, intervals: list[list[float]]) -> bool | None:
    low, high = np.mean(intervals, axis=0)
    if CHANCE_LEVEL[0] <= mean <= CHANCE_LEVEL[1]:
        return True
    return None if low <= 0.5 <= high else False
