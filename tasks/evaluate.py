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
from tasks.config.run import Retrain
from tasks.core.files import write_json
from tasks.core.results import Finding, Stage
from tasks.core.stages import stage
from tasks.data.bank import Bank, load_bank
from tasks.data.bank_variants import judged_share, thinned
from tasks.data.map_statistics import summaries
from tasks.evaluation.ablation import permutation_summary, unseen_summary
from tasks.evaluation.calibration_scores import scores_of, write_scores
from tasks.evaluation.comparison import comparison_with
from tasks.evaluation.gate import reasons_to_reject, verdict
from tasks.evaluation.holdout import short_figures, test_figures, thresholds_of
from tasks.evaluation.leakage import certificate
from tasks.evaluation.report_data import gather
from tasks.model.classifier import Judge, embedder, raw_judge, rt_judge, trained_judge
from tasks.model.distances import distance, trained_distance
from tasks.model.tower import build_tower
from tasks.monitoring.reference import reference_of, write_reference
from tasks.registry.frozen_sets import frozen_set
from tasks.registry.gallery import gallery_of, write_gallery
from tasks.registry.loading import Released, trained
from tasks.registry.releases import GOOD, Release
from tasks.report.cost_page import cost_section
from tasks.report.evaluation_page import render
from tasks.report.label_page import write_labels


def evaluate(
    triplets: Stage,
    model: Stage,
    config: Retrain,
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
    bank = thinned(whole, config.evaluate.most_records)
    frozen = frozen_set(bank, Path(config.artifacts_folder))
    against = [champion and [champion.version, champion.manifest["files"]], frozen]
    digest = report_digest(model.digest, config, against, [facts, folds])

    def make(draft: Path) -> dict[str, Any]:
        history = json.loads((Path(model.path) / "history.json").read_text())
        judge = trained(model, bank, config)
        baselines = _baselines(bank, config)
        judgement = _judgement(judge, baselines, champion, bank, config, frozen)
        paper = certificate(whole, bank, judge, _again(judge, config), triplets.facts)
        judgement |= _gated({"certificate": paper, **judgement}, config)
        report = {**facts, **judgement, "data": triplets.facts, "findings": [asdict(f) for f in findings]}
        report["judged"] = judged_share(bank, whole)
        report |= {"unseen": unseen_summary(folds, config), "permutation": permutation_summary(folds, config)}
        report |= {"model": model.facts, "history": history, "settings": config.science(), "preset": config.preset}
        evidence = gather(judge, baselines[:3], bank, history, config)
        size, language = (config.data.rows, config.data.cols), config.report.language
        report["labels"] = write_labels(judge, bank, size, draft, language)
        write_json(draft / "report.json", report)
        scores = scores_of(judge, bank)
        write_scores(scores, draft)
        costs = cost_section(scores, _cut(judgement), config.cost, config.evaluate.confidence)
        (draft / "report.html").write_text(render(report, evidence, language, costs), encoding="utf-8")
        write_gallery(gallery_of(judge, bank), draft)
        write_reference(reference_of(_as_released(judge, bank, judgement["thresholds"], config), bank), draft)
        _write_judge(draft, judge, whole, judgement["thresholds"], config)
        metrics = flat(judgement["figures"]) | _of_folds(report)
        return {"metrics": metrics, "reasons": judgement["reasons"]}

    return stage(Path(config.data_folder) / "stages", "report", digest, make)


def _cut(judgement: dict[str, Any]) -> float | None:
    return next((one["value"] for one in judgement["thresholds"] if one["name"] == GOOD), None)


def flat(figures: dict[str, Any]) -> dict[str, float]:
    """The plain numbers among the figures, as `--json` and `kensa releases` show them."""
    return {name: value for name, value in figures.items() if isinstance(value, float | int)}


def _of_folds(report: dict[str, Any]) -> dict[str, float]:
    """The means over the folds, named apart from the figures of the modes that were trained."""
    unseen, permutation = report["unseen"], report["permutation"]
    found = {f"unseen_{name}": value for name, value in (unseen or {"mean": {}})["mean"].items()}
    return found | ({"permutation_auroc": permutation["mean"]} if permutation and permutation["auroc"] else {})


def _baselines(bank: Bank, config: Retrain) -> list[Judge]:
    """The raw map with Euclidean, cosine and RT, and an untrained tower."""
    keras.utils.set_random_seed(config.seed)
    untrained = embedder(build_tower(config.tower, (config.data.rows, config.data.cols), bank.maps[bank.rows("train")]))
    return [
        raw_judge(distance("euclidean"), bank),
        raw_judge(distance("cosine"), bank),
        rt_judge(bank),
        trained_judge("untrained tower", untrained, trained_distance(config.fit), config.fit.prototype, bank),
    ]


def _judgement(
    judge: Judge,
    baselines: list[Judge],
    champion: Release | None,
    bank: Bank,
    config: Retrain,
    frozen: dict[str, Any],
) -> dict[str, Any]:
    thresholds = thresholds_of(judge, bank, config)
    return {
        "figures": test_figures(judge, bank, thresholds, config),
        "baselines": {one.name: short_figures(one, bank) for one in baselines},
        "thresholds": [threshold.as_json() for threshold in thresholds],
        "frozen": frozen,
        "comparison": None if champion is None else comparison_with(champion, judge, bank, config, frozen),
    }


def _gated(judgement: dict[str, Any], config: Retrain) -> dict[str, Any]:
    """The judgement with the gate's verdict and its reasons to reject, if any."""
    told = verdict(judgement["comparison"], config.gate)
    return judgement | {"verdict": told, "reasons": reasons_to_reject(judgement, config.gate)}


def _again(judge: Judge, config: Retrain) -> Callable[[Bank], Judge]:
    """Makes the judge anew from a bank, for the certificate."""
    return lambda alone: trained_judge(judge.name, judge.embed, judge.distance, config.fit.prototype, alone)


def _as_released(judge: Judge, bank: Bank, thresholds: list[dict[str, Any]], config: Retrain) -> Released:
    """The judge as new parts will meet it, before it is released."""
    cuts = {entry["name"]: entry for entry in thresholds}
    return Released(None, judge, bank.anchors.astype(np.float64), config.data, cuts, None)


def _write_judge(draft: Path, judge: Judge, bank: Bank, thresholds: list[dict[str, Any]], config: Retrain) -> None:
    """What a release needs beside the tower to judge new parts, and to be compared fairly later."""
    prototypes = {f"prototype_{name}": value for name, value in judge.prototypes.items()}
    prototypes |= {f"good_{name}": value for name, value in (judge.good or {}).items()}
    if judge.fusion is not None:
        prototypes |= {"reference_distance": judge.fusion.distance, "reference_peak": judge.fusion.peak}
    np.savez(draft / "anchors.npz", modes=np.array(judge.modes, str), maps=bank.anchors, **prototypes)
    mode, summary = np.array(bank.modes, str)[bank.mode], summaries(bank.maps)
    np.savez(draft / "split.npz", hash=bank.hash, part=bank.part, mode=mode, good=bank.good, summary=summary)
    settings = {
        "distance": judge.distance.get_config(),
        "score": "fused" if judge.fused else "distance",
        "prototype": config.fit.prototype,
        "rows": config.data.rows,
        "cols": config.data.cols,
        "thresholds": thresholds,
    }
    write_json(draft / "threshold.json", settings)
