"""The flows promote and rollback: the pointer moves, the state says from where, and a mistake moves nothing."""

from __future__ import annotations

import pytest
from support.flow_runs import in_place, run_flow
from support.inspected_parts import release

from flows.champion import promote, rollback
from tasks.core.errors import BadSetting, UnknownRelease
from tasks.registry import champion
from tasks.registry.journal_events import full_journal

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
    back = run_flow(rollback, line="boards", by="M. Sato", reason="false alarms on lot 7")
    assert champion.champion_state(place).champion == "v1"
    state = server.get(f"/flow_runs/{back.id}")["state"]
    assert (state["name"], state["message"]) == ("Rolled back", "v1 is champion of boards; before: v2")
    last = full_journal(place).entries[-1]
    assert (last.event, last.by, last.why, last.run) == ("rolled back", "M. Sato", "false alarms on lot 7", back.id)
    text = server.artifacts(back.id)["journal-boards"]["data"]
    assert "| **rolled back** | v1 | M. Sato | false alarms on lot 7 |" in text
    assert "| v1 | **champion** |" in server.artifacts(back.id)["history-boards"]["data"]
    assert "Rolled back to v1" in (place / "history.html").read_text()
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
