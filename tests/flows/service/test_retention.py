"""Old runs are deleted from the server: ended ones of the flows that are named, and no other."""

from __future__ import annotations

import time

import pytest
from prefect import flow
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.states import Completed, Running

from flows.service.retention import prune_runs
from flows.service.server import PrefectServer, connect
from tasks.core.errors import ServerUnreachable


def patiently(ask):
    """The answer of a server that is busy for a moment: SQLite lets one write at a time."""
    for _ in range(20):
        try:
            return ask()
        except ServerUnreachable:
            time.sleep(0.5)
    return ask()


def make_run(server, name, state):
    """The id of a run of a flow with that name, in that state."""
    with connect(server) as client:
        run = client.create_flow_run(flow(lambda: None, name=name))
        client.set_flow_run_state(run.id, Running(), force=True)
        if state == "ended":
            client.set_flow_run_state(run.id, Completed(), force=True)
    return run.id


@pytest.mark.slow
def test_old_runs_leave_the_server(server):
    prefect = PrefectServer(server.env["PREFECT_API_URL"])
    kinds = [("prune-old", "ended"), ("prune-old", "running"), ("prune-other", "ended")]
    ids = {kind: patiently(lambda kind=kind: make_run(prefect, *kind)) for kind in kinds}
    assert prune_runs(prefect, 1, flows=("prune-old",)) == 0, "it ended today"
    time.sleep(1)
    assert prune_runs(prefect, 1e-6, dry=True, flows=("prune-old",)) == 1
    assert prune_runs(prefect, 1e-6, flows=("prune-old",)) == 1
    with connect(prefect) as client:
        runs = client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[*ids.values()])))
    assert {run.id for run in runs} == {ids["prune-old", "running"], ids["prune-other", "ended"]}
