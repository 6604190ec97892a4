"""A reviewer at work in a real browser, by keyboard alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.browser import browser, page  # noqa: F401  # fixtures
from support.reviewing import SCRIPT, TOKEN, open_session, served_review

from tasks.data.listing import DECIDED_FILE
from tasks.review.decisions import decisions_of
from tasks.sources.decided_labels import read_decided

pytestmark = pytest.mark.slow


def test_decide_take_back_name_a_mode_and_send(small_line, hidden, tmp_path, page):  # noqa: F811
    session = open_session(small_line, hidden(each=10, seed=9), tmp_path)

    def at(number: int) -> None:
        page.wait_for_url(f"**/parts/{number}")
        page.wait_for_load_state()

    with served_review(session) as address:
        page.goto(f"{address}/{TOKEN}/")
        at(1)
        page.keyboard.press("2")
        assert page.locator("#answer").inner_text() == "first write your name"
        page.keyboard.type("M. Sato")  # the name's field has the focus
        page.keyboard.press("Escape")
        page.keyboard.press("2")
        at(2)
        page.keyboard.press("g")
        at(3)
        page.keyboard.press("n")
        page.keyboard.type("crack")
        page.keyboard.press("Enter")
        at(4)
        page.keyboard.press("b")
        at(3)
        assert "M. Sato: crack" in page.locator("ol").inner_text()
        page.keyboard.press("u")
        page.get_by_text("M. Sato: taken back").wait_for()
        page.keyboard.press("ArrowLeft")
        at(2)
        assert page.locator("button.stands").get_attribute("data-mode") == "0"
        page.keyboard.press("p")
        page.get_by_text("sent: 2").wait_for()
        script = next(i for i, item in enumerate(session.items, 1) if item.record.id == SCRIPT)
        page.goto(f"{address}/{TOKEN}/parts/{script}")
        assert page.title() == f"Part {script} of {len(session.items)}"
        assert page.locator("h1").inner_text() == SCRIPT
        page.set_viewport_size({"width": 400, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert [one.mode for one in decisions_of(session.artifacts)] == ["2", "0", "crack", None]
    labels = read_decided(Path(session.source) / DECIDED_FILE)
    assert [(one.mode, one.label, one.by) for one in labels] == [("2", "1", "M. Sato"), ("0", "0", "M. Sato")]
    assert page.complaints == []
    assert all(url.startswith((address, "data:")) for url in page.asked)
