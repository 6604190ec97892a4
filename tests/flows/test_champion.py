"""The flows promote and rollback: the pointer moves, the state says from where, and a mistake moves nothing."""

from __future__ import annotations

import pytest
from support.flow_runs import in_place, run_flow
from support.inspected_parts import release

from flows.champion import promote, rollback
from tasks.core.errors import BadSetting, UnknownRelease
from tasks.registry import champion

pytestmark = pytest.mark.slow


@pytest.fixture
def place(served, server):
    """The line boards with two releases, of which v2 is champion; flows run here."""
    (served.folder / "kensa.toml").write_text('[lines.boards]\ntrain = "acme/boards"\n')
    artifacts = served.folder / "artifacts" / "boards"
    for version in ("v1", "v2"):
        release(artifacts, version)
        champion.promote(artifacts, version)
    with in_place(served.folder, server):
        yield artifacts


def test_back_to_the_first_and_forward_again(place, server):
    back = run_flow(rollback, line="boards")
    assert champion.champion_state(place).champion == "v1"
    state = server.get(f"/flow_runs/{back.id}")["state"]
    assert (state["name"], state["message"]) == ("Rolled back", "v1 is champion of boards; before: v2")
    again = run_flow(promote, version="v2", line="boards")
    assert champion.champion_state(place).champion == "v2"
    run = server.get(f"/flow_runs/{again.id}")
    assert run["name"] == "boards promote v2"
    assert (run["state"]["name"], run["state"]["type"]) == ("Promoted", "COMPLETED")


@pytest.mark.parametrize(
    ("flow", "parameters", "error"),
    [
        (promote, {"version": "v9", "line": "boards"}, UnknownRelease),
        (promote, {"version": "v1", "line": "nowhere"}, BadSetting),
        (rollback, {}, UnknownRelease),
    ],
)
def test_a_mistake_fails_the_run_and_moves_nothing(place, flow, parameters, error):
    assert isinstance(run_flow(flow, **parameters).error, error)
    assert champion.champion_state(place).champion == "v2"
    assert not (place.parent / "champion.json").exists()
