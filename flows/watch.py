"""Looks for new dataset versions, and announces each to Prefect once."""

from __future__ import annotations

import datetime
from contextlib import suppress
from uuid import UUID

from prefect import flow, get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectNotFound

from flows.service.events import announce_due_versions
from flows.service.ledger import End, Ledger, Version
from flows.service.lines import LINES_FILE, FactoryConfig, ProductLine, read_lines
from flows.service.next_runs import PLANNED
from flows.service.recovery import RunRecovery
from flows.service.run_locks import guarded_run
from flows.service.server import PrefectServer, configured_server, connect
from flows.ui.run_names import name_planned_runs, watch_name
from flows.ui.states import watch_state
from tasks import steps
from tasks.core.errors import KensaError, ServerUnreachable, SomeLinesFailed

RECOVERY_TIME = datetime.timedelta(minutes=10)  # within which the automation restarts a crashed run, if it ever does
announce = steps.bind(announce_due_versions, "announce new versions", **steps.NETWORK)


@flow(name="watch", flow_run_name=watch_name, persist_result=False)
def watch() -> State[list[str]]:
    """Note every line's head, close versions whose run is over, and announce the versions that are due.

    The result is the line and revision of every version that was announced. A line whose source cannot be reached does
    not stop the others.
    """
    steps.log_known_errors_in_one_line()
    with guarded_run():
        return watch_state(_check_lines(read_lines(LINES_FILE)))


def _check_lines(lines: FactoryConfig) -> list[str]:
    ledger = lines.ledger()
    failed = [line.name for line in lines.by_name.values() if not _note_head(line, ledger)]
    server = configured_server()
    if server:
        RunRecovery(server, ledger.path.parent).recover_all()
        _name_planned_runs(server)
    reconcile(ledger)
    announced = [f"{version.line}@{version.revision}" for version in announce(ledger, server)]
    if failed:
        raise SomeLinesFailed(f"could not look at {', '.join(failed)}; see the failed tasks of this run")
    return announced


def _name_planned_runs(server: PrefectServer) -> None:
    """As `kensa up` does, on a server that runs without it; names are no reason to fail a look at the sources."""
    with suppress(ServerUnreachable), connect(server) as client:
        name_planned_runs(client, PLANNED)


def _note_head(line: ProductLine, ledger: Ledger) -> bool:
    try:
        head = steps.resolve(line.config.train, line.config.revision, line.config.data_path)
    except KensaError:
        return False  # its task has failed with the reason, and the run will say so
    ledger.head(line.name, head.revision)
    return True


def reconcile(ledger: Ledger) -> None:
    """Close the versions that the ledger calls running and whose run has ended or is gone."""
    with get_client(sync_client=True) as client:
        for version in ledger.versions():
            end = _end(_state(client, version)) if version.state == "running" else None
            if end:
                ledger.finish(version.line, version.revision, version.run, end)


def _state(client: SyncPrefectClient, version: Version) -> State | None:
    try:
        return client.read_flow_run(UUID(version.run)).state
    except ObjectNotFound:
        return None


def _end(state: State | None) -> End | None:
    """How a run in this state ended; None where it has not, or may be restarted.

    A completed run that did not close its version was killed between its last step and the ledger: it counts as
    failed, and the next try finds its result.
    """
    if state is None:
        return "failed"
    if state.is_cancelled():
        return "cancelled"
    recent = state.timestamp > datetime.datetime.now(datetime.UTC) - RECOVERY_TIME
    return "failed" if state.is_final() and not (state.is_crashed() and recent) else None
