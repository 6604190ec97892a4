"""`kensa score`: what is asked of the step, how its result is printed, and mistakes in one line each."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.inspected_parts import map_column
from support.releases import NO_DRAFTS

from tasks.core.inspection import FlipSummary, LabelledResult, Proportion, ScoreResult, VerdictChange
from tasks.core.stages import MANIFEST, seal_folder
from tasks.promotion.shadow_summary import ErrorPair, ShadowSummary

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


def test_what_the_model_beside_the_champion_says_is_printed(run, monkeypatch):
    alarms = ErrorPair(LABELLED.false_alarms, replace(LABELLED.false_alarms, rate=0.05), -0.05, (-0.2, 0.1))
    shadow = ShadowSummary("v1", "v2", 40, Proportion(0.9, 36, 40, (0.77, 0.96)), {}, {}, 20, None, alarms)
    result = ScoreResult("new", "0" * 40, "v1", "out.parquet", COUNTS, shadow=shadow.as_json())
    monkeypatch.setattr("kensa.runs.score", lambda *_, shadow, **__: result if shadow else replace(result, shadow=None))
    lines = run("score", "new", "--shadow").out.splitlines()
    assert lines[1] == "  v2 beside v1: 36 of 40 verdicts agree so far, 0.900 [0.770, 0.960]"
    assert lines[2] == "  false alarms  0.100 [0.020, 0.300]  0.050 [0.020, 0.300]  -0.050 [-0.200, 0.100]"
    assert len(run("score", "new").out.splitlines()) == 1


def test_labels_among_which_none_stands_for_good_are_printed_with_the_cure(run, monkeypatch):
    labelled = replace(LABELLED, false_alarms=None, good_auroc=None, strange_modes={}, labels={"NG": 1200, "O\nK": 3})
    result = ScoreResult("new", "0" * 40, "v2", "out.parquet", COUNTS, labelled)
    monkeypatch.setattr("kensa.runs.score", lambda *_, **__: result)
    assert run("score", "new").out.splitlines()[2:] == [
        "  no record has the label 0, which stands for good: all labelled ones count as defects",
        "  labels here: NG 1,200, O K 3; say which is good with --good",
    ]


def write(folder, name, table):
    (folder / name).mkdir()
    pq.write_table(table, folder / name / "records.parquet")


def resealed(releases, name, **facts):
    """A copy of v1 whose manifest says something else."""
    shutil.copytree(releases / "v1", releases / name)
    manifest = json.loads((releases / name / MANIFEST).read_text())
    seal_folder(releases / name, {key: value for key, value in manifest.items() if key != "files"} | facts)


@pytest.fixture(scope="module")
def folder(small_line, hidden, tmp_path_factory):
    """A release, one of a later Kensa, a damaged one; new parts without labels, and sources that do not fit."""
    folder = tmp_path_factory.mktemp("score")
    shutil.copytree(small_line.artifacts_path, folder / "artifacts", ignore=NO_DRAFTS)
    releases, table, holes = folder / "artifacts" / "releases", map_column(hidden(each=4)), hidden(each=4).maps.copy()
    holes[7, 3] = np.nan
    write(folder, "new", map_column(hidden(each=20, seed=3)).select(["map"]))
    write(folder, "empty", table.slice(0, 0))
    write(folder, "small", pa.table({"map": [[1.0, 2.0]] * 5}))
    write(folder, "other", pa.table({"weight": [1.0]}))
    write(folder, "holes", pa.table({"map": list(holes)}))
    resealed(releases, "v8", format=99)
    shutil.copytree(releases / "v1", releases / "v9")
    with (releases / "v9" / "anchors.npz").open("ab") as file:
        file.write(b"!")
    return folder


@pytest.fixture
def there(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.slow
def test_the_command_writes_verdicts_and_says_why(run, there):
    done = run("score", "new", "--release", "v1", "--out", "out/v.parquet", "--report", "out/why.html", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert (told["release"], told["figures"]) == ("v1", None)
    assert sum(told["counts"].values()) == 60
    assert {path.name for path in (there / "out").iterdir()} == {"v.parquet", "why.html"}
    assert pq.read_metadata(there / "out" / "v.parquet").num_rows == 60


@pytest.mark.slow
def test_a_labelled_source_on_the_hub_is_judged_on_what_the_release_never_saw(boards):
    """The figures are then those of the release's own test part."""
    done = boards.place.kensa("score", "acme/boards", "--out", "boards.parquet", "--json")
    assert done.code == 0, done.err
    figures, metrics = done.told["figures"], boards.first.told["metrics"]
    assert figures["seen"] > 0
    assert figures["mode_accuracy"]["rate"] == pytest.approx(metrics["mode_accuracy"])
    assert figures["good_auroc"] == pytest.approx(metrics["good_auroc"], abs=1e-6)
    assert figures["false_alarms"]["rate"] == pytest.approx(metrics["good_fpr"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("empty",), 2, "without rows"),
        (("small",), 2, "a map of 4×5 finite values, as v1 was trained on, found one of another size"),
        (("holes",), 2, "row 7: expected a map of 4×5 finite values"),
        (("other",), 2, "expected records with 4×5 maps"),
        (("nowhere",), 2, "nowhere"),
        (("new", "--release", "v77"), 2, "no such release"),
        (("new", "--release", "v8"), 2, "a later Kensa"),
        (("new", "--release", "v9"), 1, "differs from the digest"),
        (("new", "--against", "v77"), 2, "no such release"),
        (("new", "--language", "de"), 2, "expected en or ja, found 'de'"),
        (("new", "--out", "new/records.parquet/v.parquet"), 2, "expected a folder"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(run, there, words, code, message):
    before = sorted(there.rglob("*.parquet"))
    done = run("score", *words)
    assert done.code == code, done.err
    (line,) = [line for line in done.err.splitlines() if line.startswith("kensa: ")]
    assert message in line
    assert "Traceback" not in done.err
    assert sorted(there.rglob("*.parquet")) == before
