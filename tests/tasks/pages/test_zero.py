"""The page of a model from good parts alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support import inspected_parts as parts
from support.evaluations import report, threshold

from tasks.core.json_form import Json
from tasks.evaluation.comparison_report import Comparison, ComparisonSummary
from tasks.evaluation.evaluation_report import EvaluationReport, HoldoutMetrics
from tasks.evaluation.label_errors import LabelIssues, write_label_issues
from tasks.pages.zero import render_zero
from tasks.registry.release_files import CalibrationScores, ClassifierArrays

HOSTILE = "<script>alert(1)</script>"
ZERO: Json = {"parts": 30, "lots": 3, "sets": 3, "rule": "target_fpr", "target": 0.05, "windows": 4}
EMPTY: Json = {name: {} for name in ("macro", "macro_intervals", "per_mode", "per_group", "intervals")}


@pytest.fixture
def folder(tmp_path):
    """The files beside the report: scores of 30 parts and 12 test parts, and two parts that are stopped."""
    bank = replace(parts.banked(parts.inspected(modes=1, each=42)), group=np.full(42, HOSTILE))
    score, good = np.linspace(0, 3, 42), np.ones(42, bool)
    CalibrationScores(score, good, np.arange(42) >= 30, np.arange(42), np.array("record")).save(tmp_path)
    prototypes = {"mean": bank.anchors}
    ClassifierArrays(["0"], bank.anchors.astype(np.float64), prototypes, prototypes, None).save(tmp_path)
    high = np.array([3.0, 2.5])
    write_label_issues(LabelIssues(np.array([4, 5]), np.zeros(2, int), high, high, high, 42), bank, tmp_path)
    return tmp_path


def zero_report(**changes) -> EvaluationReport:
    metrics = HoldoutMetrics(
        good_fpr=1 / 12, good_fpr_interval=(0.01, 0.3), good_fpr_by_group={HOSTILE: 0.25}, records=12, **EMPTY
    )
    settings = report().settings | {"data": {"rows": parts.ROWS, "cols": parts.COLS}}
    values = {"metrics": metrics, "baselines": (), "thresholds": (threshold(value=2.0),), "settings": settings}
    return report(**values | {"zero": ZERO} | changes)


def test_it_says_what_was_asked_what_was_seen_and_what_is_unknown(folder):
    page = render_zero(zero_report(), folder)
    assert "✓ PASSES THE GATE, detection power unknown" in page
    assert "<strong>Unknown.</strong>" in page
    assert "5.0\u202f%" in page
    assert "<strong>8.3\u202f%</strong></td><td>1.0\u202f% – 30.0\u202f%" in page
    assert page.count("heat map of a good part that is stopped") == 2


@pytest.mark.parametrize("language", ["en", "ja"])
def test_names_are_escaped_in_every_language(folder, language):
    page = render_zero(zero_report(), folder, language)
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page
    assert f'lang="{language}"' in page


def test_a_rejection_gives_its_reasons_and_the_comparison(folder):
    why = "cannot be compared with the champion v3: it was trained with 3 modes"
    summary = ComparisonSummary(version="v3", frozen="f1", champion_frozen="f1", records=0, seen=0, verdict=why)
    compared = Comparison(version="v3", frozen="f1", impossible="it was trained with 3 modes")
    page = render_zero(zero_report(reasons=(why,), verdict=summary, comparison=compared), folder)
    assert "✗ REJECTED" in page
    assert page.count(why) >= 2
    assert "detection power unknown" not in page


def test_a_refused_threshold_is_told(folder):
    page = render_zero(zero_report(thresholds=(threshold(value=None, refused="12 good records, … needs 20"),)), folder)
    assert "12 good records, … needs 20" in page
