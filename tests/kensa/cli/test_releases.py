"""`kensa releases`, `promote`, `rollback` and `report`."""

from __future__ import annotations

import json
import re

import pytest
from support import evaluations
from support.evaluations import more_escapes

from kensa.cli.releases import releases
from tasks.config.run import GateConfig
from tasks.core.stages import seal_folder
from tasks.promotion.gate import comparison_summary, reasons_to_reject
from tasks.registry.champion import init_champion_file, set_champion


def better(champion):
    """What the manifest of a release tells of its comparison."""
    told = {"version": f"v{champion}", "figure": "auroc", "difference": 0.0123, "interval": [0.0051, 0.019]}
    return told | {"verdict": f"better than the champion v{champion}: auroc difference +0.0123 [+0.0051, +0.0190]"}


def rejected(artifacts, number, **changes):
    """A draft, rejected on a day of April; the older the day, the higher its name."""
    folder = artifacts / "drafts" / (f"{99 - number}" * 8)
    folder.mkdir(parents=True)
    train = {"source": "acme/boards", "kind": "hub", "revision": f"{number}" * 40, "records": 600, "modes": 3}
    manifest = {
        "version": folder.name,
        "status": "rejected",
        "reasons": [f"not shown to be better: take {number}", "mode dent is worse"],
        "fingerprint": folder.name * 4,
        "created": f"2025-04-0{number}T05:00:00+00:00",
        "train": train,
        "test": None,
        "config": {"data": {"rows": 4, "cols": 5}},
        "metrics": {"auroc": 0.5, "mode_accuracy": 0.25},
        "compared_with": "v3",
        "frozen": {"version": "f1", "digest": "d" * 64, "records": 90, "modes": 3},
        "comparison": {"version": "v3", "verdict": f"not shown to be better: take {number}"},
    }
    seal_folder(folder, manifest | changes)
    return folder


@pytest.fixture
def released(place):
    """A folder with three releases, each sealed as a run seals it; v3 is the champion."""
    artifacts = place.folder / "artifacts"
    artifacts.mkdir()
    init_champion_file(artifacts)
    for number in (1, 2, 3):
        folder = artifacts / "releases" / f"v{number}"
        folder.mkdir(parents=True)
        (folder / "model.keras").write_bytes(b"weights %d" % number)
        train = {"source": "acme/boards", "kind": "hub", "revision": f"{number}" * 40, "records": 600, "modes": 3}
        manifest = {
            "version": f"v{number}",
            "status": "released",
            "reasons": [],
            "fingerprint": f"{number}" * 64,
            "created": f"2025-0{number}-01T07:00:00+02:00",
            "train": train,
            "test": None,
            "config": {"data": {"rows": 4, "cols": 5}},
            "metrics": {"auroc": 0.9 + number / 100, "mode_accuracy": 0.8 + number / 100},
            "compared_with": f"v{number - 1}" if number > 1 else None,
            **({"frozen": {"version": "f1", "digest": "d" * 64, "records": 90, "modes": 3}} if number > 1 else {}),
            **({"comparison": better(number - 1)} if number > 2 else {}),
        }
        seal_folder(folder, manifest)
        set_champion(artifacts, f"v{number}")
    return place


def test_the_list_marks_the_champion_and_shows_data_and_figures(released):
    done = released.kensa("releases")
    assert done.code == 0, done.err
    titles, *lines = done.out.splitlines()
    assert re.split(r"\s\s+", titles.strip()) == [
        *("release", "created", "source", "escapes", "false alarms", "auroc", "mode accuracy", "comparison"),
    ]
    rows = [re.match(r"([* ]) +(v\d)\s+(\S+ \S+ UTC)" + r"\s+(\S+)" * 5, line) for line in lines]
    assert [row.groups() for row in rows] == [
        (" ", "v1", "2025-01-01 05:00 UTC", "acme/boards@111111111111", "none", "none", "0.910", "0.810"),
        (" ", "v2", "2025-02-01 05:00 UTC", "acme/boards@222222222222", "none", "none", "0.920", "0.820"),
        ("*", "v3", "2025-03-01 05:00 UTC", "acme/boards@333333333333", "none", "none", "0.930", "0.830"),
    ]
    assert done.err == ""


def test_the_list_as_json(released):
    told = released.kensa("releases", "--json").told
    assert told["champion"] == "v3"
    assert [(row["version"], row["champion"]) for row in told["releases"]] == [
        ("v1", False),
        ("v2", False),
        ("v3", True),
    ]
    first = told["releases"][0]
    assert first["train"]["revision"] == "1" * 40
    assert first["metrics"]["auroc"] == 0.91
    assert (released.folder / first["path"] / "manifest.json").exists()


def test_the_list_tells_what_was_shown_against_the_champion(released):
    """v1 is of an older Kensa and tells nothing; v2 was the first of its line on f1; v3 was better than v2."""
    _, first, second, third = released.kensa("releases").out.splitlines()
    assert first.endswith("0.910  0.810")
    assert second.endswith("  the first of its line, evaluated on 90 test records of f1")
    assert third.endswith("  better than the champion v2: auroc difference +0.0123 [+0.0051, +0.0190]")
    rows = released.kensa("releases", "--json").told["releases"]
    assert [row["comparison"] for row in rows] == [None, None, better(2)]
    assert [row["frozen"] and row["frozen"]["version"] for row in rows] == [None, "f1", "f1"]


def test_escapes_and_false_alarms_stand_before_the_verdict(tmp_path, capsys):
    """Listed in the test's own process: 58 escapes of 150 became 91, 10 false alarms of 100 became none."""
    init_champion_file(tmp_path)
    compared = more_escapes()
    (reason,) = reasons_to_reject(evaluations.report(comparison=compared), GateConfig())
    draft = rejected(
        tmp_path,
        1,
        metrics={"auroc": 0.99, "mode_accuracy": 1.0, "good_tpr": 59 / 150, "good_fpr": 0.0},
        comparison=comparison_summary(compared, GateConfig()).as_json(),
        reasons=[reason],
    )
    releases(tmp_path, line=None, as_json=False)
    line = capsys.readouterr().out.splitlines()[-1]
    assert "  0.607    0.000         0.990  1.000" in line
    assert re.search(
        r"  champion v3 → this model: escapes 38.7 % → 60.7 % \(58 → 91 of 150 defects, \+22.0 points .*; "
        r"false alarms 10 % → 0 % \(10 → 0 of 100 good parts, -10.0 points .*; "
        r"escapes rose from 38.7 % to 60.7 % against the champion v3",
        line,
    )
    releases(tmp_path, line=None, as_json=True)
    (entry,) = json.loads(capsys.readouterr().out)["rejected"]
    assert entry["path"] == str(draft)
    assert (entry["comparison"]["escapes"]["champion"], entry["comparison"]["escapes"]["challenger"]) == (58, 91)
    assert [check["metric"] for check in entry["comparison"]["checks"] if not check["passed"]] == ["good_tpr"]


def test_rejected_drafts_are_told_with_their_reasons_the_newest_last(released):
    artifacts = released.folder / "artifacts"
    for number in range(1, 8):
        rejected(artifacts, number)
    (artifacts / "drafts" / "abad").mkdir()
    (artifacts / "drafts" / "abad" / "manifest.json").write_text("{")
    *lines, last = released.kensa("releases").out.splitlines()[4:]
    assert lines[0].startswith("-  rejected  2025-04-03 05:00 UTC  acme/boards@333333333333")
    assert [line.partition("0.250  ")[2].strip() for line in lines] == [
        f"not shown to be better: take {n}; mode dent is worse" for n in range(3, 8)
    ]
    assert last == "2 older rejected models; --json lists them"
    told = released.kensa("releases", "--json").told["rejected"]
    assert [draft["created"][:10] for draft in told] == [f"2025-04-0{number}" for number in range(1, 8)]
    assert told[0]["reasons"] == ["not shown to be better: take 1", "mode dent is worse"]
    assert told[0]["comparison"]["verdict"] == told[0]["reasons"][0]


def test_the_frozen_sets_are_told_as_json(released):
    known = {"f1": {"digest": "d" * 64, "records": 90}}
    (released.folder / "artifacts" / "frozen.json").write_text(json.dumps(known))
    assert released.kensa("releases", "--json").told["frozen"] == known


def test_an_empty_list(place):
    done = place.kensa("releases")
    assert (done.code, done.err) == (0, "")
    assert "no releases in artifacts" in done.out
    assert place.kensa("releases", "--json").told == {
        "champion": None,
        "releases": [],
        "rejected": [],
        "frozen": {},
    }


@pytest.mark.slow
def test_promote_and_rollback_move_the_champion(released):
    assert released.kensa("promote", "v1").out == "champion: v1\n"
    assert released.champion() == "v1"
    assert released.kensa("rollback").out == "champion: v3\n"
    assert released.kensa("rollback", "--json").told == {"champion": "v2"}
    assert released.kensa("promote", "v3", "--json").told == {"champion": "v3"}
    assert released.champion() == "v3"
    assert re.search(r"^\* +v3 ", released.kensa("releases").out, re.M)


def test_a_rollback_ends_at_the_first_champion(released):
    for _ in range(2):
        assert released.kensa("rollback").code == 0
    done = released.kensa("rollback")
    assert done.code == 2
    assert done.err == "kensa: artifacts: expected an earlier champion to go back to, found none\n"
    assert released.champion() == "v1"


def test_a_rollback_of_a_line_keeps_who_and_why(released):
    (released.folder / "kensa.toml").write_text('[lines.boards]\ntrain = "acme/boards"\n')
    released.run("mv", "artifacts", "boards")
    (released.folder / "artifacts").mkdir()
    released.run("mv", "boards", "artifacts/boards")
    done = released.kensa("rollback", "--line", "boards", "--by", "M. Sato", "--reason", "false alarms on lot 7")
    assert done.out == "champion: v2\n", done.err
    entry = released.kensa("journal", "--line", "boards", "--json").told["listed"][-1]
    assert (entry["event"], entry["by"], entry["why"]) == ("rolled back", "M. Sato", "false alarms on lot 7")


def test_another_folder(released):
    released.run("mv", "artifacts", "elsewhere")
    assert released.kensa("promote", "v2", "--artifacts", "elsewhere").out == "champion: v2\n"
    assert released.kensa("releases", "--artifacts", "elsewhere", "--json").told["champion"] == "v2"
    assert released.kensa("promote", "v2").code == 2


def test_these_commands_start_neither_prefect_nor_tensorflow(released):
    for words in (["releases"], ["promote", "v1"], ["rollback"]):
        done = released.kensa(*words, imports=True)
        assert done.code == 0, done.err
        assert not {"prefect", "tensorflow", "keras", "pyarrow", "numpy"} & done.imported


def test_a_damaged_release_is_not_promoted(released):
    (released.folder / "artifacts" / "releases" / "v1" / "model.keras").write_bytes(b"others")
    done = released.kensa("promote", "v1")
    assert done.code == 1
    assert "releases/v1: a file differs" in done.err
    assert released.champion() == "v3"


@pytest.mark.slow
def test_a_release_is_rendered_in_another_language(run, small_line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    places = ("--artifacts", small_line.artifacts_folder, "--data", small_line.data_folder)
    done = run("report", "v1", "--language", "ja", *places, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out) == {
        "status": "rendered",
        "release": "v1",
        "path": "v1-report.html",
        "language": "ja",
    }
    assert 'lang="ja"' in (tmp_path / "v1-report.html").read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["v1-report.html"]


def test_an_unknown_release_and_missing_records_are_one_line(run, small_line, tmp_path):
    done = run("report", "v9", "--artifacts", small_line.artifacts_folder, "--out", str(tmp_path / "page.html"))
    assert done.code == 2
    assert "v9" in done.err
    done = run(
        *("report", "--artifacts", small_line.artifacts_folder, "--data", str(tmp_path)),
        *("--out", str(tmp_path / "page.html")),
    )
    assert done.code == 2
    assert "v1: expected its record bank in" in done.err
    assert list(tmp_path.iterdir()) == []
