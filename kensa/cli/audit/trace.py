"""`kensa trace`: every verdict on a part, by which release, on what evidence; and what people decided about it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typer import Argument

from kensa.cli.command import with_examples
from kensa.cli.options import ARTIFACTS, AS_JSON, LINE, line_artifacts
from kensa.cli.terminal import print_table
from tasks.core.errors import UnknownSource
from tasks.core.text import one_line
from tasks.registry.journal_events import full_journal

if TYPE_CHECKING:
    from tasks.scoring.traces import TracedVerdict  # pyarrow, which the help must not wait for

DECIDED = "label decided"  # the journal's event
TITLES = ("time", "verdict", "release", "mode", "score", "threshold", "margin", "source", "row")


@with_examples("kensa trace SN-0017 --line boards", "kensa trace monday.csv:17 --json")
def trace(
    part: str = Argument(metavar="PART", help="Name of the part, as in the column part of the verdicts."),
    line: str | None = LINE,
    artifacts: Path = ARTIFACTS,
    as_json: bool = AS_JSON,
) -> None:
    """Tell every verdict on a part, by which release, and on what evidence.

    The verdicts are those that kensa score, its deployment and kensa serve --keep gave. What people decided
    about the part's label in kensa review follows.
    """
    from tasks.scoring.traces import trace as find

    folder = line_artifacts(line, artifacts)
    verdicts = find(folder, part)
    decided = [entry for entry in full_journal(folder).entries if (entry.event, entry.subject) == (DECIDED, part)]
    if not verdicts and not decided:
        raise UnknownSource(f"{part}: expected a part with a verdict in {folder}, found none; see the column part")
    if as_json:
        decisions = [{"time": entry.when, "by": entry.by, "change": entry.why} for entry in decided]
        verdicts_told = [_as_json(entry) for entry in verdicts]
        print(json.dumps({"part": part, "verdicts": verdicts_told, "decisions": decisions}))
        return
    print(f"{one_line(part)}: {len(verdicts)} verdict{'s' * (len(verdicts) != 1)}")
    if verdicts:
        print_table([_row(entry) for entry in verdicts], TITLES)
    for entry in verdicts:
        if entry.evidence.seen_in:
            print(f"{entry.verdict['release']} had it among its {entry.evidence.seen_in} records")
    for decision in decided:
        when = (decision.when or "")[:16].replace("T", " ")
        print(f"{when} UTC  {one_line(decision.by or '')} decided its label: {one_line(decision.why)}")


def _as_json(entry: TracedVerdict) -> dict[str, Any]:
    verdict = entry.verdict | {"time": entry.verdict["time"].isoformat()}
    return {**verdict, "source": entry.source, "revision": entry.revision, "evidence": asdict(entry.evidence)}


def _row(entry: TracedVerdict) -> list[str]:
    verdict, evidence = entry.verdict, entry.evidence
    threshold = "unknown" if evidence.threshold is None else f"{evidence.threshold:.4g} ({evidence.rule})"
    numbers = f"{verdict['score']:.4g}", threshold, f"{verdict['margin']:.4g}"
    when = f"{verdict['time']:%Y-%m-%d %H:%M} UTC"
    release = f"{verdict['release']} ({verdict['digest']})"
    source = one_line(f"{entry.source}@{entry.revision[:12]}")
    return [when, verdict["verdict"], release, one_line(verdict["mode"]), *numbers, source, str(verdict["row"])]
