"""Five questions about a run, each answered within two clicks from the list of runs, on a screen and on a phone."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from support.project import ROOT

pytestmark = pytest.mark.slow
MOST_CLICKS = 2
WHOLE = "one => one.scrollWidth <= one.clientWidth || getComputedStyle(one).overflow === 'visible'"


@dataclass
class Visitor:
    """A person at the list of runs, whose clicks are counted."""

    page: object
    clicks: int = 0

    def click(self, element):
        """One click on what can be seen."""
        element.click()
        self.clicks += 1

    def reads(self, text, place):
        """Whether the text can be seen in this part of the page, without anything of it cut off."""
        shown = place.get_by_text(text).first
        self._scroll_to(shown)
        shown.wait_for()
        assert shown.is_visible()
        assert shown.evaluate(WHOLE), text

    def _scroll_to(self, text):
        """Turn the wheel until the text is there: the log holds only the lines near those that are shown."""
        self.page.mouse.move(self.page.viewport_size["width"] / 2, 900)
        for _ in range(40):
            if text.count():
                break
            self.page.mouse.wheel(0, 300)
            self.page.wait_for_timeout(200)


@pytest.fixture(scope="module")
def answers(boards):
    """What a person looks for about the second run of `boards`, which was rejected: by question, its answer's place."""
    done, sha = boards.again, boards.sha
    return {
        "What ran?": (f"boards@{sha[:7]} notebook", "list"),
        "On what data?": (f"On what data: acme/boards at {sha[:12]}, 600 records of 3 modes", "log"),
        "What changed in the data?": ("What changed in the data: nothing, since v1", "log"),
        "What changed in the settings?": ("What changed in the settings: gate.beat_raw_by 0.0 → 0.5", "log"),
        "Was it promoted?": ("Rejected", "list"),
        "Why not?": (f"Why not: {done.told['reasons'][0]}", "log"),
    }


def test_each_question_is_answered_within_two_clicks(page, server, boards, answers):
    clicks = count_clicks(page, server, boards, answers)
    assert max(clicks.values()) <= MOST_CLICKS
    table = (ROOT / "docs" / "ui.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| ([A-Z][^|]+\?) \|[^|]+\| (\d) \|$", table, re.M))
    assert documented == {question: str(count) for question, count in clicks.items()}, "docs/ui.md says so"


def test_so_it_is_on_a_phone(page, server, boards, answers):
    """But for the name, which the list cuts off there; the log has it whole."""
    page.set_viewport_size({"width": 400, "height": 1000})
    whole = {"What ran?": ("What ran: a retraining, preset notebook: rejected", "log")}
    assert max(count_clicks(page, server, boards, answers | whole).values()) <= MOST_CLICKS


def count_clicks(page, server, boards, answers):
    """Looks for each answer, from the list of runs on."""
    clicks = {}
    for question, (answer, place) in answers.items():
        page.goto(f"{server.url}/v2/runs")
        visitor = Visitor(page)
        run = page.locator(f"a[href*='{boards.again.run_id}']").first
        run.wait_for()
        if place == "log":
            visitor.click(run)
            visitor.reads(answer, page)
        else:
            visitor.reads(answer, run.locator("xpath=ancestor::*[contains(., 'Task runs')][1]"))
        clicks[question] = visitor.clicks
    return clicks
