"""The names of runs: a person finds the line, the dataset version and the day in a list of runs.

A planned run has the random name that Prefect's scheduler gave it. `name_planned_runs` replaces it, again and again,
because the scheduler plans more runs every minute. A name that a person gave is left as it is.
"""

from __future__ import annotations

import datetime
import re
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas import filters
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.runtime import flow_run

from tasks.config.run import RunConfig
from tasks.core.results import PinnedSource

RANDOM_NAME = re.compile(r"[a-z]+-[a-z]+")  # Prefect's, such as brave-otter
PAGE = 200  # runs that the server gives at once


def initial_retrain_name() -> str:
    """A retraining's name until its revision is known."""
    parameters = flow_run.parameters
    line = parameters.get("line")
    if line == "all":
        return f"all lines {flow_run.scheduled_start_time:%Y-%m-%d}"
    config = parameters.get("config")
    train = config.train if isinstance(config, RunConfig) else (config or {}).get("train", "demo")
    return f"{line or train} {(parameters.get('revision') or '')[:7] or '…'}"


def retrain_name(train: PinnedSource, config: RunConfig, line: str | None) -> str:
    """Line, dataset, revision and preset; the line is left out where it is named as its dataset."""
    named = line is None or train.title.partition("@")[0] == line
    return f"{'' if named else f'{line} '}{train.title} {config.preset}"


def rename_retraining(train: PinnedSource, config: RunConfig) -> None:
    """Name the present run after line, dataset, revision and preset; its line is also a tag, to filter by."""
    line = flow_run.parameters.get("line")
    tags = sorted({*flow_run.tags, *([line] if line else [])})
    with get_client(sync_client=True) as client:
        client.update_flow_run(flow_run.get_id(), name=retrain_name(train, config, line), tags=tags)


def line_run_name() -> str:
    """Of a run of another flow with a parameter `line`: the line, the flow, and the source or release, if named."""
    parameters = flow_run.parameters
    named = [parameters.get(name) for name in ("source", "version", "candidate")]
    return " ".join(filter(None, [_line_title(parameters), flow_run.flow_name, *named]))


def watch_name() -> str:
    """Of a look at the sources: the minute for which it was planned."""
    return f"watch {flow_run.scheduled_start_time:%Y-%m-%d %H:%M}"


def name_planned_runs(client: SyncPrefectClient, deployments: tuple[str, ...]) -> int:
    """Name the planned runs of these deployments for line, deployment and time; returns how many had a random name."""
    chosen = filters.DeploymentFilter(name=filters.DeploymentFilterName(any_=[*deployments]))
    scheduled = filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=[StateType.SCHEDULED]))
    runs = client.read_flow_runs(
        deployment_filter=chosen, flow_run_filter=filters.FlowRunFilter(state=scheduled), limit=PAGE
    )
    random = [run for run in runs if run.auto_scheduled and RANDOM_NAME.fullmatch(run.name)]
    if not random:
        return 0
    known = {deployment.id: deployment for deployment in client.read_deployments(deployment_filter=chosen)}
    for run in random:
        client.update_flow_run(run.id, name=planned_name(run, known[run.deployment_id]))
    return len(random)


def planned_name(run: FlowRun, deployment: DeploymentResponse) -> str:
    """Such as `terminal weekly 2026-11-30 05:00`, in the schedule's time zone; `watch …` where no line is named."""
    zones = {schedule.id: getattr(schedule.schedule, "timezone", None) for schedule in deployment.schedules}
    line, flow = _line_title(run.parameters), (deployment.entrypoint or "").rpartition(":")[2]
    subject = f"{line} {deployment.name}" if line else flow or deployment.name
    return f"{subject} {_planned_time(run, zones):%Y-%m-%d %H:%M}"


def _planned_time(run: FlowRun, zones: dict[UUID, str | None]) -> datetime.datetime:
    zone = run.created_by and run.created_by.id and zones.get(run.created_by.id)
    return run.expected_start_time.astimezone(ZoneInfo(zone or "UTC"))


def _line_title(parameters: dict[str, Any]) -> str | None:
    line = parameters.get("line")
    return "all lines" if line == "all" else line
