"""The newest models of a line as an artifact of each run that may have changed its history, and the page of all."""

from __future__ import annotations

from pathlib import Path

from prefect.artifacts import create_markdown_artifact

from flows.ui.markdown import markdown_table
from flows.ui.page_links import page_url
from tasks.core.text import escape_markdown
from tasks.pages.history import HISTORY_PAGE, write_history
from tasks.report.history import LineHistory, Measured, Model
from tasks.report.translation import Translate, translator

LAST = 5  # models
HEADS = ("model", "what became of it", "escapes", "false alarms", "minus the champion")


def publish_history(artifacts: Path, line: str | None, language: str = "en") -> None:
    """Write the page of a line's history, and show its newest models with a link; raises DamagedJournal."""
    page = artifacts / HISTORY_PAGE
    history = write_history(artifacts, page, language)
    address = page_url(page)
    link = f"[{HISTORY_PAGE}]({address})" if address else f"`{page}`"
    description = "History of the models" if line is None else f"{line}: history of the models"
    key = "history" if line is None else f"history-{line}"
    create_markdown_artifact(history_text(history, link, language), key=key, description=description)


def history_text(history: LineHistory, link: str, language: str = "en") -> str:
    """A row for each of the newest models, and where the page is."""
    say = translator(language)
    rows = [_cells(model, history.champion, say) for model in history.models[::-1][:LAST]]
    table = markdown_table([say(head) for head in HEADS], rows, "llrrr")
    text = say("All {count} models, with their picture: {link}").format(count=len(history.models), link=link)
    return f"{table}\n\n{text}"


def _cells(model: Model, champion: str | None, say: Translate) -> list[str]:
    status = f"**{say('champion')}**" if model.name == champion else say(model.status)
    people = f", {escape_markdown(model.people)}" if model.people else ""
    rates = [_share(entry) for entry in (model.escapes, model.false_alarms)]
    ends = model.difference.interval
    span = "" if ends is None else f" [{ends[0]:+.3f}, {ends[1]:+.3f}]"
    difference = "–" if model.difference.value is None else f"{model.difference.value:+.3f}{span}"
    return [model.name, f"{status}{people}", *rates, difference]


def _share(entry: Measured) -> str:
    return "–" if entry.value is None else f"{entry.value:.1%}"
