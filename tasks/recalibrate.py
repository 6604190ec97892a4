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

from tasks.config.fingerprints import RELEASE
from tasks.config.run import Evaluate
from tasks.core.errors import CannotCalibrate
from tasks.core.files import digest_of, moved, usable, write_json
from tasks.core.results import Recalibrated
from tasks.core.stages import MANIFEST, drafting, seal, sound
from tasks.evaluation.bootstrap import draws_of, threshold_figures
from tasks.evaluation.calibration_scores import Scores, read_scores
from tasks.evaluation.costs import CHEAPEST, Asked, cheapest, price
from tasks.evaluation.thresholds import Rule, Threshold, calibrate
from tasks.registry.champion import chosen, locked, next_version, point_to, pointer
from tasks.registry.releases import GOOD, Release, readable, verified
from tasks.report.model_card import model_card

OWN_FILES = ("threshold.json", "report.json", "report.html", "README.md", MANIFEST)  # made anew


FIGURES = ("good_accuracy", "good_balanced_accuracy", "good_fpr", "good_tpr")


def recalibrate(artifacts: Path, version: str | None, asked: Asked, promote: bool) -> Recalibrated:
    """The release with the new threshold; `unchanged` where the same was made before.

    It becomes champion if `promote` says so. Raises what choosing a release does, NothingToCalibrate, and
    CannotCalibrate where the calibration records do not give such a threshold.
    """
    parent = chosen(artifacts, version)
    fingerprint = _fingerprint(parent, asked)
    known = next((one for one in readable(artifacts) if one.manifest["fingerprint"] == fingerprint), None)
    if known is None or sound(known.path) is None:
        release, status = _made(artifacts, parent, asked, fingerprint), "released"
    else:
        release, status = known, "unchanged"
    if promote:
        with locked(artifacts):
            point_to(artifacts, verified(release).version)
    told = json.loads((release.path / "threshold.json").read_text())
    cut = next(one for one in told["thresholds"] if one["name"] == GOOD)
    return Recalibrated(
        status,
        release.version,
        parent.version,
        str(release.path),
        cut,
        release.manifest["recalibrated"],
        pointer(artifacts)["champion"],
    )


def _fingerprint(parent: Release, asked: Asked) -> str:
    costs = (asked.cost.prevalence, asked.cost.escape, asked.cost.overkill) if asked.rule == CHEAPEST else ()
    target = None if asked.rule in (CHEAPEST, "youden", "max_f1") else asked.target
    return digest_of("recalibrated", parent.manifest["fingerprint"], asked.rule, target, costs)


def _made(artifacts: Path, parent: Release, asked: Asked, fingerprint: str) -> Release:
    scores, evaluate = read_scores(parent.path), Evaluate(**parent.manifest["config"]["evaluate"])
    told = json.loads((parent.path / "threshold.json").read_text())
    old = next(entry for entry in told["thresholds"] if entry["name"] == GOOD)
    new = found(scores, asked, evaluate, old["distance"])
    figures = _figures(scores, new.value, evaluate)
    prices = {
        name: price(value, scores, asked.cost, evaluate.confidence).as_json()
        for name, value in (("before", old["value"]), ("after", new.value))
        if value is not None
    }
    with drafting(usable(artifacts), "draft") as draft:
        shutil.copytree(parent.path, draft, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*OWN_FILES))
        thresholds = [new.as_json() if entry["name"] == GOOD else entry for entry in told["thresholds"]]
        write_json(draft / "threshold.json", told | {"thresholds": thresholds})
        report = json.loads((parent.path / "report.json").read_text())
        report |= {"thresholds": thresholds, "figures": report["figures"] | figures}
        write_json(draft / "report.json", report)
        facts = {"before": old, "prices": prices, "rule": asked.rule, "target": new.target}
        manifest = _manifest(parent, asked, fingerprint, figures, facts)
        with locked(artifacts):
            return _placed(artifacts, draft, manifest, report, (scores, asked, parent))


def found(scores: Scores, asked: Asked, evaluate: Evaluate, unit: str) -> Threshold:
    """The threshold that is asked for, on the calibration part; CannotCalibrate says why there is none."""
    score, defect, units = scores.part(False)
    if asked.rule == CHEAPEST:
        value = cheapest(scores, asked.cost)
        return Threshold(GOOD, CHEAPEST, None, unit, len(set(units.tolist())), int((~defect).sum()), value)
    rule = Rule(asked.rule, asked.target, confidence=evaluate.confidence)
    made = calibrate(GOOD, score, defect, units, rule, unit)
    if made.value is None:
        raise CannotCalibrate(
            f"no threshold by {asked.rule}: {made.refused}; ask for another target, or retrain on more"
        )
    return made


def _figures(scores: Scores, cut: float, evaluate: Evaluate) -> dict[str, Any]:
    score, defect, unit = scores.part(True)
    if defect.all() or not defect.any():
        return {}
    weights = draws_of(unit, evaluate.bootstrap, 42)
    return threshold_figures(score > cut, ~defect, weights, evaluate.confidence)


def _manifest(
    parent: Release, asked: Asked, fingerprint: str, figures: dict[str, Any], facts: dict[str, Any]
) -> dict[str, Any]:
    """The parent's, but for what another threshold changes."""
    told = {key: value for key, value in parent.manifest.items() if key not in ("files", "version")}
    config = told["config"] | {"evaluate": told["config"]["evaluate"] | {"rule": asked.rule, "target": asked.target}}
    if asked.rule == CHEAPEST:
        config["evaluate"] = told["config"]["evaluate"]
    return told | {
        "format": RELEASE,
        "status": "released",
        "reasons": [],
        "fingerprint": fingerprint,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "metrics": told["metrics"] | {name: figures[name] for name in FIGURES if name in figures},
        "config": config,
        "parent": {"version": parent.version, "fingerprint": parent.manifest["fingerprint"]},
        "recalibrated": facts,
    }


def _placed(
    artifacts: Path, draft: Path, manifest: dict[str, Any], report: dict[str, Any], told: tuple[Scores, Asked, Release]
) -> Release:
    """Page, card and seal under the next name; the lock is held."""
    from tasks.report.cost_page import render_recalibrated  # matplotlib

    version = next_version(artifacts)
    manifest = {"version": version, **manifest, "compared_with": pointer(artifacts)["champion"]}
    (draft / "report.html").write_text(render_recalibrated(manifest, report, *told), encoding="utf-8")
    shutil.copyfile(told[2].path / "report.html", draft / "parent.html")
    (draft / "README.md").write_text(model_card(manifest, report), encoding="utf-8")
    seal(draft, manifest)
    place = usable(artifacts / "releases") / version
    moved(draft, place)
    return verified(replace(told[2], version=version, path=place, manifest=manifest))
