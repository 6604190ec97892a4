"""Bounds what a Prefect server keeps: ended runs of ours past their time go, with their logs and artifacts."""

from __future__ import annotations

import datetime
from typing import Any

from flows.service.prefect_api import PrefectApi

PAGE = 50  # the most that the server deletes at once
ENDED = ["COMPLETED", "FAILED", "CANCELLED", "CRASHED"]
FLOWS = ("retrain", "watch", "score", "sweep")


def prune_runs(api: PrefectApi, days: float, dry: bool = False, flows: tuple[str, ...] = FLOWS) -> int:
    """Delete the runs of these flows that ended more than so many days ago; returns how many.

    A crashed run may yet be taken up again, within minutes: `days` must be one or more.
    Raises ServerUnreachable.
    """
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days)
    which = {
        "flows": {"name": {"any_": [*flows]}},
        "flow_runs": {"state": {"type": {"any_": ENDED}}, "end_time": {"before_": before.isoformat()}},
    }
    if dry:
        return api.post("/flow_runs/count", which)
    deleted = 0
    while found := _page(api, which):
        gone = api.post("/flow_runs/bulk_delete", {"flow_runs": {"id": {"any_": found}}})
        deleted += len(gone["deleted"])
        if not gone["deleted"]:
            break  # somebody else was quicker
    return deleted


def _page(api: PrefectApi, which: dict[str, Any]) -> list[str]:
    return [run["id"] for run in api.post("/flow_runs/filter", {**which, "limit": PAGE})]
