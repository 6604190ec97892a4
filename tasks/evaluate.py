"""Evaluates the trained model on the test part: metrics, thresholds, baselines, and the comparison with the champion.

Everything uses the distance that was trained; thresholds come from the calibration part alone, prototypes from
training records alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from tasks.config.fingerprints import report_digest
from tasks.config.good_parts import model_settings
from tasks.config.run import RunConfig
from tasks.core.files import write_json
from tasks.core.json_form import Json
from tasks.core.results import Finding, Stage
from tasks.core.stages import get_or_make_stage
from tasks.data.bank import Bank, load_bank
from tasks.data.bank_variants import subsample
from tasks.evaluation.ablation import left_out_mode_summary, permutation_summary, replay_summary
from tasks.evaluation.cross_fitting import CrossedSets, cross_fitting
from tasks.evaluation.evaluation_report import BaselineKind, EvaluationReport, HoldoutResult
from tasks.evaluation.holdout import (
    EvaluationInputs,
    baseline,
    calibrate_thresholds,
    collect_scores,
    fpr_by_group,
    holdout_metrics,
    with_rates_at_thresholds,
)
from tasks.evaluation.leakage import leakage_report
from tasks.evaluation.report_data import ReportData, collect_report_data
from tasks.evaluation.scored_records import ScoredRecords, score_part, score_raw_maps
from tasks.model.architecture import tower_layers
from tasks.model.classifier import PrototypeClassifier, fit_prototypes
from tasks.model.distances import trained_distance
from tasks.model.embeddings import EmbeddedBank, make_encoder
from tasks.model.tower import build_tower
from tasks.monitoring.reference import build_reference
from tasks.pages.costs import cost_section
from tasks.pages.evaluation import picture_files, render, report_pictures
from tasks.pages.labels import write_labels
from tasks.promotion.comparison import raw_map_gain
from tasks.promotion.decision import compare, decided_report
from tasks.registry.frozen_sets import comparison_number, identify_frozen_set
from tasks.registry.gallery import build_gallery
from tasks.registry.loading import CalibratedClassifier, embedded_bank, load_tower, trained_classifier, with_shifts
from tasks.registry.release_files import (
    DEFECT_THRESHOLD,
    REPORT_FILE,
    REPORT_PAGE,
    CalibrationScores,
    ClassifierArrays,
    SplitRecords,
    Threshold,
    ThresholdSettings,
)
from tasks.registry.releases import Release
from tasks.zero.evaluation import write_zero_evaluation


def evaluate(
    triplets: Stage,
    model: Stage,
    config: RunConfig,
    champion: Release | None,
    facts: Json,
    findings: tuple[Finding, ...],
    folds: tuple[Json, ...] = (),
) -> Stage:
    """The stage folder with the files that a release gets from its evaluation (EVALUATION_FILES).

    `facts` name the sources and revisions for the report; `folds` are the metrics of the trainings without a mode and
    with permuted ones. The manifest's facts hold the flat `metrics` and the gate's `reasons`.
    """
    config = model_settings(config, triplets.facts)
    full_bank = load_bank(triplets.path)
    bank = subsample(full_bank, config.evaluate.most_records)
    frozen = identify_frozen_set(bank, config.artifacts_path)
    number = comparison_number(config.artifacts_path, champion.version, model.digest) if champion else 1
    counted = [number] if number > 1 else []  # the first comparison has the digest that it had before any was counted
    against = [champion and [champion.version, champion.manifest.files], frozen.as_json(), *counted]
    digest = report_digest(model.digest, config, against, [facts, folds])
    inputs = EvaluationInputs(
        triplets, model, config, champion, facts, findings, folds, full_bank, bank, frozen, number
    )
    write = write_zero_evaluation if triplets.facts.get("good_alone") else _write_evaluation
    return get_or_make_stage(config.stages_path, "report", digest, lambda draft: write(draft, inputs))


def _write_evaluation(draft: Path, inputs: EvaluationInputs) -> Json:
    """Every file of the stage; its metrics and the gate's reasons."""
    config, size = inputs.config, (inputs.config.data.rows, inputs.config.data.cols)
    tower = load_tower(inputs.model)
    records = embedded_bank(tower, inputs.bank, config)
    classifier = trained_classifier(records, config)
    train, calibration, test = (score_part(classifier, records, part) for part in ("train", "calibrate", "test"))
    resampling, baselines = test.resampling(config), _score_baselines(inputs.bank, config)
    raw = [scored for scored, kind in baselines if kind == "raw map"]
    crossed = CrossedSets.of(inputs.folds, config)
    out_of_fold = crossed and crossed.all
    thresholds = calibrate_thresholds(calibration, config, out_of_fold)
    untested = out_of_fold and out_of_fold.take(~out_of_fold.test)  # what is tested must not calibrate
    test_thresholds = calibrate_thresholds(calibration, config, untested) if untested else thresholds
    refit = _refit(classifier, records, config)
    cut = next((item.value for item in test_thresholds if item.name == DEFECT_THRESHOLD), None)
    result = HoldoutResult(
        metrics=replace(
            with_rates_at_thresholds(holdout_metrics(test, test_thresholds, resampling), calibration, test, config),
            calibration_fpr_by_group=None if cut is None else fpr_by_group(untested or calibration, cut),
        ),
        baselines=tuple(baseline(scored, kind) for scored, kind in baselines),
        thresholds=thresholds,
        frozen=inputs.frozen,
        comparison=compare(inputs, test, cut),
        raw_map=raw_map_gain(test, raw, config),
        certificate=leakage_report(inputs.full_bank, inputs.bank, classifier, refit, inputs.triplets.facts),
    )
    labels = write_labels(classifier, records, size, draft, config.report.language)
    model = inputs.model.facts | {"layers": [asdict(layer) for layer in tower_layers(tower)]}
    report = decided_report(
        inputs,
        result,
        model,
        labels=labels,
        unseen=left_out_mode_summary(inputs.folds, config),
        permutation=permutation_summary(inputs.folds, config),
        replay=replay_summary(inputs.folds),
        cross=cross_fitting(crossed, config, cut if untested else None),
    )
    write_json(draft / REPORT_FILE, report.as_json())
    calibrating = untested or calibration
    scores = collect_scores(calibrating, test, (calibrating.resampling(config), resampling))
    _write_page(draft, report, collect_report_data(test, train, raw, report.history, size, resampling), scores, config)
    _write_classifier(draft, classifier, records, scores, inputs.full_bank, thresholds, config)
    return {"metrics": report.metrics.plain_numbers() | _fold_means(report), "reasons": list(report.reasons)}


def _write_page(
    draft: Path, report: EvaluationReport, evidence: ReportData, scores: CalibrationScores, config: RunConfig
) -> None:
    defect = report.threshold(DEFECT_THRESHOLD)
    costs = cost_section(scores, defect and defect.value, config.cost, config.evaluate.confidence)
    pictures = report_pictures(report, evidence)
    page = render(report, evidence, config.report.language, costs, pictures)
    (draft / REPORT_PAGE).write_text(page, encoding="utf-8")
    for name, content in picture_files(evidence, pictures).items():
        (draft / name).write_bytes(content)


def _fold_means(report: EvaluationReport) -> dict[str, float]:
    """The metrics of the folds, under other names than those of the released model."""
    means = {f"unseen_{name}": value for name, value in (report.unseen or {"mean": {}})["mean"].items()}
    permutation, replay = report.permutation, report.replay or {}
    crossed = report.cross.metrics if report.cross else {}
    means |= {f"cross_{name}": estimate.value for name, estimate in crossed.items()}
    means |= {f"replayed_{name}": value for name, value in replay.items() if name.startswith("angular")}
    return means | ({"permutation_auroc": permutation["mean"]} if permutation and permutation["auroc"] else {})


def _score_baselines(bank: Bank, config: RunConfig) -> list[tuple[ScoredRecords, BaselineKind]]:
    """The test records by the raw map with Euclidean, cosine and RT, and by an untrained tower."""
    size = config.data.rows, config.data.cols
    tower = build_tower(config.tower, size, bank.maps[bank.rows("train")], seed=config.seed)
    untrained = EmbeddedBank(make_encoder(with_shifts(tower, config)), bank)
    tower_baseline = fit_prototypes("untrained tower", untrained, trained_distance(config.fit), config.fit.prototype)
    raw_maps: list[tuple[ScoredRecords, BaselineKind]] = [(scored, "raw map") for scored in score_raw_maps(bank)]
    return [*raw_maps, (score_part(tower_baseline, untrained, "test"), "untrained tower")]


def _refit(
    classifier: PrototypeClassifier, records: EmbeddedBank, config: RunConfig
) -> Callable[[Bank], PrototypeClassifier]:
    """Fits the prototypes again, to a bank of the training records alone, whose embeddings are known."""
    train = {"train": records.part("train")} if config.fit.prototype == "mean-embedding" else {}

    def refit(training_bank: Bank) -> PrototypeClassifier:
        training_records = EmbeddedBank(classifier.encoder, training_bank, train)
        return fit_prototypes(classifier.name, training_records, classifier.distance, config.fit.prototype)

    return refit


def _write_classifier(
    draft: Path,
    classifier: PrototypeClassifier,
    records: EmbeddedBank,
    scores: CalibrationScores,
    bank: Bank,
    thresholds: tuple[Threshold, ...],
    config: RunConfig,
) -> None:
    """What a release needs beside the tower: to classify and explain new parts, for drift and for later comparisons."""
    arrays = (classifier.modes, bank.anchors, classifier.prototypes, classifier.good, classifier.fusion)
    ClassifierArrays(*arrays, memory=classifier.encoder.memory).save(draft)
    SplitRecords.of(bank).save(draft)
    ThresholdSettings(
        distance=classifier.distance.get_config(),
        score=classifier.score_kind,
        prototype=config.fit.prototype,
        rows=config.data.rows,
        cols=config.data.cols,
        thresholds=thresholds,
        shifts=config.evaluate.shifts,
    ).save(draft)
    scores.save(draft)
    build_gallery(records).save(draft)
    by_name = {threshold.name: threshold for threshold in thresholds}
    calibrated = CalibratedClassifier(classifier, records.bank.anchors.astype(np.float64), config.data, by_name)
    build_reference(calibrated, records).save(draft)
