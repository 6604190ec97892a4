"""Another threshold for a release, without training: a new release that names its parent.

The model, its prototypes and its test set stay. The threshold is found on the same calibration records by the
rule that is asked for, and what it is worth is told on the same test records.
"""

from __future__ import annotations

import datetime
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from tasks.config.fingerprints import RELEASE_FORMAT
from tasks.config.run import EvaluateConfig
from tasks.core.errors import CannotCalibrate
from tasks.core.files import digest_of, ensure_writable, replace_durably, write_json
from tasks.core.results import RecalibrateResult
from tasks.core.stages import MANIFEST, scratch_folder, seal_folder, verified_manifest
from tasks.evaluation.bootstrap import bootstrap_weights, threshold_metrics
from tasks.evaluation.costs import CHEAPEST, ThresholdRequest, cheapest_threshold, threshold_cost
from tasks.evaluation.thresholds import Rule, calibrate
from tasks.registry.champion import champion_state, next_version, registry_lock, select_release, set_champion
from tasks.registry.release_files import DEFECT_THRESHOLD, CalibrationScores, ReleaseFiles, Threshold
from tasks.registry.releases import Release, readable_releases, verify_release
from tasks.report.model_card import model_card

REWRITTEN_FILES = ("threshold.json", "report.json", "report.html", "README.md", MANIFEST)  # made anew


THRESHOLD_METRICS = ("good_accuracy", "good_balanced_accuracy", "good_fpr", "good_tpr")


def recalibrate(artifacts: Path, version: str | None, asked: ThresholdRequest, promote: bool) -> RecalibrateResult:
    """The release with the new threshold; `unchanged` where the same was made before.

    It becomes champion if `promote` says so. Raises what choosing a release does, NothingToCalibrate, and
    CannotCalibrate where the calibration records do not give such a threshold.
    """
    parent = select_release(artifacts, version)
    fingerprint = _fingerprint(parent, asked)
    known = next((one for one in readable_releases(artifacts) if one.manifest["fingerprint"] == fingerprint), None)
    if known is None or verified_manifest(known.path) is None:
        release, status = _make_release(artifacts, parent, asked, fingerprint), "released"
    else:
        release, status = known, "unchanged"
    if promote:
        with registry_lock(artifacts):
            set_champion(artifacts, verify_release(release).version)
    told = json.loads((release.path / "threshold.json").read_text())
    cut = next(one for one in told["thresholds"] if one["name"] == DEFECT_THRESHOLD)
    return RecalibrateResult(
        status,
        release.version,
        parent.version,
        str(release.path),
        cut,
        release.manifest["recalibrated"],
        champion_state(artifacts)["champion"],
    )


def _fingerprint(parent: Release, asked: ThresholdRequest) -> str:
    costs = (asked.cost.prevalence, asked.cost.escape, asked.cost.overkill) if asked.rule == CHEAPEST else ()
    target = None if asked.rule in (CHEAPEST, "youden", "max_f1") else asked.target
    return digest_of("recalibrated", parent.manifest["fingerprint"], asked.rule, target, costs)


def _make_release(artifacts: Path, parent: Release, asked: ThresholdRequest, fingerprint: str) -> Release:
    scores, evaluate = ReleaseFiles(parent.path).scores(), EvaluateConfig(**parent.manifest["config"]["evaluate"])
    told = json.loads((parent.path / "threshold.json").read_text())
    old = next(entry for entry in told["thresholds"] if entry["name"] == DEFECT_THRESHOLD)
    new = find_threshold(scores, asked, evaluate, old["distance"])
    figures = _figures(scores, new.value, evaluate)
    prices = {
        name: threshold_cost(value, scores, asked.cost, evaluate.confidence).as_json()
        for name, value in (("before", old["value"]), ("after", new.value))
        if value is not None
    }
    with scratch_folder(ensure_writable(artifacts), "draft") as draft:
        shutil.copytree(parent.path, draft, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*REWRITTEN_FILES))
        thresholds = [new.as_json() if entry["name"] == DEFECT_THRESHOLD else entry for entry in told["thresholds"]]
        write_json(draft / "threshold.json", told | {"thresholds": thresholds})
        report = json.loads((parent.path / "report.json").read_text())
        report |= {"thresholds": thresholds, "figures": report["figures"] | figures}
        write_json(draft / "report.json", report)
        facts = {"before": old, "prices": prices, "rule": asked.rule, "target": new.target}
        manifest = _manifest(parent, asked, fingerprint, figures, facts)
        with registry_lock(artifacts):
            return _place(artifacts, draft, manifest, report, (scores, asked, parent))


def find_threshold(
    scores: CalibrationScores, asked: ThresholdRequest, evaluate: EvaluateConfig, unit: str
) -> Threshold:
    """The threshold that is asked for, on the calibration part; CannotCalibrate says why there is none."""
    score, defect, units = scores.part(False)
    if asked.rule == CHEAPEST:
        value = cheapest_threshold(scores, asked.cost)
        return Threshold(DEFECT_THRESHOLD, CHEAPEST, None, unit, len(set(units.tolist())), int((~defect).sum()), value)
    rule = Rule(asked.rule, asked.target, confidence=evaluate.confidence)
    made = calibrate(DEFECT_THRESHOLD, score, defect, units, rule, unit)
    if made.value is None:
        raise CannotCalibrate(
            f"no threshold by {asked.rule}: {made.refused}; ask for another target, or retrain on more"
        )
    return made


def _figures(scores: CalibrationScores, cut: float, evaluate: EvaluateConfig) -> dict[str, Any]:
    score, defect, unit = scores.part(True)
    if defect.all() or not defect.any():
        return {}
    weights = bootstrap_weights(unit, evaluate.bootstrap, 42)
    return threshold_metrics(score > cut, ~defect, weights, evaluate.confidence)


def _manifest(
    parent: Release, asked: ThresholdRequest, fingerprint: str, figures: dict[str, Any], facts: dict[str, Any]
) -> dict[str, Any]:
    """The parent's, but for what another threshold changes."""
    told = {key: value for key, value in parent.manifest.items() if key not in ("files", "version")}
    config = told["config"] | {"evaluate": told["config"]["evaluate"] | {"rule": asked.rule, "target": asked.target}}
    if asked.rule == CHEAPEST:
        config["evaluate"] = told["config"]["evaluate"]
    return told | {
        "format": RELEASE_FORMAT,
        "status": "released",
        "reasons": [],
        "fingerprint": fingerprint,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "metrics": told["metrics"] | {name: figures[name] for name in THRESHOLD_METRICS if name in figures},
        "config": config,
        "parent": {"version": parent.version, "fingerprint": parent.manifest["fingerprint"]},
        "recalibrated": facts,
    }


def _place(
    artifacts: Path,
    draft: Path,
    manifest: dict[str, Any],
    report: dict[str, Any],
    told: tuple[CalibrationScores, ThresholdRequest, Release],
) -> Release:
    """Page, card and seal under the next name; the lock is held."""
    from tasks.report.cost_page import render_recalibrated  # matplotlib

    version = next_version(artifacts)
    manifest = {"version": version, **manifest, "compared_with": champion_state(artifacts)["champion"]}
    (draft / "report.html").write_text(render_recalibrated(manifest, report, *told), encoding="utf-8")
    shutil.copyfile(told[2].path / "report.html", draft / "parent.html")
    (draft / "README.md").write_text(model_card(manifest, report), encoding="utf-8")
    seal_folder(draft, manifest)
    place = ensure_writable(artifacts / "releases") / version
    replace_durably(draft, place)
    return verify_release(replace(told[2], version=version, path=place, manifest=manifest))
