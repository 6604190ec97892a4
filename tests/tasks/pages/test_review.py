"""The page of a reviewer: maps, nearest records, a key a decision; tests/kensa/review has it in a browser."""

from __future__ import annotations

import re

from support.decided import decision

from tasks.pages.review import ReviewState, render_review
from tasks.review.choices import mode_choices
from tasks.review.items import Choice, collect_items

STATE = ReviewState(2, 9, 1, 1, "acme/boards", "v1", None, takes_pull_requests=True)


def render(release, language: str = "en", history: tuple = ()) -> str:
    (item,) = collect_items(release, None, None, Choice(most=1))
    return render_review(release, item, mode_choices(release), history, STATE, "n0nce", language)


def test_maps_nearest_records_and_keys(small_release):
    page = render(small_release)
    assert page.count("<img ") == 6, "the part, the mean, three neighbours, what raises the score"
    assert re.findall(r'data-key="(.)"', page) == ["g", "1", "2", "s", "b", "u", "p"]
    assert "Shown because: the label is doubtful." in page
    assert "as a pull request" in page
    assert "send 1 decisions to" in page


def test_the_decision_that_stands_is_marked(small_release):
    page = render(small_release, history=(decision(mode="2", when="2026-01-02T03:04:05+00:00"),))
    assert re.search(r'data-mode="2" data-key="2" class="stands', page)
    assert "M. Sato: 2" in re.sub(r"<[^>]+>", "", page)


def test_in_japanese(small_release):
    page = render(small_release, "ja")
    assert "ラベルが疑わしい" in page
    assert "Shown" not in page
