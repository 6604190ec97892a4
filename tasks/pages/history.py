"""The page of a line's history: is it getting better? One picture of all models, and the tables behind it."""

from __future__ import annotations

import os
from pathlib import Path

from tasks.core.files import digest_of, ensure_writable, write_text
from tasks.core.json_form import Json
from tasks.pages.templating import environment
from tasks.report.history import LineHistory, Model, line_history

HISTORY_PAGE = "history.html"
FORM = 1  # of the page; a higher one makes every page anew
MAX_ROWS = 200  # of each table
MAX_DECISIONS = 30


def write_history(artifacts: Path, page: Path, language: str = "en") -> LineHistory:
    """Write the page of the releases in a folder, unless it is there and nothing happened since.

    Raises DamagedJournal, and UnusableFolder where the page cannot be written.
    """
    history = line_history(artifacts)
    mark = history_mark(history, language)
    if not _is_marked(page, mark):
        ensure_writable(page.parent)
        write_text(page, render_history(history, language, _reports(artifacts, page), mark))
    return history


def history_mark(history: LineHistory, language: str) -> str:
    """The digest by which a page is known to show this history."""
    return digest_of("history", FORM, language, history.as_json())[:32]


def _is_marked(page: Path, mark: str) -> bool:
    try:
        return f'name="kensa-history" content="{mark}"' in page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def _reports(artifacts: Path, page: Path) -> dict[str, str]:
    """The report of each release and draft by its name, as an address relative to the page."""
    paths = [*(artifacts / "releases").glob("v*/report.html"), *(artifacts / "drafts").glob("*/report.html")]
    folder = page.parent.resolve()
    return {
        path.parent.name if path.parent.name.startswith("v") else path.parent.name[:8]: Path(
            os.path.relpath(path.resolve(), folder)
        ).as_posix()
        for path in paths
    }


def render_history(history: LineHistory, language: str, reports: dict[str, str] | None = None, mark: str = "") -> str:
    """The page as HTML text; reports: addresses by the model's name."""
    picture = None
    if history.models:
        from tasks.report.history_chart import MAX_MODELS, history_chart  # matplotlib

        picture = history_chart(history)
    champion = history.model(history.champion)
    return (
        environment(language)
        .get_template("history.html")
        .render(
            history=history,
            champion=champion,
            standing=standing(history),
            better=sum(model.is_better for model in history.since_champion),
            picture=picture,
            hidden=max(0, len(history.models) - MAX_MODELS) if picture else 0,
            models=history.models[::-1][:MAX_ROWS],
            decisions=history.decisions[:MAX_DECISIONS],
            labelled=_newest(history, "labels"),
            drift=_newest(history, "drift"),
            reports=reports or {},
            mark=mark,
            language=language,
        )
    )


def _newest(history: LineHistory, kind: str) -> list[Json]:
    """The observations of a kind, the newest first."""
    return [vars(entry) for entry in history.observations[::-1] if entry.kind == kind][:MAX_ROWS]


def standing(history: LineHistory) -> str:
    """The answer in one word: `none`, `waiting`, `back`, `person`, `better`, `threshold`, `enrolled` or `first`.

    `back`: the last move was a rollback; `person`: a person promoted the champion though it was not shown to be better.
    """
    champion = history.model(history.champion)
    if history.waiting is not None:
        return "waiting"
    if champion is None:
        return "none"
    if history.moved is not None and history.moved.event == "rolled back":
        return "back"
    if champion.status in ("recalibrated", "enrolled"):
        return {"recalibrated": "threshold"}.get(champion.status, champion.status)
    return _how_promoted(champion)


def _how_promoted(champion: Model) -> str:
    if champion.is_better:
        return "better"
    return "first" if champion.against is None else "person"
