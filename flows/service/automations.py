"""Two automations that restart dead runs: one without heartbeats is set to Crashed, a crashed one is scheduled again.

Both are proactive: they are in the server's database and survive its restart. The second waits, because a worker
reports a crash twice, at once and again after it has looked for hooks, which takes seconds. If the run were
restarted in between, the second report would set the new try to Crashed.

Prefect does not limit the second: the flow itself counts its starts and fails for good past a limit.
"""

from __future__ import annotations

import datetime
from typing import Any

from prefect.automations import Automation
from prefect.client.schemas.objects import StateType
from prefect.events import EventTrigger
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import Posture
from prefect.events.schemas.events import ResourceSpecification

WITHOUT_HEARTBEAT = datetime.timedelta(seconds=90)  # three heartbeats; Prefect allows no shorter ones than 30 s
QUIET = datetime.timedelta(seconds=30)  # after the last report of a crash
OUR_RUNS = {"prefect.resource.id": "prefect.tag.kensa", "prefect.resource.role": "tag"}  # only runs of our deployments


def automations() -> list[Automation]:
    """Both, as they should be on the server."""
    return [
        _after_silence(
            "kensa: no heartbeat",
            "Marks runs whose machine died.",
            ("prefect.flow-run.heartbeat", WITHOUT_HEARTBEAT),
            (StateType.CRASHED, "Crashed", "no heartbeat: its process or machine died"),
        ),
        _after_silence(
            "kensa: take up again",
            "Schedules crashed runs anew.",
            ("prefect.flow-run.Crashed", QUIET),
            (StateType.SCHEDULED, "AwaitingRetry", "restarted after a crash"),
        ),
    ]


def _after_silence(
    name: str, description: str, silence: tuple[str, datetime.timedelta], state: tuple[StateType, str, str]
) -> Automation:
    """Sets the state of a run of ours that sends no event at all for so long after an event."""
    (event, within), (kind, state_name, message) = silence, state
    trigger = EventTrigger(
        after={event},
        expect={"prefect.flow-run.*"},
        match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
        match_related=ResourceSpecification(OUR_RUNS),
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=within,
    )
    action = ChangeFlowRunState(state=kind, name=state_name, message=message)
    return Automation(name=name, description=description, trigger=trigger, actions=[action])


def ensure() -> None:
    """Create both, or replace those of the same name that differ; nothing is doubled.

    One that is as it should be is not replaced: the server would forget the runs that it waits for, which are
    those that died with the machine.
    """
    for automation in automations():
        try:
            existing = Automation.read(name=automation.name)
        except ValueError:  # none of that name yet
            automation.create()
            continue
        automation.id = existing.id
        if _definition(automation) != _definition(existing):
            automation.update()


def _definition(automation: Automation) -> dict[str, Any]:
    """What it does, without the ids that the server gave it."""
    definition = automation.model_dump(mode="json", include={"description", "enabled", "trigger", "actions"})
    definition["trigger"].pop("id", None)
    return definition


if __name__ == "__main__":
    ensure()
