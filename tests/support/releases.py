"""Releases without a training: manifests, and folders whose files hold what their readers ask for."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from support.evaluations import report
from support.inspected_parts import COLS, FACTS, ROWS, configured

from tasks.core.files import write_json
from tasks.core.stages import MANIFEST, seal_folder
from tasks.evaluation.resampling import Resampling
from tasks.evaluation.thresholds import Rule, calibrate
from tasks.registry.manifest import ReleaseManifest, SourceSummary
from tasks.registry.release_files import (
    CARD_FILE,
    DEFECT_THRESHOLD,
    EVALUATION_FILES,
    MODE_THRESHOLD,
    MODEL_FILE,
    REPORT_FILE,
    CalibrationScores,
    Threshold,
    ThresholdSettings,
)

NO_DRAFTS = shutil.ignore_patterns(".*")  # of other processes, which may be gone before they are copied


def manifest(**changes: Any) -> ReleaseManifest:
    """The manifest of a release that was trained on acme/boards, but for what is given."""
    evaluation, config = report(), configured(Path())
    return replace(
        ReleaseManifest(
            version="v1",
            format=2,
            status="released",
            reasons=(),
            fingerprint="f" * 64,
            created="2026-01-02T03:04:05+00:00",
            train=SourceSummary(**FACTS["train"]),
            test=None,
            metrics=evaluation.metrics.plain_numbers(),
            compared_with=None,
            frozen=evaluation.frozen,
            config=json.loads(json.dumps(asdict(config.resolved()))),
            stages={name: name[0] * 64 for name in ("cache", "triplets", "model", "report")},
            weights="e" * 64,
            packages={},
            git_commit="c" * 40,
        ),
        **changes,
    )


def scores(seed: int = 0) -> CalibrationScores:
    """Scores of 120 calibration and 120 test records, half of them good, that overlap."""
    rng = np.random.default_rng(seed)
    good = np.tile([True, False], 120)
    return CalibrationScores(
        score=rng.normal(0, 1, 240) + 2.0 * ~good,
        good=good,
        test=np.repeat([False, True], 120),
        unit=np.tile(np.arange(120), 2),
        unit_kind=np.array("record"),
    )


def stored_release(artifacts: Path, version: str = "v1", **changes: Any) -> Path:
    """A sealed release with thresholds, scores and report as an evaluation leaves them; its other files are texts."""
    folder = artifacts / "releases" / version
    folder.mkdir(parents=True)
    for name in (MODEL_FILE, CARD_FILE, *EVALUATION_FILES):
        (folder / name).write_text(f"{name} of {version}")
    calibration = scores()
    score, defect, unit = calibration.part(False)
    thresholds = (
        calibrate(
            DEFECT_THRESHOLD, score, defect, Rule("target_fpr", 0.05), Resampling(unit, 20, 0.95, 42), "euclidean"
        ),
        Threshold(MODE_THRESHOLD, "youden", None, "euclidean", 120, 60, 1.5, (1.0, 2.0)),
    )
    calibration.save(folder)
    ThresholdSettings({"name": "euclidean"}, "distance", "mean-map", ROWS, COLS, thresholds).save(folder)
    write_json(folder / REPORT_FILE, report(thresholds=thresholds).as_json())
    seal_folder(folder, manifest(version=version, **changes).as_json())
    return folder


def reseal(folder: Path, **facts: Any) -> None:
    """Give a changed release digests that fit again, and other facts in its manifest."""
    entries = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).unlink()
    seal_folder(folder, {name: value for name, value in entries.items() if name not in ("files", "seal")} | facts)
