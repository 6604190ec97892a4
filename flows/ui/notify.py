"""Notifies people of failure, rejection, promotion and drift, through the Prefect block that kensa.toml names."""

from __future__ import annotations

from logging import Logger, LoggerAdapter
from pathlib import Path

import httpx
from prefect.blocks.abstract import NotificationError
from prefect.blocks.core import Block
from prefect.client.schemas.objects import FlowRun, State
from prefect.flows import Flow
from prefect.logging import get_run_logger
from prefect.logging.loggers import flow_run_logger

from flows.service.lines import LINES_FILE, read_lines
from flows.ui.page_links import page_url
from tasks.core.inspection import DriftResult
from tasks.core.results import RetrainResult
from tasks.report.notice import DETECTION_UNKNOWN

# Why a message cannot be sent: a mistake in kensa.toml, no such block, an address or service that refuses it.
SEND_ERRORS = (NotificationError, httpx.HTTPError, OSError, RuntimeError, ValueError)


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
    except SEND_ERRORS as error:
        logger.warning("%s: the notification %r was not sent: %s", LINES_FILE, subject, error)
        return False
    return name is not None


def send_result(result: RetrainResult) -> None:
    """On promotion and rejection; a run that found nothing new stays silent."""
    if result.status == "unchanged":
        return
    source = f"{result.train['source']}@{result.train['revision'][:12]}"
    reasons = "; ".join(result.reasons)
    if result.status == "released":
        comparison = f", {result.comparison['verdict']}" if result.comparison else ""
        reasons = f"{result.release} is champion{comparison}"
    if result.status == "candidate":
        reasons = f"{result.release} waits for approval: kensa approve {result.release}"
    rates = f"{result.comparison['rates']}; " if result.comparison and result.comparison.get("escapes") else ""
    report = page_url(Path(result.path) / "report.html") or f"{result.path}/report.html"
    auroc = result.metrics.get("auroc")
    quality = DETECTION_UNKNOWN if auroc is None else f"verification AUROC {auroc:.3f}"
    body = f"{source}: {rates}{reasons}; {quality}; {report}"
    send(f"Kensa {result.status}: {source}", body, get_run_logger())


def send_drift(result: DriftResult, line: str) -> None:
    """On a drift; the states steady and watch are shown in the UI only."""
    if result.status != "drifted":
        return
    series = result.remarkable_days if result.day > 1 else result.significant_charts
    charts = [f"{entry.title} of mode {entry.mode}" if entry.mode else entry.title for entry in series]
    source = f"{result.source}@{result.revision[:12]}"
    page = page_url(Path(result.page)) or result.page
    body = f"{source}: {', '.join(charts) or 'cells'}, against {result.release}; {page}"
    send(f"Kensa: {line} drifted", body, get_run_logger())


def send_failure(flow: Flow, flow_run: FlowRun, state: State) -> None:
    """Prefect's hook on failure; it hands over its arguments by these names."""
    subject, body = f"Kensa {state.name.lower()}: {flow_run.name}", f"{flow_run.name}: {state.message}"
    send(subject, body, flow_run_logger(flow_run, flow))
