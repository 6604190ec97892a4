"""The records of a finished retraining and of a moved champion, and the hooks that take them to other systems.

A hook is chosen by what is configured and importable, when a run has ended and everything that it made is in its place:
one that fails, or does not come back, is reported, and fails nothing.
"""

from __future__ import annotations

import datetime
import importlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tasks.config.run import ARTIFACTS_FOLDER
from tasks.core.errors import UnknownRelease
from tasks.core.json_form import Json
from tasks.core.results import PinnedSource, RetrainResult
from tasks.core.text import one_line
from tasks.registry.pointer import champion_state
from tasks.registry.releases import get_release

Send = Callable[[Any], None]  # what is done with a hook
Warn = Callable[[str], Any]  # takes what went wrong

HOOK_SECONDS = 60.0  # that a hook may take
# Of each system: what makes its hook, or None where it is not asked for.
HOOKS = (
    "flows.trackers.openlineage:configured_hook",
    "flows.trackers.mlflow:configured_hook",
    "flows.trackers.tensorboard:configured_hook",
)
CHAMPION_HOOKS = ("flows.trackers.mlflow:configured_hook",)


@dataclass(frozen=True)
class RunSource:
    """A dataset that a run has read. kind: as in PinnedSource."""

    source: str
    kind: str
    revision: str


@dataclass(frozen=True)
class FinishedRun:
    """A retraining that has made a release or a rejected draft, or that failed.

    run: Prefect's id; status: released, candidate, rejected or failed; release: its name, None for a draft; folder: of
    the release or draft; train: the training source as it was asked for; sources: those that were pinned; began, ended:
    UTC; error: why it failed. A failed run has neither release nor folder nor metrics.
    """

    run: str
    line: str | None
    status: str
    release: str | None
    folder: Path | None
    train: str
    sources: tuple[RunSource, ...]
    metrics: Json
    began: datetime.datetime
    ended: datetime.datetime
    error: str | None = None

    @classmethod
    def of(cls, result: RetrainResult, run: str, line: str | None, began: datetime.datetime) -> FinishedRun:
        """The record of a result that is not `unchanged`."""
        return cls(
            run=run,
            line=line,
            status=result.status,
            release=result.release,
            folder=Path(result.path).resolve(),
            train=result.train["source"],
            sources=tuple(each for source in (result.train, result.test) if source for each in _each_source(source)),
            metrics=result.metrics,
            began=began,
            ended=datetime.datetime.now(datetime.UTC),
        )

    @classmethod
    def failed(
        cls,
        error: Exception,
        train: str,
        sources: Sequence[PinnedSource],
        run: str,
        line: str | None,
        began: datetime.datetime,
    ) -> FinishedRun:
        """The record of a run that this error ended; sources: those that were pinned before."""
        pinned = [each for source in sources for each in source.parts or (source,)]
        return cls(
            run=run,
            line=line,
            status="failed",
            release=None,
            folder=None,
            train=sources[0].source if sources else train,
            sources=tuple(RunSource(each.source, each.kind, each.revision) for each in pinned),
            metrics={},
            began=began,
            ended=datetime.datetime.now(datetime.UTC),
            error=f"{type(error).__name__}: {one_line(error)}",
        )


@dataclass(frozen=True)
class MovedChampion:
    """The release that serves now, after a person or a command made it the champion."""

    line: str | None
    folder: Path


def _each_source(source: Json) -> list[RunSource]:
    """A source, or each of several that are read as one."""
    return [RunSource(each["source"], each["kind"], each["revision"]) for each in source.get("sources") or [source]]


def tracked_name(line: str | None, folder: Path | None) -> str:
    """What other systems call a line: `kensa-LINE`; without a line by the folder of its artifacts, else `kensa`."""
    if line is None and folder is not None and (artifacts := folder.parents[1].name) != ARTIFACTS_FOLDER:
        line = artifacts
    return f"kensa-{line}" if line else "kensa"


class Hook(Protocol):
    """Takes a finished run to another system; may raise anything."""

    name: str

    def send(self, run: FinishedRun) -> None:
        """Tell the system of the run."""


class ChampionHook(Hook, Protocol):
    """Takes the champion to another system, too."""

    def send_champion(self, champion: MovedChampion) -> None:
        """Tell the system which release serves now."""


def send_finished(run: FinishedRun, warn: Warn) -> None:
    """Give the run to every hook that is configured; what goes wrong is a warning in the run's log."""
    _give(HOOKS, lambda hook: hook.send(run), "this run", warn)


def send_champion(artifacts: Path, line: str | None, warn: Warn) -> None:
    """Say which release of this folder is champion now; what goes wrong is a warning."""
    _give(CHAMPION_HOOKS, lambda hook: hook.send_champion(_champion(artifacts, line)), "the champion", warn)


def _champion(artifacts: Path, line: str | None) -> MovedChampion:
    version = champion_state(artifacts).champion
    if version is None:
        raise UnknownRelease(f"{artifacts}: expected a champion, found none")
    return MovedChampion(line, get_release(artifacts, version).path.resolve())


def _give(hooks: tuple[str, ...], send: Send, what: str, warn: Warn) -> None:
    for address in hooks:
        module, _, function = address.partition(":")
        if problem := _call(module, function, send):
            warn(f"{module.rpartition('.')[2]} was not told of {what}: {problem}")


def _hand_over(module: str, function: str, send: Send) -> None:
    make: Callable[[], Hook | None] = getattr(importlib.import_module(module), function)
    hook = make()
    if hook is not None:
        send(hook)


def _call(module: str, function: str, send: Send) -> str | None:
    """Why it failed, None where it did not; in a thread that is left to itself where it takes too long."""
    problems: list[str] = []

    def guarded() -> None:
        try:
            _hand_over(module, function, send)
        except Exception as error:  # whatever a stranger's client raises must not fail the run
            problems.append(f"{type(error).__name__}: {one_line(error)}")

    thread = threading.Thread(target=guarded, name="tracker", daemon=True)
    thread.start()
    thread.join(HOOK_SECONDS)
    if thread.is_alive():
        return f"expected an answer within {HOOK_SECONDS:g} s, found none"
    return problems[0] if problems else None
