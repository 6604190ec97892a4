"""The record of a finished retraining, and the hooks that take it to other systems.

A hook is chosen by what is configured and importable, when a run has ended and everything that it made is in its place:
one that fails, or does not come back, is reported, and fails nothing.
"""

from __future__ import annotations

import datetime
import importlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from logging import Logger, LoggerAdapter
from pathlib import Path
from typing import Protocol

from tasks.core.json_form import Json
from tasks.core.results import RetrainResult
from tasks.core.text import one_line

HOOK_SECONDS = 30.0  # that a hook may take
HOOKS = ("flows.trackers.openlineage:configured_hook",)  # of each system: the hook, or None where it is not asked for


@dataclass(frozen=True)
class RunSource:
    """A dataset that a run has read. kind: as in PinnedSource."""

    source: str
    kind: str
    revision: str


@dataclass(frozen=True)
class FinishedRun:
    """A retraining that has made a release or a rejected draft.

    run: Prefect's id; status: released, candidate or rejected; release: its name, None for a draft; folder: of the
    release or draft; began, ended: UTC.
    """

    run: str
    line: str | None
    status: str
    release: str | None
    folder: Path
    sources: tuple[RunSource, ...]
    metrics: Json
    began: datetime.datetime
    ended: datetime.datetime

    @classmethod
    def of(cls, result: RetrainResult, run: str, line: str | None, began: datetime.datetime) -> FinishedRun:
        """The record of a result that is not `unchanged`."""
        return cls(
            run=run,
            line=line,
            status=result.status,
            release=result.release,
            folder=Path(result.path).resolve(),
            sources=tuple(each for source in (result.train, result.test) if source for each in _each_source(source)),
            metrics=result.metrics,
            began=began,
            ended=datetime.datetime.now(datetime.UTC),
        )


def _each_source(source: Json) -> list[RunSource]:
    """A source, or each of several that are read as one."""
    return [RunSource(each["source"], each["kind"], each["revision"]) for each in source.get("sources") or [source]]


class Hook(Protocol):
    """Takes a finished run to another system; may raise anything."""

    name: str

    def send(self, run: FinishedRun) -> None:
        """Tell the system of the run."""


def send_finished(run: FinishedRun, logger: Logger | LoggerAdapter) -> None:
    """Give the run to every hook that is configured; what goes wrong is a warning in the run's log."""
    for address in HOOKS:
        module, _, function = address.partition(":")
        problem = _call(module, function, run)
        if problem:
            logger.warning("%s was not told of this run: %s", module.rpartition(".")[2], problem)


def _hand_over(module: str, function: str, run: FinishedRun) -> None:
    make: Callable[[], Hook | None] = getattr(importlib.import_module(module), function)
    hook = make()
    if hook is not None:
        hook.send(run)


def _call(module: str, function: str, run: FinishedRun) -> str | None:
    """Why it failed, None where it did not; in a thread that is left to itself where it takes too long."""
    problems: list[str] = []

    def guarded() -> None:
        try:
            _hand_over(module, function, run)
        except Exception as error:  # whatever a stranger's client raises must not fail the run
            problems.append(f"{type(error).__name__}: {one_line(error)}")

    thread = threading.Thread(target=guarded, name="tracker", daemon=True)
    thread.start()
    thread.join(HOOK_SECONDS)
    if thread.is_alive():
        return f"expected an answer within {HOOK_SECONDS:g} s, found none"
    return problems[0] if problems else None
