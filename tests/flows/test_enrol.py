"""The flow enrol: a mode for a line's champion, a candidate where people approve, and a mistake makes no release."""

from __future__ import annotations

import json
import shutil
import typing

import pyarrow.parquet as pq
import pytest
from support.enrolling import NEW_MODE, parts_of_new_mode
from support.flow_runs import in_place, run_flow
from support.inspected_parts import map_column
from support.releases import NO_DRAFTS, reseal

from flows.enrol import enrol
from tasks.core.errors import BadSetting, CannotEnrol
from tasks.enrolment.request import EnrolRequest
from tasks.registry.champion import champion_state
from tasks.registry.releases import releases

pytestmark = pytest.mark.slow
MODE = {"what": "mode", "source": "bridges", "name": NEW_MODE, "line": "boards", "margin": 0.5, "recall": 0.5}


@pytest.fixture(scope="module")
def place(small_line, a_place, server, tmp_path_factory):
    """The line boards with the release and stages of `small_line`, and parts of a new mode; flows run here."""
    place = a_place(tmp_path_factory.mktemp("enrol") / "place", server.env)
    (place.folder / "kensa.toml").write_text('[lines.boards]\ntrain = "acme/boards"\n')
    shutil.copytree(small_line.artifacts_path, place.folder / "artifacts" / "boards", ignore=NO_DRAFTS)
    shutil.copytree(small_line.data_path, place.folder / "data", dirs_exist_ok=True, ignore=NO_DRAFTS)
    (place.folder / "bridges").mkdir()
    pq.write_table(map_column(parts_of_new_mode(8)), place.folder / "bridges" / "parts.parquet")
    with in_place(place.folder, server):
        yield place


def test_a_mode_is_enrolled_once_and_told_in_the_journal(place, server):
    run = run_flow(enrol, **MODE, promote=True, by="M. Sato", reason="new since Monday")
    assert run.error is None
    assert (run.result.release, run.result.parent, run.result.champion) == ("v2", "v1", "v2")
    state = server.get(f"/flow_runs/{run.id}")["state"]
    assert (state["name"], state["message"]) == ("Enrolled", "v2 is v1 with the mode 7 of 8 parts; champion: v2")
    shown = server.artifacts(run.id)
    assert "**enrolled** | v2 | M. Sato" in shown["journal-boards"]["data"]
    assert "| v2 |" in shown["history-boards"]["data"]
    again = run_flow(enrol, **MODE, version="v1")
    assert server.get(f"/flow_runs/{again.id}")["state"]["name"] == "Unchanged"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"name": None}, BadSetting),
        ({"line": "nowhere"}, BadSetting),
        ({"recall": 2.0}, BadSetting),
        ({"name": "bridge"}, CannotEnrol),
        ({"what": "lot", "name": None}, CannotEnrol),
    ],
)
def test_a_mistake_makes_no_release(place, changes, error):
    artifacts = place.folder / "artifacts" / "boards"
    before = [release.version for release in releases(artifacts)], champion_state(artifacts)
    assert isinstance(run_flow(enrol, **MODE | changes).error, error)
    assert ([release.version for release in releases(artifacts)], champion_state(artifacts)) == before


def test_where_people_approve_it_is_a_candidate_with_what_speaks_for_it(small_line, place, server):
    artifacts = place.folder / "artifacts" / "asked"
    shutil.copytree(small_line.artifacts_path, artifacts, ignore=NO_DRAFTS)
    folder = artifacts / "releases" / "v1"
    settings = json.loads((folder / "manifest.json").read_text())["config"]
    reseal(folder, config=settings | {"gate": settings["gate"] | {"approval": "required"}})
    lines = place.folder / "kensa.toml"
    lines.write_text(lines.read_text() + '[lines.asked]\ntrain = "acme/boards"\n')
    run = run_flow(enrol, **MODE | {"line": "asked"})
    assert run.error is None
    assert server.get(f"/flow_runs/{run.id}")["state"]["name"] == "Candidate"
    text = server.artifacts(run.id)["candidate-asked"]["data"]
    assert "v1 with the mode 7, enrolled from 8 parts without training" in text
    assert champion_state(artifacts).champion == "v1"


def test_the_choices_are_those_of_a_request():
    choices = enrol.parameters.model_dump()["properties"]["what"]["enum"]
    assert tuple(choices) == typing.get_args(typing.get_type_hints(EnrolRequest)["kind"])
