"""Looks for new dataset versions, and tells Prefect once per version."""

from __future__ import annotations

from uuid import UUID

from prefect import flow, get_client
from prefect.exceptions import ObjectNotFound

from flows.server import server_configured
from tasks import steps
from tasks.config import Retrain
from tasks.errors import KensaError, SomeLinesFailed
from tasks.ledger import Ledger, Version
from tasks.lines import FILE, Line, read_lines


@flow(name="watch", persist_result=False)
def watch() -> list[str]:
    """Note every line's head, give up on runs that are gone, and tell Prefect of what is due.

    Returns the line and revision of every version that Prefect was told of. A line that cannot be
    looked at does not keep the others from being looked at.
    """
    steps.log_known_errors_in_one_line()
    lines = read_lines(FILE)
    ledger = Ledger(Retrain().data_folder, lines.tries)
    failed = [line.name for line in lines.by_name.values() if not _noted(line, ledger)]
    reconcile(ledger)
    told = [f"{version.line}@{version.revision}" for version in steps.tell(ledger, server_configured())]
    if failed:
        raise SomeLinesFailed(f"could not look at {', '.join(failed)}; see the failed tasks of this run")
    return told


def _noted(line: Line, ledger: Ledger) -> bool:
    try:
        head = steps.resolve(line.config.train, line.config.revision, line.config)
    except KensaError:
        return False  # its task has failed with the reason, and the run will say so
    ledger.note(line.name, head.revision)
    return True


def reconcile(ledger: Ledger) -> None:
    """Mark as failed what the ledger calls running and Prefect does not: its run is over or gone."""
    with get_client(sync_client=True) as client:
        for version in ledger.versions():
            if version.state == "running" and _over(client, version):
                ledger.finish(version.line, version.revision, version.run, "failed")


def _over(client: object, version: Version) -> bool:
    try:
        state = client.read_flow_run(UUID(version.run)).state
    except ObjectNotFound:
        return True
    # A crashed run is taken up again by the automation; it is over only when it stays that way.
    return state is not None and state.is_final() and not state.is_crashed()
