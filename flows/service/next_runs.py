"""When each product line runs next, by the scheduler's own word: a schedule that looks right may still never come.

The runs that the scheduler plans get names here, too: Prefect gives them random ones.
"""

from __future__ import annotations

import time
from datetime import datetime
from zoneinfo import ZoneInfo

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas import filters
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort

from flows.service.lines import FactoryConfig, ProductLine, Schedule
from flows.service.server import PrefectServer, connect
from flows.ui.run_names import name_planned_runs

DEPLOYMENT = "weekly"
PLANNED = (DEPLOYMENT, "daily", "every-15-minutes")  # the deployments with schedules
POLL_SECONDS = 5  # between two questions
NAME_SECONDS = 20  # between two looks for planned runs without a name
WAIT_SECONDS = 150  # the scheduler looks every minute, on a small machine a little later
PAGE = 200  # runs that the server gives at once


class NextRuns:
    """Asks the server from `kensa up` on, until each line has a next run or the scheduler had time to make it."""

    def __init__(self, server: PrefectServer, lines: FactoryConfig) -> None:
        self.server, self.waiting = server, dict(lines.by_name)
        self.began = time.monotonic()
        self.polled = -float(POLL_SECONDS)
        self.named = -float(NAME_SECONDS)

    def name_planned(self) -> None:
        """Name the planned runs that have a random name, now and then. Raises ServerUnreachable."""
        if time.monotonic() - self.named >= NAME_SECONDS:
            self.named = time.monotonic()
            with connect(self.server) as client:
                name_planned_runs(client, PLANNED)

    def news(self) -> list[str]:
        """What can be said now of lines of which nothing was said yet, in sentences. Raises ServerUnreachable."""
        now = time.monotonic()
        if not self.waiting or now - self.polled < POLL_SECONDS:
            return []
        self.polled = now
        with connect(self.server) as client:
            times = next_times(client, set(self.waiting))
        sentences = [_next_run(self.waiting.pop(name), times[name]) for name in list(self.waiting) if name in times]
        if now - self.began >= WAIT_SECONDS:
            sentences += [_no_run(name) for name in self.waiting]
            self.waiting.clear()
        return sentences


def next_times(client: SyncPrefectClient, names: set[str]) -> dict[str, datetime]:
    """The next time of those lines that the scheduler has planned; a run of all lines counts for each."""
    times: dict[str, datetime] = {}
    for offset in range(0, 50 * PAGE, PAGE):
        runs = _scheduled_runs(client, offset)
        for run in runs:
            line = run.parameters.get("line")
            for name in names if line == "all" else names & {line}:
                times.setdefault(name, run.next_scheduled_start_time)
        if len(runs) < PAGE or len(times) == len(names):
            break
    return times


def _scheduled_runs(client: SyncPrefectClient, offset: int) -> list[FlowRun]:
    """One page of the deployment's planned runs, the earliest first."""
    scheduled = filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=[StateType.SCHEDULED]))
    return client.read_flow_runs(
        deployment_filter=filters.DeploymentFilter(name=filters.DeploymentFilterName(any_=[DEPLOYMENT])),
        flow_run_filter=filters.FlowRunFilter(state=scheduled),
        sort=FlowRunSort.NEXT_SCHEDULED_START_TIME_ASC,
        limit=PAGE,
        offset=offset,
    )


def _next_run(line: ProductLine, time_: datetime) -> str:
    zone = (line.schedule or Schedule()).timezone
    return f"line {line.name}: next run {time_.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}"


def _no_run(name: str) -> str:
    return f"line {name}: expected a next run, found none; are the schedules of retrain/{DEPLOYMENT} paused?"
