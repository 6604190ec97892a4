"""The days of a source from run to run: read as written, one revision is one day, damage is told and set aside."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from tasks.core.files import add_checksum
from tasks.monitoring import day_history
from tasks.monitoring.daily_charts import LastingChange, SeriesDays
from tasks.monitoring.day_history import load_history, save_history

SERIES = {
    ("score", None): SeriesDays(3, 0.1, 0.02, 2.5, 2, LastingChange(1.5, 2, 40.0, 3.0)),
    ("level", "dent"): SeriesDays(1, 0.2, 0.1, differs=True),
}


@pytest.fixture
def load(small_release, tmp_path):
    """Reads the days of a source before a revision."""

    def run(revision, source="./parts", release=small_release):
        return load_history(tmp_path, release, source, revision, None, None)

    return run


def test_the_next_revision_knows_the_days_and_the_same_one_is_the_same_day(load):
    save_history(load("r1"), {}, [1, 2])
    save_history(load("r2"), SERIES, [3])
    following, again = load("r3"), load("r2")
    assert (following.series, following.seen.tolist()) == (SERIES, [1, 2, 3])
    assert (again.series, again.seen.tolist()) == ({}, [1, 2])
    assert load("r3", source="./others").series == {}


def test_the_records_that_were_counted_last_are_remembered(load, monkeypatch):
    monkeypatch.setattr(day_history, "MAX_SEEN", 3)
    save_history(load("r1"), SERIES, [1, 2])
    save_history(load("r2"), SERIES, [3, 4])
    assert load("r3").seen.tolist() == [2, 3, 4]
    assert load("r2").seen.tolist() == [2]


def test_another_reference_starts_anew(load, small_release, tmp_path):
    save_history(load("r1"), SERIES, [1])
    folder = shutil.copytree(small_release.path, tmp_path / "other")
    with np.load(folder / "reference.npz") as arrays:
        changed = dict(arrays)
    changed["score"] = changed["score"] + 1
    np.savez(folder / "reference.npz", **changed)
    other = replace(small_release, release=replace(small_release.release, path=folder))
    assert load("r2", release=other).series == {}


@pytest.mark.parametrize("damage", ["{", "[]", "{}", "changed", "format"])
def test_a_damaged_file_is_set_aside_and_told_in_one_line(load, capsys, damage):
    save_history(load("r1"), SERIES, [1])
    path = load("r2").path
    stored = json.loads(path.read_text())
    if damage == "changed":
        stored["after"][0]["level"] = 9.0
    if damage == "format":
        stored = add_checksum({**stored, "format": 99})
    path.write_text(json.dumps(stored) if damage in ("changed", "format") else damage)
    history = load("r2")
    assert (history.series, len(history.seen)) == ({}, 0)
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{path}: cannot be read; set aside as {path.stem}.damaged" in line
    assert not path.exists()
    assert path.with_suffix(".damaged").exists()
    save_history(history, SERIES, [1])
    assert load("r3").series == SERIES


def test_a_folder_that_takes_no_file_is_told_and_stops_nothing(load, tmp_path, capsys):
    (tmp_path / "drift").write_text("a file")
    save_history(load("r1"), SERIES, [1])
    assert "the next run will not know of this day" in capsys.readouterr().err
