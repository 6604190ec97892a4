"""The texts of the artifacts: tables that are tables, numbers as they are, names of a dataset without markup."""

from __future__ import annotations

import dataclasses

from support.evaluations import more_escapes

from flows.ui.markdown import (
    changes_text,
    drift_text,
    result_text,
    split_text,
    sweep_text,
    verdicts_text,
)
from tasks.config.run import GateConfig
from tasks.core.facts import BankFacts, DataChanges, MapDrift
from tasks.core.inspection import (
    CellsSummary,
    ChartSummary,
    DriftResult,
    FlipSummary,
    LabelledResult,
    Proportion,
    ScoreResult,
    VerdictMix,
)
from tasks.core.results import RetrainResult
from tasks.promotion.gate import comparison_summary

HOSTILE = "a|b"
PARTS = {"train": 6, "stop": 1, "calibrate": 2, "test": 3}
BANK = BankFacts(
    size=(4, 5),
    split_by="group",
    records=PARTS,
    modes={
        HOSTILE: {"train": 4, "stop": 1, "calibrate": 0, "test": 1},
        "void": {"train": 2, "stop": 0, "calibrate": 2, "test": 2},
    },
    good=PARTS,
    groups=PARTS,
    dropped={"dropped_duplicates": 1},
    triplets={"triplets_crossing": 2, "triplets_brought": 9},
)
COMPARISON = {
    "version": "v1",
    "verdict": "better than the champion v1",
    "figure": "mode_accuracy",
    "difference": 0.1,
    "interval": [0.05, 0.15],
    "worst_mode": {"mode": HOSTILE, "difference": -0.2, "interval": None},
}
RESULT = RetrainResult(
    status="rejected",
    release=None,
    path="artifacts/drafts/1",
    train={"source": "acme/boards", "revision": "a" * 40},
    metrics={"auroc": 0.98765, "mode_accuracy": 0.5},
    champion=None,
    reasons=("one reason",),
    comparison=COMPARISON,
    frozen={"version": "f1", "records": 90},
)


def test_the_split_counts_each_mode_and_all_records():
    lines = split_text(BANK).splitlines()
    assert lines[:2] == ["| mode | train | validation | calibration | test |", "| --- | ---: | ---: | ---: | ---: |"]
    assert lines[2:5] == ["| a\\|b | 4 | 1 | 0 | 1 |", "| void | 2 | 0 | 2 | 2 |", "| **all** | 6 | 1 | 2 | 3 |"]
    assert lines[-1] == "Split by group; dropped duplicates 1; 2 of 9 triplets crossed the split."


def test_changes_name_the_modes_and_each_drift():
    changes = DataChanges("v1", "b" * 40, 3, 2, 1, {"void": [5, 6]}, [MapDrift(HOSTILE, "peak", 0.001, 1.0, 2.0)])
    text = changes_text(changes)
    assert "Against **v1** (`bbbbbbbbbbbb`): 3 records added, 2 removed, 1 relabelled." in text
    assert "| void | 5 | 6 |" in text
    assert "- drift: the peak of mode a\\|b went from 1 to 2 (p = 1.0e-03)" in text
    assert "No mode's maps have drifted" in changes_text(dataclasses.replace(changes, drift=[]))


def test_a_result_tells_reasons_comparison_and_the_worst_mode():
    text = result_text(RESULT)
    assert text.startswith("# REJECTED\n\nTrained on **acme/boards** at `aaaaaaaaaaaa`; verification AUROC **0.988**")
    assert "- one reason" in text
    assert "Frozen test set **f1**: 90 records." in text
    assert "Against **v1**: better than the champion v1." in text
    assert "| +0.1000 | mode accuracy | +0.0500 to +0.1500 |" in text
    assert "| -0.2000 | accuracy of mode a\\|b, the worst of all | too few records |" in text
    assert "Champion: **none yet**" in text


def test_escapes_and_false_alarms_of_both_stand_first():
    compared = comparison_summary(more_escapes(), GateConfig()).as_json()
    text = result_text(dataclasses.replace(RESULT, comparison=compared))
    _, head, _, escapes, alarms = text.splitlines()[1:6]
    assert head == "|  | champion v3 | this model | difference in points | interval |"
    assert escapes.startswith("| escapes | 58 / 150 (38.7 %) | 91 / 150 (60.7 %) | +22.0 | +")
    assert alarms.startswith("| false alarms | 10 / 100 (10.0 %) | 0 / 100 (0.0 %) | -10.0 | -")
    first = dataclasses.replace(RESULT, metrics=RESULT.metrics | {"good_tpr": 0.88, "good_fpr": 0.04}, comparison=None)
    assert result_text(first).splitlines()[2] == "escapes **12.0 %**, false alarms **4.0 %**"
    assert result_text(first, "ja").splitlines()[2] == "見逃し **12.0 %**, 虚報 **4.0 %**"


def test_the_verdict_of_the_comparison_is_not_said_twice():
    rejected = dataclasses.replace(RESULT, reasons=(COMPARISON["verdict"],))
    assert result_text(rejected).count("better than the champion v1") == 1


def test_a_result_is_told_in_the_language_of_the_report():
    assert "none yet" not in result_text(RESULT, "ja")


def test_verdicts_have_rates_only_where_there_are_labels(tmp_path):
    plain = ScoreResult(HOSTILE, "c" * 40, "v2", str(tmp_path / "v.parquet"), {"good": 5, "defect": 2})
    text = verdicts_text(plain)
    assert text.startswith("a\\|b at `cccccccccccc`, judged by **v2**:\n\n- good: **5**\n\n- defect: **2**")
    assert "| rate |" not in text
    labelled = LabelledResult(
        **{field.name: None for field in dataclasses.fields(LabelledResult) if field.name != "escapes"},
        escapes=Proportion(0.1, 1, 10, (0.0, 0.3)),
    )
    flips = FlipSummary("v1", 7, 3, (), None)
    text = verdicts_text(dataclasses.replace(plain, figures=labelled, flips=flips))
    assert "| escapes | 0.100 | 0.000 – 0.300 | 1 / 10 |" in text
    assert "**3** verdicts differ from those of **v1**." in text
    assert "stands for good" not in text
    lacking = dataclasses.replace(labelled, good_label="0", labels={"OK": 7})
    text = verdicts_text(dataclasses.replace(plain, figures=lacking))
    assert "No record has the label **0**, which stands for good" in text


def test_a_sweep_shows_its_table_and_links_its_files(tmp_path):
    (tmp_path / "table.md").write_text("| a |\n")
    text = sweep_text(tmp_path)
    assert text.startswith("| a |\n")
    for name in ("table.md", "figure.svg", "best.toml"):
        assert f"- {name}: `{tmp_path / name}`" in text


def test_a_drift_shows_the_five_clearest_charts(tmp_path):
    chart = ChartSummary("level", "void", 1.0, 2.0, effect=1.0, p=0.001, points=9, beyond=3, since=4, lots=2)
    mix = VerdictMix([1.0, 0.0, 0.0], [1.0, 0.0, 0.0], p=1.0, effect=0.0, changed=False)
    page, cells = str(tmp_path / "d.html"), CellsSummary(3, 0.01, rises=True, place=None)
    result = DriftResult(HOSTILE, "d" * 40, "v1", "drifted", 60, [chart] * 7, cells, mix, page)
    text = drift_text(result)
    assert text.startswith("# DRIFTED\n\n60 records of a\\|b at `dddddddddddd` against **v1**.")
    assert "3 cells of good parts moved (p 0.01)." in text
    assert text.count("| level (void) | 1 | 2 | 0.001 | 4 |") == 5
    assert text.endswith(f"Page: `{tmp_path / 'd.html'}`")


def test_a_page_that_is_served_is_a_link(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KENSA_PAGES_URL", "http://127.0.0.1:4240")
    report = tmp_path / RESULT.path / "report.html"
    assert result_text(RESULT).endswith(f"Report: `{report}`"), "it is not there"
    report.parent.mkdir(parents=True)
    report.write_text("page")
    assert result_text(RESULT).endswith("[Report](http://127.0.0.1:4240/drafts/1/report.html)")
