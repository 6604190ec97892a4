"""`kensa score` and its flow, by the real command: verdicts, page, artifact; mistakes in one line each."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.inspected_parts import map_column

from tasks.core.stages import MANIFEST, seal_folder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def line(boards, a_place, hidden, tmp_path_factory):
    """A place with the boards' release, and new parts without labels in the folder `new`."""
    place = a_place(tmp_path_factory.mktemp("score") / "place", boards.place.env)
    shutil.copytree(boards.place.folder / "artifacts", place.folder / "artifacts")
    write(place, "new", map_column(hidden(each=20, seed=3)).select(["map"]))
    return place


def write(place, name, table):
    (place.folder / name).mkdir()
    pq.write_table(table, place.folder / name / "records.parquet")


def test_the_command_writes_verdicts_and_says_why(line):
    done = line.kensa("score", "new", "--out", "out/v.parquet", "--report", "out/why.html", "--json")
    assert done.code == 0, done.err
    assert done.told["release"] == "v1"
    assert sum(done.told["counts"].values()) == 60
    assert done.told["figures"] is None
    assert {path.name for path in (line.folder / "out").iterdir()} == {"v.parquet", "why.html"}
    assert pq.read_metadata(line.folder / "out" / "v.parquet").num_rows == 60


def test_a_labelled_source_on_the_hub_is_judged_on_what_the_release_never_saw(boards):
    """The figures are then those of the release's own test part."""
    done = boards.place.kensa("score", "acme/boards", "--out", "boards.parquet", "--json")
    assert done.code == 0, done.err
    figures, metrics = done.told["figures"], boards.first.told["metrics"]
    assert figures["seen"] > 0
    assert figures["mode_accuracy"]["rate"] == pytest.approx(metrics["mode_accuracy"])
    assert figures["good_auroc"] == pytest.approx(metrics["good_auroc"], abs=1e-6)
    assert figures["false_alarms"]["rate"] == pytest.approx(metrics["good_fpr"])


def test_the_flow_shows_its_verdicts_in_the_ui(boards, server):
    script = "from flows.score import score; score(source='acme/boards', against='v1', out='verdicts/today.parquet')"
    done = boards.place.run(sys.executable, "-c", script)
    assert done.code == 0, done.err
    assert {path.name for path in (boards.place.folder / "verdicts").iterdir()} == {
        "today.parquet",
        "today.html",
        "today.flips.parquet",
    }
    shown = server.artifacts(done.run_id)["verdicts"]["data"]
    assert "false alarms" in shown
    assert "**0** verdicts differ from those of **v1**" in shown
    assert "today.html" in shown


def resealed(place, name, **facts):
    """A copy of v1 whose manifest says something else."""
    folder = place.folder / "artifacts" / "releases" / name
    shutil.copytree(folder.with_name("v1"), folder)
    manifest = json.loads((folder / MANIFEST).read_text())
    seal_folder(folder, {key: value for key, value in manifest.items() if key != "files"} | facts)
    return folder


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("score", "empty"), 2, "without rows"),
        (("score", "small"), 2, "a map of 4×5 finite values, as v1 was trained on, found one of another size"),
        (("score", "holes"), 2, "row 7: expected a map of 4×5 finite values"),
        (("score", "other"), 2, "expected records with 4×5 maps"),
        (("score", "nowhere"), 2, "nowhere"),
        (("score", "new", "--release", "v77"), 2, "no such release"),
        (("score", "new", "--release", "v8"), 2, "a later Kensa"),
        (("score", "new", "--release", "v9"), 1, "differs from the digest"),
        (("score", "new", "--against", "v77"), 2, "no such release"),
        (("score", "new", "--language", "de"), 2, "expected en or ja, found 'de'"),
        (("score", "new", "--out", "new/records.parquet/v.parquet"), 2, "expected a folder"),
    ],
)
def test_a_mistake_is_one_line(line, hidden, words, code, said):
    table, releases = map_column(hidden(each=4)), line.folder / "artifacts" / "releases"
    if not (line.folder / "empty").exists():
        holes = hidden(each=4).maps.copy()
        holes[7, 3] = np.nan
        write(line, "empty", table.slice(0, 0))
        write(line, "small", pa.table({"map": [[1.0, 2.0]] * 5}))
        write(line, "other", pa.table({"weight": [1.0]}))
        write(line, "holes", pa.table({"map": list(holes)}))
        resealed(line, "v8", format=99)
        shutil.copytree(releases / "v1", releases / "v9")
        with (releases / "v9" / "anchors.npz").open("ab") as file:
            file.write(b"!")
    before = sorted(line.folder.rglob("*.parquet"))
    done = line.kensa(*words)
    lines = [one for one in done.err.splitlines() if one.startswith("kensa: ")]
    assert done.code == code, done.err
    assert len(lines) == 1
    assert said in lines[0]
    assert "Traceback" not in done.err
    assert sorted(line.folder.rglob("*.parquet")) == before
