"""The evaluation of a model from good parts alone, and the files of its report stage.

What can be measured is how many good parts it stops, on lots that it has not seen. How many defects it finds is not
known, and every text that shows it says so.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from tasks.config.run import RunConfig
from tasks.core.files import write_json
from tasks.core.json_form import Json
from tasks.data.bank import Bank
from tasks.evaluation.evaluation_report import HoldoutMetrics, HoldoutResult
from tasks.evaluation.holdout import EvaluationInputs, collect_scores, fpr_by_group
from tasks.evaluation.intervals import share_interval
from tasks.evaluation.label_errors import LabelIssues, write_label_issues
from tasks.evaluation.leakage import leakage_report
from tasks.evaluation.scored_records import ScoredRecords, score_part
from tasks.model.architecture import tower_layers
from tasks.model.classifier import PrototypeClassifier
from tasks.model.embeddings import EmbeddedBank, make_encoder
from tasks.monitoring.reference import build_reference
from tasks.pages.zero import render_zero
from tasks.promotion.decision import compare, decided_report
from tasks.registry.gallery import build_gallery
from tasks.registry.loading import CalibratedClassifier, load_tower, with_shifts
from tasks.registry.manifest import read_manifest
from tasks.registry.release_files import (
    REPORT_FILE,
    REPORT_PAGE,
    ClassifierArrays,
    SplitRecords,
    ThresholdSettings,
)
from tasks.zero.fitting import GoodPartsModel, fit_good_parts, refit


def write_zero_evaluation(draft: Path, inputs: EvaluationInputs) -> Json:
    """Every file of the stage; its metrics and the gate's reasons."""
    config, tower = inputs.config, load_tower(inputs.model)
    records = EmbeddedBank(make_encoder(with_shifts(tower, config)), inputs.bank)
    model = fit_good_parts(records, config)
    test = score_part(model.classifier, records, "test")
    layers = inputs.model.facts | {"layers": [asdict(layer) for layer in tower_layers(tower)]}
    report = decided_report(inputs, _result(inputs, model, records, test), layers, zero=_zero(inputs, model))
    write_json(draft / REPORT_FILE, report.as_json())
    resamplings = model.scores.resampling(config), test.resampling(config)
    collect_scores(model.scores, test, resamplings).save(draft)
    _write_classifier(draft, model, records, inputs)
    _write_odd_parts(draft, model, test, inputs)
    (draft / REPORT_PAGE).write_text(render_zero(report, draft, config.report.language), encoding="utf-8")
    return {"metrics": report.metrics.plain_numbers(), "reasons": list(report.reasons)}


def _result(
    inputs: EvaluationInputs, model: GoodPartsModel, records: EmbeddedBank, test: ScoredRecords
) -> HoldoutResult:
    config, defect = inputs.config, model.thresholds[0]

    def refitted(bank: Bank) -> PrototypeClassifier:
        return refit(EmbeddedBank(records.encoder, bank), config)

    return HoldoutResult(
        metrics=_metrics(model, test, config),
        baselines=(),
        thresholds=model.thresholds,
        frozen=inputs.frozen,
        comparison=compare(inputs, test, defect.value),
        certificate=leakage_report(inputs.full_bank, inputs.bank, model.classifier, refitted, inputs.triplets.facts),
    )


def _metrics(model: GoodPartsModel, test: ScoredRecords, config: RunConfig) -> HoldoutMetrics:
    """The false alarms on the test records, which are all good."""
    resampling, cut = test.resampling(config), model.thresholds[0].value
    alarms: Json = {}
    if cut is not None:
        called = test.score > cut
        alarms = {
            "good_fpr": float(called.mean()),
            "good_fpr_interval": share_interval(called, resampling.units, resampling.confidence),
            "good_fpr_by_group": fpr_by_group(test, cut),
            "calibration_fpr_by_group": fpr_by_group(model.scores, cut),
        }
    return HoldoutMetrics(
        **alarms,
        macro={},
        macro_intervals={},
        per_mode={},
        per_group={},
        intervals={},
        interval_unit=resampling.unit,
        interval_unit_kind=resampling.kind,
        records=len(test),
    )


def _zero(inputs: EvaluationInputs, model: GoodPartsModel) -> Json:
    """How the model was made: from how many good parts and lots, and what was asked of it."""
    config, groups = inputs.config, set(model.scores.group.tolist()) - {""}
    return {
        "parts": len(model.scores),
        "lots": len(groups),
        "sets": model.sets,
        "rule": config.evaluate.rule,
        "target": config.evaluate.target,
        **_unit_space(config),
    }


def _unit_space(config: RunConfig) -> Json:
    """Where the parts are compared: in windows of the map, or in the embedding of a parent's tower."""
    if config.zero.parent is None:
        return {"windows": config.fit.blocks}
    parent = read_manifest(Path(config.zero.parent))
    return {
        "distance": config.fit.distance,
        "parent": {"version": parent.version, "fingerprint": parent.fingerprint, "source": parent.train.source},
    }


def _write_classifier(draft: Path, model: GoodPartsModel, records: EmbeddedBank, inputs: EvaluationInputs) -> None:
    """What a release needs beside the tower, as `evaluate` writes it for a trained model."""
    bank, classifier, config = inputs.full_bank, model.classifier, inputs.config
    ClassifierArrays(classifier.modes, bank.anchors, classifier.prototypes, classifier.good, classifier.fusion).save(
        draft
    )
    SplitRecords.of(bank).save(draft)
    ThresholdSettings(
        distance=classifier.distance.get_config(),
        score=classifier.score_kind,
        prototype=config.fit.prototype,
        rows=config.data.rows,
        cols=config.data.cols,
        thresholds=model.thresholds,
        shifts=config.evaluate.shifts,
    ).save(draft)
    build_gallery(records).save(draft)
    by_name = {threshold.name: threshold for threshold in model.thresholds}
    calibrated = CalibratedClassifier(classifier, bank.anchors.astype(np.float64), config.data, by_name)
    build_reference(calibrated, records).save(draft)


def _write_odd_parts(draft: Path, model: GoodPartsModel, test: ScoredRecords, inputs: EvaluationInputs) -> None:
    """`labels.parquet`: the good parts beyond the threshold, the strangest first, for people to look at."""
    bank, cut = inputs.bank, model.thresholds[0].value
    rows = np.concatenate([bank.rows("train"), test.rows])
    score = np.concatenate([model.scores.score, test.score])
    order = np.argsort(-score, kind="stable")
    order = order[score[order] > (np.inf if cut is None else cut)]
    beyond = score[order]
    issues = LabelIssues(
        rows=rows[order],
        other=bank.mode[rows[order]],
        own=beyond,
        nearest=np.full(len(order), cut, float),
        confidence=(beyond - cut) / np.maximum(np.abs(beyond) + np.abs(cut), 1e-12) if len(order) else beyond,
        checked=len(rows),
    )
    write_label_issues(issues, bank, draft)
