"""Drift as it runs unattended: each line's new parts, an artifact for each, a drift told, mistakes in one line."""

from __future__ import annotations

import shutil
import sys

import pyarrow.parquet as pq
import pytest
from support.inspected_parts import map_column

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def line(boards, a_place, hidden, tmp_path_factory):
    """A place with the line `boards`, its release, and two folders of new parts: as before, and brighter."""
    place = a_place(tmp_path_factory.mktemp("drift") / "place", boards.place.env)
    (place.folder / "artifacts").mkdir()
    shutil.copytree(boards.place.folder / "artifacts", place.folder / "artifacts" / "boards")
    same, bright = hidden(each=100, seed=31), hidden(each=100, seed=32)
    bright.maps[:] *= 1.6
    for name, parts in (("same", same), ("bright", bright)):
        (place.folder / name).mkdir()
        pq.write_table(map_column(parts).select(["map"]), place.folder / name / "records.parquet")
    settings = '[lines.boards]\ntrain = "acme/boards"\nset = ["data.rows=4", "data.cols=5"]\ndrift = "./bright"\n'
    (place.folder / "kensa.toml").write_text(settings)
    return place


def run(line, words):
    return line.run(sys.executable, "-c", f"from flows.drift import drift; drift({words})")


def test_every_line_that_names_its_new_parts_is_compared(line, server):
    done = run(line, "")
    assert done.code == 0, done.err
    assert (line.folder / "drift" / "boards.html").exists()
    shown = next(one for one in server.filter("artifacts", sort="UPDATED_DESC") if one["key"] == "drift-boards")["data"]
    assert "# DRIFTED" in shown
    assert "boards.html" in shown


def test_other_parts_can_be_asked_for(line, server):
    done = run(line, "line='boards', source='./same', out='today'")
    assert done.code == 0, done.err
    text = (line.folder / "today" / "boards.html").read_text()
    assert "✗ DRIFTED" not in text
    assert "# DRIFTED" not in server.artifacts(done.run_id)["drift-boards"]["data"]


def test_the_command_says_what_drifted(line):
    done = line.kensa("drift", "./bright", "--artifacts", "artifacts/boards", "--report", "d.html", "--json")
    assert done.code == 0, done.err
    assert done.told["standing"] == "drifted"
    assert done.told["charts"][0]["title"] in ("level", "shape", "score")
    assert (line.folder / "d.html").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("line='nowhere'", "expected one of boards"),
        ("source='./same'", "line all: expected no source"),
    ],
)
def test_a_mistake_fails_the_run_in_one_line(line, words, said):
    done = run(line, words)
    assert done.code != 0
    assert said in done.err


def test_a_source_that_is_too_small_is_told_in_one_line(line, hidden):
    if not (line.folder / "few").exists():
        (line.folder / "few").mkdir()
        pq.write_table(map_column(hidden(each=4)), line.folder / "few" / "records.parquet")
    done = line.kensa("drift", "./few", "--artifacts", "artifacts/boards")
    assert done.code == 2
    assert done.err.count("kensa: ") == 1
    assert "expected at least 50 records" in done.err


def test_another_threshold_by_the_command(line):
    words = ("recalibrate", "--target", "0.2", "--artifacts", "artifacts/boards")
    made = line.kensa(*words, "--json")
    assert made.code == 0, made.err
    assert (made.told["status"], made.told["release"], made.told["parent"]) == ("released", "v2", "v1")
    assert line.kensa(*words).out.startswith("unchanged: v2")
    refused = line.kensa("recalibrate", "--target", "0.0001", "--artifacts", "artifacts/boards")
    assert refused.code == 2
    assert refused.err.startswith("kensa: no threshold by target_fpr")
    assert "another threshold" in line.kensa("releases", "--artifacts", "artifacts/boards").out
