"""Bounds what a Prefect server keeps: deletes Kensa's ended runs after some days, with their logs and artifacts."""

from __future__ import annotations

import datetime
from typing import Any

from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES

from flows.service.server import PrefectServer, connect

PAGE = 50  # the most that the server deletes at once
FLOWS = ("retrain", "watch", "score", "sweep")


def prune_runs(server: PrefectServer | None, days: float, dry: bool = False, flows: tuple[str, ...] = FLOWS) -> int:
    """Delete the runs of these flows that ended more than so many days ago; returns how many.

    A crashed run may be restarted within minutes: `days` must be one or more. Raises ServerUnreachable.
    """
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days)
    ended = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[*TERMINAL_STATES])),
        end_time=FlowRunFilterEndTime(before_=before),
    )
    filters: dict[str, Any] = {
        "flow_filter": FlowFilter(name=FlowFilterName(any_=[*flows])),
        "flow_run_filter": ended,
    }
    with connect(server) as client:
        if dry:
            return client.count_flow_runs(**filters)
        deleted = 0
        while runs := client.read_flow_runs(**filters, limit=PAGE):
            page = {"flow_runs": {"id": {"any_": [str(run.id) for run in runs]}}}
            count = len(client.request("POST", "/flow_runs/bulk_delete", json=page).json()["deleted"])
            if not count:
                break  # somebody else was quicker
            deleted += count
        return deleted
