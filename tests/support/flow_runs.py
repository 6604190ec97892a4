"""Flows that run in the test's own process, in a place and on the session's server: no imports to wait for."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import Flow
from prefect.settings import PREFECT_API_URL, temporary_settings


@dataclass(frozen=True)
class FlowRun:
    """A run that has ended: its id, what it wrote to stderr, its result, or the error that failed it."""

    id: str
    err: str
    result: Any = None
    error: Exception | None = None


@contextlib.contextmanager
def in_place(folder: Path, server: Any) -> Iterator[None]:
    """Flows that are called inside read and write in `folder`, and the server keeps their runs."""
    with contextlib.chdir(folder), temporary_settings({PREFECT_API_URL: f"{server.url}/api"}):
        yield


def run_flow(flow: Flow, *arguments: Any, **parameters: Any) -> FlowRun:
    """Run a flow to its end."""
    with contextlib.redirect_stderr(io.StringIO()) as stderr:
        state = flow(*arguments, return_state=True, **parameters)
    run, err = str(state.state_details.flow_run_id), stderr.getvalue()
    try:
        return FlowRun(run, err, result=state.result())
    except Exception as error:
        return FlowRun(run, err, error=error)
