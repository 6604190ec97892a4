"""Announces a new dataset version to Prefect: one event, whose id follows from line, revision and try."""

from __future__ import annotations

import datetime
import uuid

from flows.service.ledger import Ledger, Version
from flows.service.server import PrefectServer, connect

EVENT = "kensa.dataset.new-version"
EVENT_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "kensa.dataset.new-version")


def event_of(version: Version) -> dict[str, object]:
    """The event that starts `retrain/on-new-version`.

    A delivery repeated within seconds has the same id, and the server drops it; after a failed try the
    id is another one.
    """
    name = f"{version.line}@{version.revision}#{version.tries}.{version.announcements}"
    return {
        "id": str(uuid.uuid5(EVENT_NAMESPACE, name)),
        "event": EVENT,
        "occurred": datetime.datetime.now(datetime.UTC).isoformat(),
        "resource": {"prefect.resource.id": f"kensa.line.{version.line}", "prefect.resource.name": version.line},
        "payload": {"line": version.line, "revision": version.revision},
    }


def announce_due_versions(ledger: Ledger, server: PrefectServer | None) -> list[Version]:
    """Send the events of all due versions to the server; each is marked once the server has it.

    Not by `emit_event`, which returns before anything is sent. Raises ServerUnreachable; the versions whose
    events were not sent stay due.
    """
    due = ledger.due()
    if due:
        with connect(server) as client:
            for version in due:
                client.request("POST", "/events", json=[event_of(version)])
                ledger.mark_announced(version.line, version.revision)
    return due
