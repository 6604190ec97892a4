"""Bounds what a Prefect server keeps: deletes Kensa's ended runs after some days, with their logs and artifacts."""

from __future__ import annotations

import datetime
from typing import Any

from prefect.client.schemas import filters
from prefect.client.schemas.objects import TERMINAL_STATES

from flows.service.server import PrefectServer, connect

PAGE = 50  # the most that the server deletes at once
FLOWS = ("retrain", "watch", "score", "sweep")


def prune_runs(server: PrefectServer | None, days: float, dry: bool = False, flows: tuple[str, ...] = FLOWS) -> int:
    """Delete the runs of these flows that ended more than so many days ago; returns how many.

    A crashed run may be restarted within minutes: `days` must be one or more. Raises ServerUnreachable.
    """
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days)
    selected: dict[str, Any] = {
        "flow_filter": filters.FlowFilter(name=filters.FlowFilterName(any_=[*flows])),
        "flow_run_filter": filters.FlowRunFilter(
            state=filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=[*TERMINAL_STATES])),
            end_time=filters.FlowRunFilterEndTime(before_=before),
        ),
    }
    with connect(server) as client:
        if dry:
            return client.count_flow_runs(**selected)
        deleted = 0
        while runs := client.read_flow_runs(**selected, limit=PAGE):
            page = {"flow_runs": {"id": {"any_": [str(run.id) for run in runs]}}}
            count = len(client.request("POST", "/flow_runs/bulk_delete", json=page).json()["deleted"])
            if not count:
                break  # somebody else was quicker
            deleted += count
        return deleted
