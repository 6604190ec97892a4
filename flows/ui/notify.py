"""Tells people: on failure, rejection and promotion, through the Prefect block that kensa.toml names."""

from __future__ import annotations

from logging import Logger, LoggerAdapter

import httpx
from prefect.blocks.abstract import NotificationError
from prefect.blocks.core import Block
from prefect.client.schemas.objects import FlowRun, State
from prefect.flows import Flow
from prefect.logging import get_run_logger
from prefect.logging.loggers import flow_run_logger

from flows.service.lines import LINES_FILE, read_lines
from tasks.core.inspection import DriftResult
from tasks.core.results import RetrainResult

# What stands in a message's way: a mistake in kensa.toml, no such block, an address or service that refuses.
REFUSALS = (NotificationError, httpx.HTTPError, OSError, RuntimeError, ValueError)


def send(subject: str, body: str, logger: Logger | LoggerAdapter) -> bool:
    """Send one message; False where no block is configured, or it did not take the message.

    A message that cannot be sent is logged and does not fail the run, whose work is done.
    """
    if not LINES_FILE.exists():
        return False
    try:
        name = read_lines(LINES_FILE).notify
        if name is not None:
            Block.load(name).notify(body=body, subject=subject)
    except REFUSALS as error:
        logger.warning("%s: the notification %r was not sent: %s", LINES_FILE, subject, error)
        return False
    return name is not None


def send_result(outcome: RetrainResult) -> None:
    """On promotion and rejection; a run that found nothing new stays silent."""
    if outcome.status == "unchanged":
        return
    source = f"{outcome.train['source']}@{outcome.train['revision'][:12]}"
    figure = f"pair AUROC {outcome.metrics['auroc']:.3f}"
    told = "; ".join(outcome.reasons)
    if outcome.status == "released":
        told = f"{outcome.release} is champion"
        told += f", {outcome.comparison['verdict']}" if outcome.comparison else ""
    body = f"{source}: {told}; {figure}; {outcome.path}/report.html"
    send(f"Kensa {outcome.status}: {source}", body, get_run_logger())


def send_drift(found: DriftResult, line: str) -> None:
    """On a drift alone: what is steady or to be watched stands in the UI."""
    if found.status != "drifted":
        return
    clear = [f"{chart.title} of mode {chart.mode}" if chart.mode else chart.title for chart in found.significant_charts]
    body = f"{found.source}@{found.revision[:12]}: {', '.join(clear) or 'cells'}, against {found.release}; {found.page}"
    send(f"Kensa: {line} drifted", body, get_run_logger())


def send_failure(flow: Flow, flow_run: FlowRun, state: State) -> None:
    """Prefect's hook on failure; it hands over its arguments by these names."""
    subject, body = f"Kensa {state.name.lower()}: {flow_run.name}", f"{flow_run.name}: {state.message}"
    send(subject, body, flow_run_logger(flow_run, flow))
