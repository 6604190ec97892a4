"""Another threshold for a release, without training: a new release that names its parent.

Model, prototypes and test set stay. The threshold is found on the same calibration records by the rule that is asked
for, and its errors are measured on the same test records.
"""

from __future__ import annotations

import datetime
import shutil
from dataclasses import asdict, replace
from pathlib import Path

from tasks.config.fingerprints import RELEASE_FORMAT
from tasks.config.run import EvaluateConfig
from tasks.core.authorship import Authorship
from tasks.core.errors import CannotCalibrate, NothingToCalibrate
from tasks.core.files import digest_of, ensure_writable, write_json
from tasks.core.results import RecalibrateResult
from tasks.core.sentences import code_of
from tasks.core.stages import MANIFEST, scratch_folder, verified_manifest
from tasks.evaluation.comparison_report import Interval
from tasks.evaluation.costs import CHEAPEST, Recalibration, ThresholdRequest, cheapest_threshold
from tasks.evaluation.evaluation_report import THRESHOLD_METRICS, EvaluationReport
from tasks.evaluation.intervals import threshold_metrics
from tasks.evaluation.resampling import Resampling
from tasks.evaluation.thresholds import THRESHOLD_DRAWS, Rule, calibrate, has_target
from tasks.registry.champion import champion_state, registry_lock, select_release, set_champion
from tasks.registry.manifest import ReleaseManifest
from tasks.registry.placement import place
from tasks.registry.release_files import (
    CARD_FILE,
    DEFECT_THRESHOLD,
    PARENT_PAGE,
    REPORT_FILE,
    REPORT_PAGE,
    CalibrationScores,
    Threshold,
    ThresholdSettings,
    load_scores,
    read_report,
    replace_threshold,
)
from tasks.registry.releases import Release, readable_releases, verify_release
from tasks.report.model_card import model_card

REWRITTEN_FILES = (REPORT_PAGE, PARENT_PAGE, CARD_FILE, MANIFEST)
SEED = 42  # of the resampling, whatever the seed of the parent's training


def recalibrate(
    artifacts: Path,
    version: str | None,
    request: ThresholdRequest,
    promote: bool,
    author: Authorship | None = None,
) -> RecalibrateResult:
    """The release with the new threshold; `unchanged` where the same was made before.

    It becomes champion with `promote`; author: who wants it, and why. Raises what `select_release` does,
    NothingToCalibrate, and CannotCalibrate where the calibration records do not give such a threshold.
    """
    parent = select_release(artifacts, version)
    if parent.manifest.zero:
        raise NothingToCalibrate(
            f"{parent.version}: expected a release with the scores of defects, found one from good parts alone; "
            "retrain with another evaluate.target, which trains nothing"
        )
    fingerprint = _fingerprint(parent, request)
    earlier = _find_release(artifacts, fingerprint)
    author = author or Authorship.of()
    release = earlier or _make_release(artifacts, parent, request, fingerprint, author)
    if promote:
        with registry_lock(artifacts):
            set_champion(artifacts, verify_release(release).version, author)
    threshold = ThresholdSettings.load(release.path).by_name[DEFECT_THRESHOLD]
    return RecalibrateResult(
        status="unchanged" if earlier else "released",
        release=release.version,
        parent=parent.version,
        path=str(release.path),
        threshold=threshold.as_json(),
        facts=release.manifest.recalibrated,
        champion=champion_state(artifacts).champion,
    )


def _fingerprint(parent: Release, request: ThresholdRequest) -> str:
    cost = request.cost
    costs = (cost.prevalence, cost.escape, cost.overkill) if request.rule == CHEAPEST else ()
    target = request.target if has_target(request.rule) else None
    return digest_of("recalibrated", parent.manifest.fingerprint, request.rule, target, costs)


def _find_release(artifacts: Path, fingerprint: str) -> Release | None:
    """The undamaged release with this fingerprint, if there is one."""
    equal = (release for release in readable_releases(artifacts) if release.manifest.fingerprint == fingerprint)
    return next((release for release in equal if verified_manifest(release.path)), None)


def _make_release(
    artifacts: Path, parent: Release, request: ThresholdRequest, fingerprint: str, author: Authorship
) -> Release:
    scores, before = load_scores(parent.path), ThresholdSettings.load(parent.path).by_name[DEFECT_THRESHOLD]
    evaluate = EvaluateConfig(**parent.manifest.config["evaluate"])
    after = find_threshold(scores, request, evaluate, before.distance)
    change = Recalibration(before, after, scores, request.cost, evaluate.confidence)
    metrics = _threshold_metrics(scores, after.value, evaluate)
    manifest = replace(_manifest(parent, request, fingerprint, metrics, change), made=asdict(author))
    with scratch_folder(ensure_writable(artifacts), "draft") as draft:
        shutil.copytree(parent.path, draft, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*REWRITTEN_FILES))
        shutil.copyfile(parent.path / REPORT_PAGE, draft / PARENT_PAGE)
        entries = read_report(draft)  # stays as it was written, but for the threshold and its metrics
        entries |= {"thresholds": replace_threshold(draft, after), "figures": entries["figures"] | metrics}
        write_json(draft / REPORT_FILE, entries)
        report = EvaluationReport.from_json(entries)
        with registry_lock(artifacts):
            manifest = replace(manifest, compared_with=champion_state(artifacts).champion)
            return place(draft, artifacts, manifest, lambda numbered: _write_pages(draft, numbered, report, change))


def find_threshold(
    scores: CalibrationScores, request: ThresholdRequest, evaluate: EvaluateConfig, unit: str
) -> Threshold:
    """The threshold that is asked for, on the calibration part; CannotCalibrate says why there is none."""
    score, defect, units = scores.part(False)
    if request.rule == CHEAPEST:
        value = cheapest_threshold(scores, request.cost)
        return Threshold(DEFECT_THRESHOLD, CHEAPEST, None, unit, len(set(units.tolist())), int((~defect).sum()), value)
    resampling = Resampling.of_units(units, THRESHOLD_DRAWS, evaluate.confidence, SEED)
    threshold = calibrate(
        DEFECT_THRESHOLD,
        score,
        defect,
        Rule(request.rule, request.target, evaluate.target_confidence),
        resampling,
        unit,
    )
    if threshold.value is None:
        raise CannotCalibrate(
            f"no threshold by {request.rule}: {threshold.refused}; ask for another target, or retrain on more"
        )
    return threshold


def _threshold_metrics(
    scores: CalibrationScores, threshold: float, evaluate: EvaluateConfig
) -> dict[str, float | Interval]:
    """The metrics at the threshold on the test part; none where it holds good or defective records alone."""
    score, defect, unit = scores.part(True)
    if defect.all() or not defect.any():
        return {}
    resampling = Resampling.of_units(unit, evaluate.bootstrap, evaluate.confidence, SEED)
    return threshold_metrics(score > threshold, ~defect, resampling)


def _manifest(
    parent: Release,
    request: ThresholdRequest,
    fingerprint: str,
    metrics: dict[str, float | Interval],
    change: Recalibration,
) -> ReleaseManifest:
    """The parent's manifest, but for what another threshold changes."""
    manifest, config = parent.manifest, parent.manifest.config
    if request.rule != CHEAPEST:
        config = config | {"evaluate": config["evaluate"] | {"rule": request.rule, "target": request.target}}
    contradiction = change.contradiction()
    return replace(
        manifest,
        format=RELEASE_FORMAT,
        status="released",
        reasons=(),
        fingerprint=fingerprint,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        metrics=manifest.metrics | {name: metrics[name] for name in THRESHOLD_METRICS if name in metrics},
        config=config,
        parent={"version": parent.version, "fingerprint": manifest.fingerprint},
        enrolled=None,  # that is in the parent's manifest
        recalibrated={
            "before": change.before.as_json(),
            "prices": {name: price.as_json() for name, price in change.prices().items()},
            "calibration_prices": {name: price.as_json() for name, price in change.prices(test=False).items()},
            "warning": contradiction,
            "warning_code": None if contradiction is None else code_of(contradiction),
            "rule": request.rule,
            "target": change.after.target,
        },
    )


def _write_pages(draft: Path, manifest: ReleaseManifest, report: EvaluationReport, change: Recalibration) -> None:
    """The page and the card, which name the release."""
    from tasks.pages.costs import render_recalibrated  # matplotlib

    (draft / REPORT_PAGE).write_text(render_recalibrated(manifest, change), encoding="utf-8")
    (draft / CARD_FILE).write_text(model_card(manifest, report), encoding="utf-8")
