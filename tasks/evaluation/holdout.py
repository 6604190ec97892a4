"""The metrics, thresholds and baselines of a model: thresholds on the calibration part, all else on the test part."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tasks.config.run import RunConfig
from tasks.core.json_form import Json
from tasks.core.results import Finding, Stage
from tasks.data.bank import Bank, load_bank
from tasks.data.bank_variants import only_parts, subsample
from tasks.evaluation.comparison_report import PairMetrics
from tasks.evaluation.evaluation_report import Baseline, BaselineKind, GroupMetrics, HoldoutMetrics
from tasks.evaluation.intervals import (
    accuracy_intervals,
    auroc_with_interval,
    intervals,
    macro_intervals,
    threshold_metrics,
    weighted_auroc,
)
from tasks.evaluation.metrics import (
    angular_metrics,
    macro,
    pair_metrics,
    per_group_metrics,
    per_mode_metrics,
    retrieval_metrics,
    share_of_defects_found,
)
from tasks.evaluation.resampling import Resampling
from tasks.evaluation.scored_records import OutOfFoldScores, ScoredRecords, score_part
from tasks.evaluation.thresholds import THRESHOLD_DRAWS, Rule, calibrate
from tasks.model.classifier import fit_prototypes
from tasks.model.distances import trained_distance
from tasks.registry.loading import embedded_bank, load_tower
from tasks.registry.manifest import FrozenSet
from tasks.registry.release_files import DEFECT_THRESHOLD, MODE_THRESHOLD, CalibrationScores, Threshold
from tasks.registry.releases import Release


@dataclass(frozen=True)
class EvaluationInputs:
    """What an evaluation is called with, and the bank: all of it, and those records of it that are evaluated.

    number: which comparison with the champion this is.
    """

    triplets: Stage
    model: Stage
    config: RunConfig
    champion: Release | None
    facts: Json
    findings: tuple[Finding, ...]
    folds: tuple[Json, ...]
    full_bank: Bank
    bank: Bank
    frozen: FrozenSet
    number: int


def calibrate_thresholds(
    records: ScoredRecords, config: RunConfig, crossed: OutOfFoldScores | None = None
) -> tuple[Threshold, ...]:
    """Good or defect by the configured rule; same or different mode by Youden's, both on calibration records.

    crossed: the scores that the threshold between good and defect is found on instead, where there are any.
    """
    classifier, distances = records.classifier, records.distances
    different = np.arange(distances.shape[1]) != records.mode[:, None]
    resampling = replace(records.resampling(config), draws=THRESHOLD_DRAWS)
    of_pairs = replace(resampling, units=np.repeat(resampling.units, distances.shape[1]))
    name = classifier.distance.name
    same = calibrate(MODE_THRESHOLD, distances.ravel(), different.ravel(), Rule("youden"), of_pairs, name)
    if not classifier.knows_good:
        return (same,)
    rule, scores = Rule.of(config.evaluate), crossed or records
    of_records = replace(scores.resampling(config), draws=THRESHOLD_DRAWS)
    defect = calibrate(DEFECT_THRESHOLD, scores.score, ~scores.good, rule, of_records, classifier.unit)
    return replace(defect, crossed=crossed is not None or None), same


def with_rates_at_thresholds(
    metrics: HoldoutMetrics, calibration: ScoredRecords, test: ScoredRecords, config: RunConfig
) -> HoldoutMetrics:
    """The metrics with each score's rates at a threshold of its own, found by the configured rule."""
    if not metrics.good_scores:
        return metrics
    rule, units, good = Rule.of(config.evaluate), calibration.resampling(config).units, test.good
    tested = test.classifier.scores(test.embedded)
    scores = dict(metrics.good_scores)
    for name, values in calibration.classifier.scores(calibration.embedded).items():
        try:
            called = tested[name] > rule.cut(values, ~calibration.good, units)[0]
        except ValueError:  # too few: the report says so of the threshold that is used
            continue
        scores[name] = replace(scores[name], fpr=float(called[good].mean()), tpr=float(called[~good].mean()))
    return replace(metrics, good_scores=scores)


def holdout_metrics(
    records: ScoredRecords, thresholds: tuple[Threshold, ...], resampling: Resampling
) -> HoldoutMetrics:
    """Every metric of the trained model on test records, with the intervals of that resampling."""
    classifier, distances, mode = records.classifier, records.distances, records.mode
    embedded = records.embedded
    per_mode = per_mode_metrics(distances, mode, classifier.modes, accuracy_intervals(distances, mode, resampling))
    return HoldoutMetrics(
        **vars(pair_metrics(distances, mode))
        | retrieval_metrics(lambda block: classifier.pair_distances(embedded.take(block), embedded), mode)
        | triplet_metrics(records)
        | _good_metrics(records, thresholds, resampling),
        macro=macro(per_mode),
        macro_intervals=macro_intervals(distances, mode, resampling),
        per_mode=per_mode,
        per_group=_per_group(records, thresholds),
        intervals=intervals(distances, mode, resampling),
        interval_unit=resampling.unit,
        interval_unit_kind=resampling.kind,
        records=len(records),
    )


def triplet_metrics(records: ScoredRecords, part: str = "test") -> dict[str, float]:
    """Triplet accuracy in the trained distance, and the notebook's angular accuracy beside it; records: of `part`."""
    bank, distances, vectors = records.bank, records.distances, records.embedded.vectors
    position = np.zeros(len(bank.maps), np.int64)
    position[records.rows] = np.arange(len(records))
    anchor, positive, negative = bank.triplets[part].T
    positive, negative = position[positive], position[negative]
    correct = distances[positive, anchor] < distances[negative, anchor]
    anchors = records.classifier.embed(bank.anchors).vectors  # the notebook's anchor is the embedded mean map
    return {
        "triplet_accuracy": float(correct.mean()),
        **angular_metrics(anchors[anchor], vectors[positive], vectors[negative]),
    }


def _good_metrics(records: ScoredRecords, thresholds: tuple[Threshold, ...], resampling: Resampling) -> Json:
    """Good-or-defect AUROC, and accuracy and error rates at the calibrated threshold."""
    if not records.has_good_and_defective:
        return {}
    classifier, good = records.classifier, records.good
    scores = {
        name: replace(
            auroc_with_interval(values, ~good, resampling), tpr_at_1_fpr=share_of_defects_found(values, good, 0.01)
        )
        for name, values in classifier.scores(records.embedded).items()
    }
    used = scores[classifier.score_kind]
    metrics: Json = {
        "good_auroc": used.auroc,
        "good_auroc_interval": used.interval,
        "good_scores": scores,
        "good_tpr_at_1_fpr": share_of_defects_found(records.score, good, 0.01),
    }
    threshold = thresholds[0].value
    if threshold is None:
        return metrics
    by_group = {"good_fpr_by_group": fpr_by_group(records, threshold)}
    return metrics | threshold_metrics(records.score > threshold, good, resampling) | by_group


def fpr_by_group(records: ScoredRecords | OutOfFoldScores, threshold: float) -> dict[str, float]:
    """The share of good parts above the threshold in each named group that has any."""
    called, good, group = records.score > threshold, records.good, records.group
    names = sorted(set(group[good].tolist()) - {""})
    return {name: float(called[good & (group == name)].mean()) for name in names}


def _per_group(records: ScoredRecords, thresholds: tuple[Threshold, ...]) -> dict[str, GroupMetrics]:
    """The metrics of each named group; empty where the data names no groups."""
    named = records.group != ""
    if not named.any():
        return {}
    score, threshold = None, None
    if records.classifier.knows_good:
        score, threshold = records.score[named], thresholds[0].value
    of_named = records.distances[named], records.mode[named], records.good[named]
    return per_group_metrics(*of_named, score, threshold, records.group[named])


def baseline_metrics(records: ScoredRecords) -> PairMetrics:
    """The pair metrics and the good-or-defect AUROC by the distance to good, as baselines need them."""
    metrics = pair_metrics(records.distances, records.mode)
    if not records.has_good_and_defective:
        return metrics
    distances = records.classifier.good_distances(records.embedded)
    auroc = weighted_auroc(distances, ~records.good, np.ones((1, len(records))))[0]
    detected = share_of_defects_found(distances, records.good, 0.01)
    return replace(metrics, good_auroc=float(auroc), good_tpr_at_1_fpr=detected)


def baseline(records: ScoredRecords, kind: BaselineKind) -> Baseline:
    """What the classifier of the records reaches on them, as a baseline of that kind."""
    return Baseline(records.classifier.name, kind, baseline_metrics(records))


def collect_scores(
    calibration: ScoredRecords | OutOfFoldScores, test: ScoredRecords, resamplings: tuple[Resampling, Resampling]
) -> CalibrationScores:
    """The scores that a threshold is found on and tested on; resamplings: what is drawn as one in each."""
    if not test.classifier.knows_good:
        return CalibrationScores(
            np.empty(0), np.empty(0, bool), np.empty(0, bool), np.empty(0, np.int64), np.array("record")
        )
    parts = calibration, test
    return CalibrationScores(
        score=np.concatenate([part.score for part in parts]),
        good=np.concatenate([part.good for part in parts]),
        test=np.repeat([False, True], [len(part) for part in parts]),
        unit=np.concatenate([resampling.units for resampling in resamplings]),
        unit_kind=np.array(resamplings[1].kind),
    )


def trial_facts(triplets: Stage, model: Stage, config: RunConfig) -> Json:
    """A model's figures on the validation part, its size, and the seconds of its training."""
    bank = only_parts(subsample(load_bank(triplets.path), config.evaluate.most_records))
    epochs = json.loads((Path(model.path) / "history.json").read_text(encoding="utf-8"))["epochs"]
    return {
        "figures": baseline_metrics(_score_validation_part(model, bank, config)).as_json(),
        "parameters": model.facts["parameters"],
        "best_epoch": model.facts["best_epoch"],
        "seconds": round(sum(line["seconds"] for line in epochs), 3),
        "model": model.digest,
    }


def _score_validation_part(model: Stage, bank: Bank, config: RunConfig) -> ScoredRecords:
    records = embedded_bank(load_tower(model), bank, config)
    classifier = fit_prototypes("trial", records, trained_distance(config.fit), config.fit.prototype)
    return score_part(classifier, records, "stop")
