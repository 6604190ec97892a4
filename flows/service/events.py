"""Tells Prefect of a new dataset version: one event, whose id follows from line, revision and try."""

from __future__ import annotations

import datetime
import uuid

from flows.service.ledger import Ledger, Version
from flows.service.prefect_api import PrefectApi
from tasks.core.errors import ServerUnreachable

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


def announce_due_versions(ledger: Ledger, api: PrefectApi | None) -> list[Version]:
    """Send the events of all versions that are due to the server.

    Each is written down once the server has it.

    The events go by HTTP rather than by `emit_event`, which returns before anything is sent. Raises
    ServerUnreachable; what was not told stays due.
    """
    due = ledger.due()
    if due and api is None:
        raise ServerUnreachable("PREFECT_API_URL: expected the address of a Prefect server, found none")
    for version in due:
        api.post("/events", [event_of(version)])
        ledger.mark_announced(version.line, version.revision)
    return due
