"""`kensa score`: what is asked of the step, and how its result is printed."""

from __future__ import annotations

from pathlib import Path

from tasks.core.inspection import FlipSummary, LabelledResult, Proportion, ScoreResult, VerdictChange

LABELLED = LabelledResult(
    records=40,
    unlabelled=0,
    seen=10,
    verdicts={},
    false_alarms=Proportion(0.1, 2, 20, (0.02, 0.3)),
    escapes=None,
    balanced_accuracy=None,
    good_auroc=0.95,
    good_auroc_interval=(0.9, 0.99),
    modes=[],
    mode_accuracy=None,
    confusion=[],
    strange_modes={"dent": 3},
)
FLIPS = FlipSummary("v1", 40, 2, (VerdictChange("good", "defect", 2),), None)
COUNTS = {"good": 1200, "defect": 30, "unknown": 4}


def test_options_are_passed_on_and_the_counts_printed(run, monkeypatch):
    requests = []
    result = ScoreResult("new", "0" * 40, "v2", "out.parquet", COUNTS, page="page.html")
    monkeypatch.setattr("kensa.runs.score", lambda *source, **options: requests.append((*source, options)) or result)
    ended = run("score", "new", "--release", "v2", "--out", "out.parquet", "--report", "page.html", "--language", "ja")
    assert ended.out == "out.parquet: 1,200 good, 30 defect, 4 unknown, by v2\n  why: page.html\n"
    [(source, options)] = requests
    assert (source, options["release"], options["out"], options["report"]) == (
        "new",
        "v2",
        Path("out.parquet"),
        Path("page.html"),
    )
    assert (options["against"], options["language"], options["artifacts"]) == (None, "ja", Path("artifacts"))


def test_agreement_with_labels_and_changed_verdicts_are_printed(run, monkeypatch):
    result = ScoreResult("new", "0" * 40, "v2", "out.parquet", COUNTS, LABELLED, FLIPS)
    monkeypatch.setattr("kensa.runs.score", lambda *_, **__: result)
    _, *lines = run("score", "new", "--against", "v1").out.splitlines()
    assert lines == [
        "  2 changed from v1: 2 good → defect",
        "  metrics exclude 10 training, validation and calibration records",
        "  false alarms  0.100  [0.020, 0.300]  2 of 20 good parts",
        "  good auroc    0.950  [0.900, 0.990]",
        "  3 records of modes that v2 does not know",
    ]
