"""The two automations that take up again what died: no heartbeat means crashed, crashed means again.

Nothing in Prefect bounds the second: the flow itself counts its runs and fails for good past a limit.
"""

from __future__ import annotations

import datetime

from prefect.automations import Automation
from prefect.client.schemas.objects import StateType
from prefect.events import EventTrigger
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import Posture
from prefect.events.schemas.events import ResourceSpecification

WITHOUT_HEARTBEAT = datetime.timedelta(seconds=90)
RUNS = {"prefect.resource.id": "prefect.flow-run.*"}
OURS = {"prefect.resource.id": "prefect.tag.kensa", "prefect.resource.role": "tag"}  # only runs of our deployments


def automations() -> list[Automation]:
    """Both, as they should stand on the server."""
    silent = EventTrigger(
        after={"prefect.flow-run.heartbeat"},
        expect={"prefect.flow-run.*"},
        match=ResourceSpecification(RUNS),
        match_related=ResourceSpecification(OURS),
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=WITHOUT_HEARTBEAT,
    )
    crashed = EventTrigger(
        expect={"prefect.flow-run.Crashed"},
        match=ResourceSpecification(RUNS),
        match_related=ResourceSpecification(OURS),
        for_each={"prefect.resource.id"},
        posture=Posture.Reactive,
        threshold=1,
        within=datetime.timedelta(0),
    )
    dead = ChangeFlowRunState(
        state=StateType.CRASHED, name="Crashed", message="no heartbeat: its process or machine died"
    )
    again = ChangeFlowRunState(state=StateType.SCHEDULED, name="AwaitingRetry", message="taken up again after a crash")
    return [
        Automation(
            name="kensa: no heartbeat", description="Marks runs whose machine died.", trigger=silent, actions=[dead]
        ),
        Automation(
            name="kensa: take up again", description="Schedules crashed runs anew.", trigger=crashed, actions=[again]
        ),
    ]


def ensure() -> None:
    """Create both, or replace those of the same name; run again, nothing doubles."""
    for wanted in automations():
        try:
            known = Automation.read(name=wanted.name)
        except ValueError:  # none of that name yet
            wanted.create()
            continue
        wanted.id = known.id
        wanted.update()


if __name__ == "__main__":
    ensure()
