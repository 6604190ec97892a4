"""What there is of each product line: its champion with its age, the last retraining, the dataset versions."""

from __future__ import annotations

import datetime
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from flows.health.checks import Check, ask_server
from flows.service.ledger import Ledger
from flows.service.lines import FactoryConfig, ProductLine
from flows.service.server import PrefectServer
from tasks.core.errors import KensaError
from tasks.registry.pointer import champion_state
from tasks.registry.releases import get_release

FLOW = "retrain"
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
MOST_RUNS = 200
NOT_TRAINED = "Not trained"  # the state of a run for a dataset version that was done, or is older than another
BAD_ENDS = ("failed", "crashed")


@dataclass(frozen=True)
class Retraining:
    """How the last retraining of a line ended: the state's name in small letters, its message, and when."""

    outcome: str
    message: str
    ended: datetime.datetime


@dataclass(frozen=True)
class LineStatus:
    """A line: the champion with its time, the last retraining, and the dataset versions by state.

    `problem` says why the champion cannot be told.
    """

    name: str
    champion: str | None = None
    created: datetime.datetime | None = None
    last: Retraining | None = None
    versions: dict[str, int] = field(default_factory=dict)
    problem: str = ""


def line_status(line: ProductLine, last: Retraining | None, versions: dict[str, int]) -> LineStatus:
    """The status of one line, with its last retraining and its dataset versions by state."""
    try:
        champion, created = _champion(line.config.artifacts_path)
    except KensaError as error:
        return LineStatus(line.name, last=last, versions=versions, problem=str(error))
    return LineStatus(line.name, champion, created, last, versions)


def _champion(artifacts: Path) -> tuple[str | None, datetime.datetime | None]:
    """Its name and the time at which it was made; its files are not verified, which takes longer."""
    name = champion_state(artifacts).champion
    created = name and get_release(artifacts, name).manifest.created
    return name, datetime.datetime.fromisoformat(created) if created else None


def last_retrainings(server: PrefectServer | None) -> dict[str, Retraining]:
    """The run of each line that ended last, among the newest MOST_RUNS; none without a server.

    Runs that found nothing to train do not count. Raises ServerUnreachable.
    """
    if server is None:
        return {}
    ended = {"state": {"type": {"any_": ENDED}}}
    body = {"flows": {"name": {"any_": [FLOW]}}, "flow_runs": ended, "sort": "END_TIME_DESC", "limit": MOST_RUNS}
    last: dict[str, Retraining] = {}
    for run in ask_server(server, "flow_runs/filter", body).json():
        line, state = run["parameters"].get("line"), run["state"]
        if line and state["name"] != NOT_TRAINED:
            time = datetime.datetime.fromisoformat(run["end_time"] or state["timestamp"])
            last.setdefault(line, Retraining(state["name"].lower(), state["message"] or "", time))
    return last


def count_versions(lines: FactoryConfig, folder: Path) -> dict[str, dict[str, int]]:
    """How many dataset versions each line has in each state of the ledger; none without a ledger."""
    if not (folder / "ledger.sqlite").exists():
        return {}
    counts: dict[str, Counter[str]] = {name: Counter() for name in lines.by_name}
    for version in Ledger(folder, lines.tries).versions():
        if version.line in counts:
            counts[version.line][version.state] += 1
    return {name: dict(states) for name, states in counts.items()}


def check_line(status: LineStatus) -> Check:
    """The line in one sentence, and what to do where its last retraining failed or its champion cannot be read."""
    name = f"line {status.name}"
    if status.problem:
        return Check(name, "failed", status.problem, "see docs/production.md on backups")
    state = f"champion {status.champion or 'none yet'}{_age(status.created)}"
    if status.last is None:
        return Check(name, "ok", f"{state}; no retraining has ended yet")
    state += f"; last retraining {status.last.outcome}{_age(status.last.ended)}"
    if status.last.outcome in BAD_ENDS:
        return Check(
            name, "warning", f"{state}: {status.last.message}", "see the run's log in the UI, then run it anew"
        )
    return Check(name, "ok", state)


def _age(time: datetime.datetime | None) -> str:
    if time is None:
        return ""
    hours = (datetime.datetime.now(datetime.UTC) - time).total_seconds() / 3600
    return f", {hours / 24:.0f} days ago" if hours > 48 else f", {hours:.1f} h ago"
