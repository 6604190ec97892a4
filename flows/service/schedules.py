"""The schedules of `retrain/weekly`: one for each product line, where kensa.toml names any.

    python -m flows.service.schedules

Run it after `prefect deploy`, which puts the default of prefect.yaml back. Run again, nothing doubles.
Schedules that somebody added by hand under another slug are left alone, and so is a paused one that did not change.
"""

from __future__ import annotations

import sys
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectNotFound

from flows.service.lines import FactoryConfig, Schedule, read_lines
from tasks.core.errors import KensaError, NotPrepared, ServerUnreachable

DEPLOYMENT = "retrain/weekly"
DEFAULT = "monday-morning"  # its slug in prefect.yaml
OURS = "line-"


def wanted(lines: FactoryConfig) -> list[DeploymentScheduleCreate]:
    """One for each line, by Monday 05:00 in Berlin where the line names none; none where no line does."""
    if not any(line.schedule for line in lines.by_name.values()):
        return []
    return [_made(OURS + name, line.schedule or Schedule(), name) for name, line in lines.by_name.items()]


def _made(slug: str, when: Schedule, line: str) -> DeploymentScheduleCreate:
    cron = CronSchedule(cron=when.cron, timezone=when.timezone)
    return DeploymentScheduleCreate(schedule=cron, parameters={"line": line}, slug=slug)


def ensure(lines: FactoryConfig) -> None:
    """Make the schedules stand as the lines ask for; NotPrepared without the deployment, ServerUnreachable."""
    with get_client(sync_client=True) as client:
        try:
            deployment = client.read_deployment_by_name(DEPLOYMENT)
        except ObjectNotFound:
            raise NotPrepared(f"{DEPLOYMENT}: expected this deployment, found none; run prefect deploy first") from None
        except httpx.TransportError as error:
            raise ServerUnreachable(f"{client.api_url}: expected a Prefect server, found none: {error}") from None
        _replace(client, deployment.id, wanted(lines))


def _replace(client: SyncPrefectClient, deployment: UUID, asked: list[DeploymentScheduleCreate]) -> None:
    found = client.read_deployment_schedules(deployment)
    left = [item for item in found if not (item.slug or "").startswith(OURS)]
    if not asked and not left:  # the lines named schedules once, and do so no longer
        asked = [_made(DEFAULT, Schedule(), "all")]
    right = {item.slug for item in found if any(_same(item, one) for one in asked)}
    named = {one.slug for one in asked}
    for item in found:
        ours = (item.slug or "").startswith(OURS) or (item.slug == DEFAULT and named)
        if ours and item.slug not in right:
            client.delete_deployment_schedule(deployment, item.id)
    if missing := [one for one in asked if one.slug not in right]:
        client.create_deployment_schedules(deployment, missing)


def _same(found: DeploymentSchedule, asked: DeploymentScheduleCreate) -> bool:
    return (found.slug, found.schedule, found.parameters) == (asked.slug, asked.schedule, asked.parameters)


def main() -> int:
    """The command; returns the exit code."""
    try:
        ensure(read_lines())
    except KensaError as error:
        print(f"kensa: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
