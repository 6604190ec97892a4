"""The schedules of `retrain/weekly`: one for each product line, where kensa.toml names any.

    python -m flows.service.schedules

Run it after `prefect deploy`, which restores the default of prefect.yaml. A second run changes nothing.
Schedules that somebody added by hand under another slug are kept, and so is a paused one that did not change.
"""

from __future__ import annotations

import sys
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectNotFound

from flows.service.lines import FactoryConfig, Schedule, run_for_lines
from flows.service.server import configured_server, connect
from tasks.core.errors import NotPrepared

DEPLOYMENT = "retrain/weekly"
DEFAULT = "monday-morning"  # its slug in prefect.yaml
PREFIX = "line-"  # of the slugs of our schedules


def line_schedules(lines: FactoryConfig) -> list[DeploymentScheduleCreate]:
    """One for each line, Monday 05:00 in Berlin where the line has none of its own; none where no line has one."""
    if not any(line.schedule for line in lines.by_name.values()):
        return []
    return [_create(PREFIX + name, line.schedule or Schedule(), name) for name, line in lines.by_name.items()]


def _create(slug: str, schedule: Schedule, line: str) -> DeploymentScheduleCreate:
    cron = CronSchedule(cron=schedule.cron, timezone=schedule.timezone)
    return DeploymentScheduleCreate(schedule=cron, parameters={"line": line}, slug=slug)


def ensure(lines: FactoryConfig) -> None:
    """Make the deployment's schedules those of the lines; raises NotPrepared and ServerUnreachable."""
    with connect(configured_server(), retries=5) as client:
        try:
            deployment = client.read_deployment_by_name(DEPLOYMENT)
        except ObjectNotFound:
            raise NotPrepared(f"{DEPLOYMENT}: expected this deployment, found none; run prefect deploy first") from None
        _replace(client, deployment.id, line_schedules(lines))


def _replace(client: SyncPrefectClient, deployment: UUID, wanted: list[DeploymentScheduleCreate]) -> None:
    existing = client.read_deployment_schedules(deployment)
    if not wanted and all((schedule.slug or "").startswith(PREFIX) for schedule in existing):
        wanted = [_create(DEFAULT, Schedule(), "all")]  # the lines had schedules once, and have none now
    unchanged = {schedule.slug for schedule in existing if any(_same(schedule, other) for other in wanted)}
    slugs = {schedule.slug for schedule in wanted}
    for schedule in existing:
        ours = (schedule.slug or "").startswith(PREFIX) or (schedule.slug == DEFAULT and slugs)
        if ours and schedule.slug not in unchanged:
            client.delete_deployment_schedule(deployment, schedule.id)
    if missing := [schedule for schedule in wanted if schedule.slug not in unchanged]:
        client.create_deployment_schedules(deployment, missing)


def _same(existing: DeploymentSchedule, wanted: DeploymentScheduleCreate) -> bool:
    return (existing.slug, existing.schedule, existing.parameters) == (wanted.slug, wanted.schedule, wanted.parameters)


def main() -> int:
    """The command; returns the exit code."""
    return run_for_lines(ensure)


if __name__ == "__main__":
    sys.exit(main())
