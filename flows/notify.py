"""Tells people: on failure, rejection and promotion, through the Prefect block that kensa.toml names."""

from __future__ import annotations

from prefect.blocks.abstract import NotificationError
from prefect.blocks.core import Block
from prefect.client.schemas.objects import FlowRun, State
from prefect.flows import Flow
from prefect.logging import get_logger

from tasks.handover import Outcome
from tasks.lines import FILE, read_lines


def send(subject: str, body: str) -> bool:
    """Send one message; False where no block is configured, or it did not take the message.

    A message that cannot be sent is logged and does not fail the run, whose work is done.
    """
    name = read_lines(FILE).notify if FILE.exists() else None
    if name is None:
        return False
    try:
        Block.load(name).notify(body=body, subject=subject)
    except (NotificationError, ValueError, OSError) as error:
        get_logger("flow_runs").warning("notification block %s did not take the message: %s", name, error)
        return False
    return True


def ended(outcome: Outcome) -> None:
    """On promotion and rejection; a run that found nothing new stays silent."""
    if outcome.status == "unchanged":
        return
    source = f"{outcome.train['source']}@{outcome.train['revision'][:12]}"
    figure = f"pair AUROC {outcome.metrics['auroc']:.3f}"
    told = f"{outcome.release} is champion" if outcome.status == "released" else "; ".join(outcome.reasons)
    send(f"Kensa {outcome.status}: {source}", f"{source}: {told}; {figure}; {outcome.path}/report.html")


def failed(flow: Flow, flow_run: FlowRun, state: State) -> None:
    """Prefect's hook on failure; it hands over its arguments by these names."""
    send(f"Kensa {state.name.lower()}: {flow_run.name}", f"{flow_run.name}: {state.message}")
