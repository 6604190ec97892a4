"""Judges the trained model on the test part, opened once: figures, thresholds, baselines, the champion.

Everything uses the one distance that was trained, thresholds come from the calibration part alone,
and prototypes from training records alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tasks.config.fingerprints import report_digest
from tasks.config.run import RunConfig
from tasks.core.files import write_json
from tasks.core.results import Finding, Stage
from tasks.core.stages import get_or_make_stage
from tasks.data.bank import Bank, load_bank
from tasks.data.bank_variants import sampled_share, subsample
from tasks.data.map_statistics import map_summaries
from tasks.evaluation.ablation import left_out_mode_summary, permutation_summary
from tasks.evaluation.calibration_scores import collect_scores
from tasks.evaluation.comparison import compare_with_champion
from tasks.evaluation.gate import comparison_summary, reasons_to_reject
from tasks.evaluation.holdout import baseline_metrics, calibrate_thresholds, holdout_metrics
from tasks.evaluation.leakage import leakage_report
from tasks.evaluation.report_data import collect_report_data
from tasks.evaluation.scored_records import ScoredRecords, score_part
from tasks.model.classifier import PrototypeClassifier, fit_prototypes, raw_map_baseline, rt_baseline
from tasks.model.distances import distance, trained_distance
from tasks.model.embeddings import EmbeddedBank, make_encoder
from tasks.model.tower import build_tower
from tasks.monitoring.reference import build_reference
from tasks.registry.frozen_sets import identify_frozen_set
from tasks.registry.gallery import build_gallery
from tasks.registry.loading import CalibratedClassifier, load_encoder, trained_classifier
from tasks.registry.manifest import FrozenSet
from tasks.registry.release_files import (
    DEFECT_THRESHOLD,
    REPORT_FILE,
    ClassifierArrays,
    SplitRecords,
    Threshold,
    ThresholdSettings,
)
from tasks.registry.releases import Release
from tasks.report.cost_page import cost_section
from tasks.report.evaluation_page import render
from tasks.report.label_page import write_labels


def evaluate(
    triplets: Stage,
    model: Stage,
    config: RunConfig,
    champion: Release | None,
    facts: dict[str, Any],
    findings: tuple[Finding, ...],
    folds: tuple[dict[str, Any], ...] = (),
) -> Stage:
    """The stage folder with `report.json`, `report.html`, `anchors.npz`, `threshold.json`,
    `split.npz`, `gallery.npz`,
    `reference.npz`, `scores.npz`, `labels.parquet` and `labels.html`.

    `facts` name the sources and revisions for the report; `folds` are the figures of the trainings without
    a mode and with permuted ones. The manifest's facts hold the flat `metrics` and the gate's `reasons`.
    """
    config = config.resolved()
    whole = load_bank(triplets.path)
    bank = subsample(whole, config.evaluate.most_records)
    frozen = identify_frozen_set(bank, config.artifacts_path)
    against = [champion and [champion.version, champion.manifest.files], frozen.as_json()]
    digest = report_digest(model.digest, config, against, [facts, folds])

    def make(draft: Path) -> dict[str, Any]:
        history = json.loads((Path(model.path) / "history.json").read_text())
        records = EmbeddedBank(load_encoder(model), bank)
        classifier = trained_classifier(records, config)
        test, calibration = (score_part(classifier, records, part) for part in ("test", "calibrate"))
        baselines = _score_baselines(bank, config)
        judgement = _evaluate_holdout(test, calibration, baselines, champion, config, frozen)
        paper = leakage_report(whole, bank, classifier, _refit(classifier, records, config), triplets.facts)
        judgement |= _add_gate({"certificate": paper, **judgement}, config)
        report = {**facts, **judgement, "data": triplets.facts, "findings": [asdict(f) for f in findings]}
        report["judged"] = sampled_share(bank, whole)
        report |= {"unseen": left_out_mode_summary(folds, config), "permutation": permutation_summary(folds, config)}
        report |= {"model": model.facts, "history": history}
        report |= {"settings": config.fingerprint_fields(), "preset": config.preset}
        train = score_part(classifier, records, "train")
        evidence = collect_report_data(test, train, baselines[:3], history, config)
        size, language = (config.data.rows, config.data.cols), config.report.language
        report["labels"] = write_labels(classifier, records, size, draft, language)
        write_json(draft / REPORT_FILE, report)
        scores = collect_scores(calibration, test)
        scores.save(draft)
        costs = cost_section(scores, _defect_threshold(judgement), config.cost, config.evaluate.confidence)
        (draft / "report.html").write_text(render(report, evidence, language, costs), encoding="utf-8")
        build_gallery(records).save(draft)
        build_reference(_calibrated(classifier, bank, judgement["thresholds"], config), records).save(draft)
        _write_classifier(draft, classifier, whole, judgement["thresholds"], config)
        metrics = plain_numbers(judgement["figures"]) | _fold_means(report)
        return {"metrics": metrics, "reasons": judgement["reasons"]}

    return get_or_make_stage(config.stages_path, "report", digest, make)


def _defect_threshold(judgement: dict[str, Any]) -> float | None:
    return next((one["value"] for one in judgement["thresholds"] if one["name"] == DEFECT_THRESHOLD), None)


def plain_numbers(figures: dict[str, Any]) -> dict[str, float]:
    """The plain numbers among the figures, as `--json` and `kensa releases` show them."""
    return {name: value for name, value in figures.items() if isinstance(value, float | int)}


def _fold_means(report: dict[str, Any]) -> dict[str, float]:
    """The means over the folds, named apart from the figures of the modes that were trained."""
    unseen, permutation = report["unseen"], report["permutation"]
    found = {f"unseen_{name}": value for name, value in (unseen or {"mean": {}})["mean"].items()}
    return found | ({"permutation_auroc": permutation["mean"]} if permutation and permutation["auroc"] else {})


def _score_baselines(bank: Bank, config: RunConfig) -> list[ScoredRecords]:
    """The test records by the raw map with Euclidean, cosine and RT, and by an untrained tower."""
    keras.utils.set_random_seed(config.seed)
    tower = build_tower(config.tower, (config.data.rows, config.data.cols), bank.maps[bank.rows("train")])
    untrained, raw = EmbeddedBank(make_encoder(tower), bank), EmbeddedBank(np.asarray, bank)
    tower_baseline = fit_prototypes("untrained tower", untrained, trained_distance(config.fit), config.fit.prototype)
    return [
        score_part(raw_map_baseline(distance("euclidean"), bank), raw, "test"),
        score_part(raw_map_baseline(distance("cosine"), bank), raw, "test"),
        score_part(rt_baseline(bank), raw, "test"),
        score_part(tower_baseline, untrained, "test"),
    ]


def _evaluate_holdout(
    test: ScoredRecords,
    calibration: ScoredRecords,
    baselines: list[ScoredRecords],
    champion: Release | None,
    config: RunConfig,
    frozen: FrozenSet,
) -> dict[str, Any]:
    thresholds = calibrate_thresholds(calibration, config)
    return {
        "figures": holdout_metrics(test, thresholds, config),
        "baselines": {records.classifier.name: baseline_metrics(records) for records in baselines},
        "thresholds": [threshold.as_json() for threshold in thresholds],
        "frozen": frozen.as_json(),
        "comparison": None if champion is None else compare_with_champion(champion, test, config, frozen),
    }


def _add_gate(judgement: dict[str, Any], config: RunConfig) -> dict[str, Any]:
    """The judgement with the gate's verdict and its reasons to reject, if any."""
    told = comparison_summary(judgement["comparison"], config.gate)
    return judgement | {"verdict": told, "reasons": reasons_to_reject(judgement, config.gate)}


def _refit(
    classifier: PrototypeClassifier, records: EmbeddedBank, config: RunConfig
) -> Callable[[Bank], PrototypeClassifier]:
    """Fits the prototypes again, to a bank of the training records alone, whose embeddings are known."""
    train = {"train": records.part("train")} if config.fit.prototype == "mean-embedding" else {}

    def refit(training_bank: Bank) -> PrototypeClassifier:
        training_records = EmbeddedBank(classifier.encoder, training_bank, train)
        return fit_prototypes(classifier.name, training_records, classifier.distance, config.fit.prototype)

    return refit


def _calibrated(
    classifier: PrototypeClassifier, bank: Bank, thresholds: list[dict[str, Any]], config: RunConfig
) -> CalibratedClassifier:
    """The classifier as new parts will meet it."""
    by_name = {entry["name"]: Threshold.from_json(entry) for entry in thresholds}
    return CalibratedClassifier(classifier, bank.anchors.astype(np.float64), config.data, by_name)


def _write_classifier(
    draft: Path,
    classifier: PrototypeClassifier,
    bank: Bank,
    thresholds: list[dict[str, Any]],
    config: RunConfig,
) -> None:
    """What a release needs beside the tower to judge new parts, and to be compared fairly later."""
    ClassifierArrays(classifier.modes, bank.anchors, classifier.prototypes, classifier.good, classifier.fusion).save(
        draft
    )
    modes = np.array(bank.modes, str)[bank.mode]
    SplitRecords(bank.hash, bank.part, modes, bank.good, map_summaries(bank.maps)).save(draft)
    ThresholdSettings(
        distance=classifier.distance.get_config(),
        score="fused" if classifier.fused else "distance",
        prototype=config.fit.prototype,
        rows=config.data.rows,
        cols=config.data.cols,
        thresholds=tuple(map(Threshold.from_json, thresholds)),
    ).save(draft)
