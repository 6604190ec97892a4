"""The flow recalibrate: a release with another threshold, once, and a mistake makes none."""

from __future__ import annotations

import shutil
import typing

import pytest
from support.flow_runs import in_place, run_flow
from support.releases import NO_DRAFTS

from flows.recalibrate import recalibrate
from tasks.config.run import ThresholdRule
from tasks.core.errors import BadSetting
from tasks.registry.champion import champion_state
from tasks.registry.releases import releases

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def artifacts(small_line, a_place, server, tmp_path_factory):
    """The line boards with the release of `small_line`; flows run here."""
    place = a_place(tmp_path_factory.mktemp("recalibrate") / "place", server.env)
    (place.folder / "kensa.toml").write_text('[lines.boards]\ntrain = "acme/boards"\n')
    folder = place.folder / "artifacts" / "boards"
    shutil.copytree(small_line.artifacts_path, folder, ignore=NO_DRAFTS)
    with in_place(place.folder, server):
        yield folder


def test_another_threshold_is_another_release_once(artifacts, server):
    run = run_flow(recalibrate, line="boards", target=0.1, promote=True)
    assert run.error is None
    assert (run.result.release, run.result.parent, run.result.champion) == ("v2", "v1", "v2")
    state = server.get(f"/flow_runs/{run.id}")["state"]
    assert state["name"] == "Recalibrated"
    assert state["message"].startswith("v2 is v1 with the threshold ")
    again = run_flow(recalibrate, line="boards", version="v1", target=0.1)
    assert server.get(f"/flow_runs/{again.id}")["state"]["name"] == "Unchanged"


@pytest.mark.parametrize("parameters", [{"target": 0.0}, {"rule": "cheapest", "escape": 5.0}, {"line": "nowhere"}])
def test_a_mistake_makes_no_release(artifacts, parameters):
    before = [release.version for release in releases(artifacts)], champion_state(artifacts)
    assert isinstance(run_flow(recalibrate, **{"line": "boards"} | parameters).error, BadSetting)
    assert ([release.version for release in releases(artifacts)], champion_state(artifacts)) == before


def test_every_rule_of_the_settings_can_be_chosen():
    choices = recalibrate.parameters.model_dump()["properties"]["rule"]["enum"]
    assert choices == [*typing.get_args(ThresholdRule), "cheapest"]
