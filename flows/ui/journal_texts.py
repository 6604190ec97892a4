"""The last entries of a line's journal as an artifact of each run that may have added one."""

from __future__ import annotations

from pathlib import Path

from prefect.artifacts import create_markdown_artifact
from prefect.runtime import flow_run

from flows.ui.markdown import markdown_table
from tasks.core.authorship import Authorship
from tasks.core.text import escape_markdown
from tasks.registry.journal import Entry, Journal
from tasks.registry.journal_events import full_journal
from tasks.report.translation import translator

LAST = 10  # entries
MOST_LETTERS = 240  # of a reason
HEADS = ("when", "event", "of", "by", "why")


def author_of_run(by: str | None, reason: str | None) -> Authorship:
    """Who asked for the present run, and why; raises BadSetting for too long a text."""
    return Authorship.of(by, reason, flow_run.get_id())


def publish_journal(artifacts: Path, line: str | None, language: str = "en") -> None:
    """Show the newest entries of a line, the last one first; raises DamagedJournal."""
    description = "The journal" if line is None else f"{line}: the journal"
    key = "journal" if line is None else f"journal-{line}"
    create_markdown_artifact(journal_text(full_journal(artifacts), language), key=key, description=description)


def journal_text(journal: Journal, language: str = "en") -> str:
    """A row for each of the last entries, and the head."""
    say = translator(language)
    rows = [_cells(entry, language) for entry in journal.entries[::-1][:LAST]]
    text = say("{count} entries in all, head `{head}`. `kensa journal --verify` checks them.")
    table = markdown_table([say(head) for head in HEADS], rows, "lllll")
    return f"{table}\n\n{text.format(count=len(journal.entries), head=journal.head[:12])}"


def _cells(entry: Entry, language: str) -> list[str]:
    say = translator(language)
    when = say("not known") if entry.when is None else f"{entry.when[:16].replace('T', ' ')} UTC"
    why = entry.why if len(entry.why) <= MOST_LETTERS else f"{entry.why[: MOST_LETTERS - 1]}…"
    cells = (when, f"**{say(entry.event)}**", entry.subject, entry.by or say("not known"), why or "–")
    return [cells[0], cells[1], *map(escape_markdown, cells[2:])]
