"""`kensa journal`: what became of a line's models, and whether the record of it is whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer import Option

from kensa.cli.command import with_examples
from kensa.cli.options import ARTIFACTS, AS_JSON, LINE, line_artifacts
from kensa.cli.terminal import print_table
from tasks.core.text import one_line
from tasks.registry.journal import Entry, Journal
from tasks.registry.journal_events import full_journal, verify_journal

TITLES = ("", "when", "event", "of", "by", "why", "run")
DIGITS = 8  # of a run's id that are printed; --json has all


@with_examples("kensa journal", "kensa journal --line boards --last 5", "kensa journal --verify --json")
def journal(
    verify: bool = Option(False, "--verify", help="Also check that each release names an entry of the journal."),
    last: int | None = Option(None, min=1, metavar="N", help="List the N newest entries.", show_default="all"),
    line: str | None = LINE,
    artifacts: Path = ARTIFACTS,
    as_json: bool = AS_JSON,
) -> None:
    """List what became of a line's models: when, by whom and why.

    The oldest entry comes first. Each entry holds the seal of the one before: one that was changed, removed or moved is
    found, and the exit code is 1. Nothing is changed.
    """
    folder = line_artifacts(line, artifacts)
    read = verify_journal(folder) if verify else full_journal(folder)
    entries = read.entries[-last:] if last else read.entries
    if as_json:
        print(json.dumps(_as_json(read, entries)))
        return
    if not entries:
        print(f"no entries: there are no releases in {folder}; kensa retrain makes the first")
        return
    print_table([_row(entry) for entry in entries], TITLES)
    if read.half:
        print("a process was killed while it wrote the next entry; the next command that writes one mends it")
    if verify:
        print(f"intact: {len(read.entries)} entries, head {read.head[:12]}")


def _as_json(read: Journal, entries: tuple[Entry, ...]) -> dict[str, Any]:
    listed = [{name: value for name, value in vars(entry).items() if name != "key"} for entry in entries]
    return {**read.summary(), "half_written": read.half, "listed": listed}


def _row(entry: Entry) -> list[str]:
    when = "not known" if entry.when is None else f"{entry.when[:16].replace('T', ' ')} UTC"
    run = (entry.run or "")[:DIGITS]
    return [
        str(entry.number),
        when,
        entry.event,
        _subject(entry),
        entry.by or "not known",
        one_line(entry.why or "–"),
        run,
    ]


def _subject(entry: Entry) -> str:
    """The release or draft; of a deletion, how many were deleted."""
    if entry.event == "pruned":
        return f"{len(entry.facts['paths'])} folders and files"
    return entry.subject or "the line"
