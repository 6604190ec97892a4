"""Restarts the runs that died on this machine, as soon as it is certain that they are dead.

A run that the server calls running, and whose lock no process holds, is dead, whichever of flow, worker, server
and `kensa up` died with it, and whatever the server forgot at a restart. The automations, which wait for missing
heartbeats, do the same for workers on other machines.
"""

from __future__ import annotations

import datetime
import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas import filters
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.responses import SetStateStatus
from prefect.states import Cancelled, Crashed, State

from flows.service import run_locks
from flows.service.automations import OUR_RUNS
from flows.service.server import PrefectServer, connect

# How long a dead run is watched in each state. A live worker reports a crash itself within 5 seconds, and once
# more when it has looked for hooks: a run that is restarted between would be called crashed by the second report.
WAIT_SECONDS = {StateType.RUNNING: 5, StateType.CANCELLING: 5, StateType.CRASHED: 12}
START_SECONDS = 120  # in which a worker brings a run to its first line
POLL_SECONDS = 20  # between two questions for runs that did not start: they leave no file, so the server must be asked
EVENT_SECONDS = 1  # to note an event: a change of state beside it would find SQLite locked, for a minute
FINAL = {StateType.COMPLETED, StateType.FAILED, StateType.CANCELLED}


class RunRecovery:
    """Looks again and again at the runs whose locks are in `folder`."""

    def __init__(self, server: PrefectServer, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.seen: dict[UUID, tuple[UUID, float]] = {}  # dead run -> its state, and when it was first seen in it
        self.polled = -float(POLL_SECONDS)

    def recover_due(self) -> list[str]:
        """Restart the runs that are certainly dead; returns their names. Raises ServerUnreachable."""
        dead = [UUID(run) for run in run_locks.dead_runs(self.folder)]
        poll = time.monotonic() - self.polled >= POLL_SECONDS
        self.seen = {run: first for run, first in self.seen.items() if run in dead}
        if not dead and not poll:
            return []
        with connect(self.server) as client:
            runs = (
                client.read_flow_runs(flow_run_filter=filters.FlowRunFilter(id=filters.FlowRunFilterId(any_=dead)))
                if dead
                else []
            )
            for run in set(dead) - {run.id for run in runs}:
                run_locks.remove_run_lock(self.folder, str(run))  # a run of another server, or deleted
            restarted = [run.name for run in runs if self._recover(client, run)]
            if poll:
                restarted += [run.name for run in self._not_started(client) if self._restart(client, run)]
                self.polled = time.monotonic()
        return restarted

    def recover_all(self) -> list[str]:
        """Look until no dead run is left to wait for; returns the names of the runs that were restarted."""
        restarted = self.recover_due()
        while self.seen:
            time.sleep(1)
            restarted += self.recover_due()
        return restarted

    def _recover(self, client: SyncPrefectClient, run: FlowRun) -> bool:
        """Whether a dead run was restarted now."""
        kind = run.state.type
        if kind in FINAL:
            run_locks.remove_run_lock(self.folder, str(run.id))
        if kind not in WAIT_SECONDS:
            self.seen.pop(run.id, None)
            return False
        if self._seconds_seen(run) < WAIT_SECONDS[kind] or run_locks.is_run_locked(self.folder, str(run.id)):
            return False
        if kind == StateType.CANCELLING:
            client.set_flow_run_state(run.id, Cancelled(message="its process had ended"))
            return False
        return self._restart(client, run)

    def _seconds_seen(self, run: FlowRun) -> float:
        """Seconds since the run was first seen dead in its present state."""
        state, first = self.seen.get(run.id, (None, 0.0))
        if state != run.state.id:
            first = time.monotonic()
            self.seen[run.id] = (run.state.id, first)
        return time.monotonic() - first

    def _not_started(self, client: SyncPrefectClient) -> list[FlowRun]:
        """Runs that a worker took and did not bring to life, because it died."""
        before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=START_SECONDS)
        state = filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=[StateType.PENDING]))
        ours = filters.FlowRunFilter(state=state, tags=filters.FlowRunFilterTags(all_=["kensa"]))
        old = [run for run in client.read_flow_runs(flow_run_filter=ours) if run.state.timestamp < before]
        return [run for run in old if not run_locks.is_run_locked(self.folder, str(run.id))]

    def _restart(self, client: SyncPrefectClient, run: FlowRun) -> bool:
        """Whether the server schedules the run again.

        It is set to Crashed first, so that the UI's history says what happened and its concurrency slot is free.
        A run without a deployment, such as one line's part of a run of all lines, is not restarted alone.
        The dead process's lock file is removed: the next process makes its own, and a run that is seen before it
        has done so is not restarted twice.
        """
        self.seen.pop(run.id, None)
        if run.deployment_id is not None:
            client.request("POST", "/events", json=[_restart_event(run)])
            time.sleep(EVENT_SECONDS)
        if run.state.type != StateType.CRASHED:
            client.set_flow_run_state(run.id, Crashed(message="its process died, and nothing holds its lock"))
        run_locks.remove_run_lock(self.folder, str(run.id))
        if run.deployment_id is None:
            return False
        again = State(type=StateType.SCHEDULED, name="AwaitingRetry", message="restarted after a crash")
        return client.set_flow_run_state(run.id, again).status == SetStateStatus.ACCEPT


def _restart_event(run: FlowRun) -> dict[str, Any]:
    """Satisfies the automation that waits for the dead process's next heartbeat, so that it spares the new process.

    The run's changes of state do not: after its own restart, Prefect's server holds back for 15 minutes each event
    that follows one from before.
    """
    return {
        "id": str(uuid4()),
        "event": "prefect.flow-run.restarted",
        "occurred": datetime.datetime.now(datetime.UTC).isoformat(),
        "resource": {"prefect.resource.id": f"prefect.flow-run.{run.id}", "prefect.resource.name": run.name},
        "related": [OUR_RUNS],
    }
