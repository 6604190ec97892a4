"""Approval by people, on a real server: two retrainings make candidates, the champion serves on, a person decides."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest
from support.factory import until
from support.flow_runs import in_place, run_flow
from support.inspected_parts import map_column

from flows.champion import approve
from flows.retrain import retrain
from tasks.config.overrides import apply_overrides
from tasks.core.errors import NotACandidate
from tasks.registry.candidates import candidates
from tasks.registry.champion import champion_state
from tasks.registry.journal_events import verify_journal

MARGINS = ("escape", "false_alarm", "auroc", "accuracy")
SETTINGS = ["gate.approval=required", "gate.better=auroc", *(f"gate.{name}_margin=1" for name in MARGINS)]
WEAK = ["fit.epochs=2", "fit.learning_rate=0.001", "gate.figure=average_precision"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def line(a_place, server, hidden, small_config, tmp_path_factory):
    """A first model that a person approves, a better one, and the better one once more."""
    place = a_place(tmp_path_factory.mktemp("approval") / "place", server.env)
    (place.folder / "boards").mkdir()
    pq.write_table(map_column(hidden(200)), place.folder / "boards" / "table.parquet")
    with in_place(place.folder, server):
        config = small_config("boards")
        first = run_flow(retrain, config=apply_overrides(config, [*SETTINGS, *WEAK]))
        before = champion_state(config.artifacts_path).champion
        decided = run_flow(approve, candidate="v1", by="M. Sato", reason="the line needs a first model")
        better, again = (run_flow(retrain, config=apply_overrides(config, [*SETTINGS, "seed=7"])) for _ in range(2))
        yield config, server, [first, before, decided, better, again]


def test_the_first_model_waits_and_is_approved(line):
    _, server, (first, before, decided, *_) = line
    assert first.error is None, first.err
    assert (first.result.status, first.result.release, before) == ("candidate", "v1", None)
    state = server.get(f"/flow_runs/{first.id}")["state"]
    assert (state["type"], state["name"]) == ("COMPLETED", "Candidate")
    assert state["message"] == "v1 waits for approval: the first of its line; champion: none yet"
    state = server.get(f"/flow_runs/{decided.id}")["state"]
    assert (state["name"], state["message"]) == (
        "Approved",
        "v1 is champion; before: none; M. Sato: the line needs a first model",
    )


def test_a_better_model_waits_and_the_run_does_not(line):
    config, server, (*_, better, again) = line
    assert (better.result.status, better.result.release, better.result.champion) == ("candidate", "v2", "v1")
    state = server.get(f"/flow_runs/{better.id}")["state"]
    assert state["message"].startswith("v2 waits for approval: better than the champion v1")
    text = server.artifacts(better.id)["candidate"]["data"]
    assert text.startswith("# CANDIDATE: v2\n\n- better than the champion v1")
    assert "kensa approve v2 --by NAME --reason TEXT" in text
    assert "that the champion gets wrong are right" in text
    answer = "Was it promoted: not yet, v2 waits for approval"
    until(lambda: [log for log in server.logs(better.id) if answer in log], 30, "the log says so")
    assert again.result.status == "unchanged"
    assert [entry.state for entry in candidates(config.artifacts_path)] == ["approved", "waiting"]


def test_a_refusal_in_the_flow_and_what_the_journal_tells(line):
    config, server, _ = line
    refused = run_flow(approve, candidate="v2", decision="refuse", by="K. Ito", reason="it misses shorts on lot 7")
    assert server.get(f"/flow_runs/{refused.id}")["state"]["name"] == "Refused"
    assert isinstance(run_flow(approve, candidate="v2", reason="after all").error, NotACandidate)
    entries = verify_journal(config.artifacts_path).entries
    assert [f"{entry.event} {entry.subject}" for entry in entries] == [
        "candidate v1",
        "approved v1",
        "candidate v2",
        "refused v2",
    ]
    assert [entry.run is not None for entry in entries] == [True] * 4
    assert champion_state(config.artifacts_path).champion == "v1"
