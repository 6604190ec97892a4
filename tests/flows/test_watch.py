"""The flow watch: heads are noted and announced once, and versions whose run is over are closed."""

from __future__ import annotations

import uuid

import pyarrow.parquet as pq
import pytest
from prefect import flow, get_client
from prefect.states import Cancelled, Completed, Crashed, Running
from support.flow_runs import in_place, run_flow
from support.inspected_parts import inspected, map_column

from flows.service.ledger import Ledger
from flows.watch import reconcile, watch
from tasks.core.errors import SomeLinesFailed

pytestmark = pytest.mark.slow
LINES = '[lines.boards]\ntrain = "boards"\n'


@pytest.fixture
def place(served, server, monkeypatch):
    """A line on a folder of parts; flows run here."""
    (served.folder / "boards").mkdir()
    pq.write_table(map_column(inspected()), served.folder / "boards" / "table.parquet")
    (served.folder / "kensa.toml").write_text(LINES)
    monkeypatch.setenv("PREFECT_API_URL", server.env["PREFECT_API_URL"])
    with in_place(served.folder, server):
        yield served


def test_a_head_is_announced_once_and_a_line_that_fails_does_not_stop_the_others(place):
    (place.folder / "kensa.toml").write_text(LINES + '[lines.absent]\ntrain = "./absent"\n')
    failed = run_flow(watch)
    assert isinstance(failed.error, SomeLinesFailed)
    assert "could not look at absent" in str(failed.error)
    (version,) = Ledger("data").versions()
    assert (version.line, version.state, version.announcements) == ("boards", "pending", 1)
    (place.folder / "kensa.toml").write_text(LINES)
    assert run_flow(watch).result == [], "it was announced before"


def test_versions_whose_run_is_over_or_gone_are_closed(place):
    states = {"completed": Completed(), "cancelled": Cancelled(), "crashed": Crashed(), "running": Running()}
    ledger, runs = Ledger("data"), {"gone": str(uuid.uuid4())}
    with get_client(sync_client=True) as client:
        for name, state in states.items():
            runs[name] = str(client.create_flow_run(flow(lambda: None, name="watched")).id)
            client.set_flow_run_state(runs[name], state, force=True)
    for name, run in runs.items():
        ledger.note(name, "a" * 40)
        assert ledger.claim(name, "a" * 40, run) == "train"
    reconcile(ledger)
    assert {version.line: version.state for version in ledger.versions()} == {
        "gone": "failed",
        "completed": "failed",
        "cancelled": "cancelled",
        "crashed": "running",
        "running": "running",
    }, "a run that has just crashed may be restarted"
