"""The page of a history: the answer first, names that cannot be markup, and made anew only where something happened."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.histories import line_of, measured, model
from support.releases import stored_release

from tasks.core.authorship import Authorship
from tasks.pages.history import HISTORY_PAGE, render_history, standing, write_history
from tasks.registry.champion import promote
from tasks.registry.journal import Entry

BACK = Entry(event="rolled back", subject="v4", key="x", when="2026-01-20T08:00:00+00:00", by="M. Sato")
NOT_SHOWN = model(4, difference=measured(0.01, 0.02))
RECALIBRATED = replace(NOT_SHOWN, status="recalibrated")


@pytest.mark.parametrize(
    ("changes", "word", "title"),
    [
        ({}, "better", "✓ Better: v4 replaced v3"),
        ({"moved": BACK}, "back", "▲ Rolled back to v4"),
        ({"waiting": "v5"}, "waiting", "▲ v5 waits for approval"),
        ({"champion": None}, "none", "No champion yet"),
        ({"models": (NOT_SHOWN,), "reigns": ()}, "person", "▲ A person promoted v4"),
        (
            {"models": (RECALIBRATED,), "reigns": ()},
            "threshold",
            "▲ v4: another threshold",
        ),
        ({"models": (replace(NOT_SHOWN, against=None),), "reigns": ()}, "first", "✓ v4 is the first champion"),
    ],
)
def test_the_answer_stands_first(changes, word, title):
    history = line_of(4, **changes)
    assert standing(history) == word
    assert f"<h1>{title}</h1>" in render_history(history, "en")


def test_the_newest_model_stands_first_and_older_ones_are_drawn_no_more():
    page = render_history(line_of(30), "en")
    rows = page.partition('<section id="models">')[2]
    assert rows.index(">v30<") < rows.index(">v29<") < rows.index(">v1<")
    assert "Older models that are not drawn: 6." in page


def test_labels_drift_and_decisions_are_told():
    page = render_history(line_of(4), "en", {"v4": "releases/v4/report.html"})
    assert '<a href="releases/v4/report.html">v4</a>' in page
    assert "Where labels came last (v4): false alarms 7.0\u202f%, escapes 15.0\u202f%." in page
    assert "Drift, last verdict: watch (2026-02-04 09:00 UTC)." in page
    assert "false alarms on lot 7" in page
    assert "6 / 40; 7.1\u202f%–29.2\u202f%" in page


def test_names_are_escaped_and_japanese_is_japanese():
    hostile = model(1, source="<script>alert(1)</script>", people="<b>bold</b>")
    page = render_history(line_of(1, models=(hostile,)), "ja")
    assert "<script" not in page
    assert "<b>bold" not in page
    assert "モデルの履歴" in page


def test_a_line_without_models_has_a_page():
    page = render_history(line_of(1, models=(), reigns=(), champion=None, moved=None, observations=()), "en")
    assert "No champion yet" in page
    assert "<img" not in page


def test_the_page_is_written_anew_only_where_something_happened(tmp_path):
    stored_release(tmp_path, "v1")
    promote(tmp_path, "v1", Authorship("line", "by the gate: the first of its line"))
    page = tmp_path / HISTORY_PAGE
    write_history(tmp_path, page)
    assert 'href="releases/v1/report.html"' in page.read_text()
    page.write_text(page.read_text().replace("<main>", "<main><!-- kept -->"))
    write_history(tmp_path, page)
    assert "<!-- kept -->" in page.read_text()
    write_history(tmp_path, page, "ja")
    assert "<!-- kept -->" not in page.read_text()
