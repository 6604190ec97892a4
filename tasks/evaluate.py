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
from tasks.model.classifier import PrototypeClassifier, fit_prototypes, make_embed, raw_map_baseline, rt_baseline
from tasks.model.distances import distance, trained_distance
from tasks.model.tower import build_tower
from tasks.monitoring.reference import build_reference, write_reference
from tasks.registry.frozen_sets import identify_frozen_set
from tasks.registry.gallery import build_gallery
from tasks.registry.loading import CalibratedClassifier, load_trained
from tasks.registry.release_files import (
    DEFECT_THRESHOLD,
    ClassifierArrays,
    ReleaseFiles,
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
    against = [champion and [champion.version, champion.manifest["files"]], frozen]
    digest = report_digest(model.digest, config, against, [facts, folds])

    def make(draft: Path) -> dict[str, Any]:
        history = json.loads((Path(model.path) / "history.json").read_text())
        judge = load_trained(model, bank, config)
        baselines = _baselines(bank, config)
        judgement = _evaluate_holdout(judge, baselines, champion, bank, config, frozen)
        paper = leakage_report(whole, bank, judge, _refit(judge, config), triplets.facts)
        judgement |= _add_gate({"certificate": paper, **judgement}, config)
        report = {**facts, **judgement, "data": triplets.facts, "findings": [asdict(f) for f in findings]}
        report["judged"] = sampled_share(bank, whole)
        report |= {"unseen": left_out_mode_summary(folds, config), "permutation": permutation_summary(folds, config)}
        report |= {"model": model.facts, "history": history}
        report |= {"settings": config.fingerprint_fields(), "preset": config.preset}
        evidence = collect_report_data(judge, baselines[:3], bank, history, config)
        size, language = (config.data.rows, config.data.cols), config.report.language
        report["labels"] = write_labels(judge, bank, size, draft, language)
        files = ReleaseFiles(draft)
        files.write_report(report)
        scores = collect_scores(judge, bank)
        files.write_scores(scores)
        costs = cost_section(scores, _defect_threshold(judgement), config.cost, config.evaluate.confidence)
        (draft / "report.html").write_text(render(report, evidence, language, costs), encoding="utf-8")
        files.write_gallery(build_gallery(judge, bank))
        write_reference(build_reference(_calibrated(judge, bank, judgement["thresholds"], config), bank), draft)
        _write_classifier(files, judge, whole, judgement["thresholds"], config)
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


def _baselines(bank: Bank, config: RunConfig) -> list[PrototypeClassifier]:
    """The raw map with Euclidean, cosine and RT, and an untrained tower."""
    keras.utils.set_random_seed(config.seed)
    untrained = make_embed(
        build_tower(config.tower, (config.data.rows, config.data.cols), bank.maps[bank.rows("train")])
    )
    return [
        raw_map_baseline(distance("euclidean"), bank),
        raw_map_baseline(distance("cosine"), bank),
        rt_baseline(bank),
        fit_prototypes("untrained tower", untrained, trained_distance(config.fit), config.fit.prototype, bank),
    ]


def _evaluate_holdout(
    judge: PrototypeClassifier,
    baselines: list[PrototypeClassifier],
    champion: Release | None,
    bank: Bank,
    config: RunConfig,
    frozen: dict[str, Any],
) -> dict[str, Any]:
    thresholds = calibrate_thresholds(judge, bank, config)
    return {
        "figures": holdout_metrics(judge, bank, thresholds, config),
        "baselines": {one.name: baseline_metrics(one, bank) for one in baselines},
        "thresholds": [threshold.as_json() for threshold in thresholds],
        "frozen": frozen,
        "comparison": None if champion is None else compare_with_champion(champion, judge, bank, config, frozen),
    }


def _add_gate(judgement: dict[str, Any], config: RunConfig) -> dict[str, Any]:
    """The judgement with the gate's verdict and its reasons to reject, if any."""
    told = comparison_summary(judgement["comparison"], config.gate)
    return judgement | {"verdict": told, "reasons": reasons_to_reject(judgement, config.gate)}


def _refit(judge: PrototypeClassifier, config: RunConfig) -> Callable[[Bank], PrototypeClassifier]:
    """Makes the judge anew from a bank, for the certificate."""
    return lambda alone: fit_prototypes(judge.name, judge.embed, judge.distance, config.fit.prototype, alone)


def _calibrated(
    judge: PrototypeClassifier, bank: Bank, thresholds: list[dict[str, Any]], config: RunConfig
) -> CalibratedClassifier:
    """The classifier as new parts will meet it."""
    by_name = {entry["name"]: Threshold.from_json(entry) for entry in thresholds}
    return CalibratedClassifier(judge, bank.anchors.astype(np.float64), config.data, by_name)


def _write_classifier(
    files: ReleaseFiles, judge: PrototypeClassifier, bank: Bank, thresholds: list[dict[str, Any]], config: RunConfig
) -> None:
    """What a release needs beside the tower to judge new parts, and to be compared fairly later."""
    files.write_classifier_arrays(
        ClassifierArrays(judge.modes, bank.anchors, judge.prototypes, judge.good, judge.fusion)
    )
    modes = np.array(bank.modes, str)[bank.mode]
    files.write_split(SplitRecords(bank.hash, bank.part, modes, bank.good, map_summaries(bank.maps)))
    files.write_threshold_settings(
        ThresholdSettings(
            distance=judge.distance.get_config(),
            score="fused" if judge.fused else "distance",
            prototype=config.fit.prototype,
            rows=config.data.rows,
            cols=config.data.cols,
            thresholds=tuple(map(Threshold.from_json, thresholds)),
        )
    )
