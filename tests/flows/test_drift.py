"""The flow drift: each line's new parts, an artifact for each, and a mistake fails the run in one line."""

from __future__ import annotations

import shutil

import pyarrow.parquet as pq
import pytest
from support.flow_runs import in_place, run_flow
from support.inspected_parts import map_column
from support.releases import NO_DRAFTS, reseal

from flows.drift import drift
from tasks.core.errors import BadSetting, SomeLinesFailed

pytestmark = pytest.mark.slow
LINE = '[lines.{name}]\ntrain = "acme/boards"\nset = ["data.rows=4", "data.cols=5"]\n'


@pytest.fixture(scope="module")
def place(small_line, a_place, server, hidden, tmp_path_factory):
    """The line `boards` with a release, and two folders of new parts: as before, and a split that is brighter.

    Flows run here.
    """
    place = a_place(tmp_path_factory.mktemp("drift") / "place", server.env)
    shutil.copytree(small_line.artifacts_path, place.folder / "artifacts" / "boards", ignore=NO_DRAFTS)
    same, bright = hidden(each=100, seed=31), hidden(each=100, seed=32)
    bright.maps[:] *= 1.6
    for name, parts in (("same/records", same), ("bright/test", same), ("bright/train", bright)):
        (place.folder / name).parent.mkdir(exist_ok=True)
        pq.write_table(map_column(parts).select(["map"]), place.folder / f"{name}.parquet")
    new_parts = 'drift = {source = "./bright", part = "train"}\n'
    (place.folder / "kensa.toml").write_text(LINE.format(name="boards") + new_parts)
    with in_place(place.folder, server):
        yield place


def test_every_line_that_names_its_new_parts_is_compared(place, server):
    run = run_flow(drift)
    assert [result.status for result in run.result] == ["drifted"]
    assert (place.folder / "artifacts" / "drift" / "boards.html").exists()
    (line_run,) = server.filter("flow_runs", flow_runs={"parent_flow_run_id": {"any_": [run.id]}})
    text = server.artifacts(line_run["id"])["drift-boards"]["data"]
    assert "# DRIFTED" in text
    assert "boards.html" in text
    assert "| boards | **drifted** | drifted: " in server.artifacts(run.id)["lines-drift"]["data"]


def test_a_single_line_can_be_compared_with_other_parts(place, server):
    run = run_flow(drift, line="boards", source="./same", out="today")
    assert [result.status for result in run.result] != ["drifted"]
    assert "✗ DRIFTED" not in (place.folder / "today" / "boards.html").read_text()
    assert "# DRIFTED" not in server.artifacts(run.id)["drift-boards"]["data"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"line": "nowhere"}, "expected one of boards"),
        ({"source": "./same"}, "line all: expected no source"),
        ({"part": "train"}, "line all: expected no source"),
        ({"line": "boards", "part": "evening"}, "expected the split evening"),
        ({"line": "boards", "config": "front"}, "expected the configuration front"),
    ],
)
def test_a_mistake_fails_the_run_in_one_line(place, server, parameters, message):
    run = run_flow(drift, **parameters)
    assert isinstance(run.error, BadSetting)
    assert message in str(run.error)
    assert not any("Traceback" in log for log in server.logs(run.id))


def test_a_line_that_fails_does_not_stop_the_others(place):
    toml = place.folder / "kensa.toml"
    before = toml.read_text()
    toml.write_text(LINE.format(name="absent") + 'drift = "./bright"\n' + before)
    shutil.rmtree(place.folder / "artifacts" / "drift", ignore_errors=True)
    try:
        run = run_flow(drift)
    finally:
        toml.write_text(before)
    assert isinstance(run.error, SomeLinesFailed)
    assert str(run.error) == "absent failed, 1 of 2 lines were done"
    assert [path.name for path in (place.folder / "artifacts" / "drift").iterdir()] == ["boards.html"]


def test_a_line_with_a_shadow_has_its_new_parts_judged_by_the_challenger_too(place, server):
    folder = place.folder / "artifacts" / "boards" / "releases"
    shutil.copytree(folder / "v1", folder / "v2")
    reseal(folder / "v2", version="v2", fingerprint="2" * 64)
    toml = place.folder / "kensa.toml"
    before = toml.read_text()
    toml.write_text(before + "shadow = true\n")
    try:
        run = run_flow(drift, line="boards")
    finally:
        toml.write_text(before)
    assert run.error is None
    text = server.artifacts(run.id)["shadow-boards"]["data"]
    assert "300 of 300 verdicts are the same" in text
    assert "No part that is new to both has a label yet." in text
