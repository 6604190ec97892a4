"""A review: its pages, a reviewer's answers, and how they reach the dataset."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from support.releases import reseal
from support.reviewing import SCRIPT, open_session

from kensa.review.session import ReviewSession
from tasks.core.errors import BadSetting, DecidedMeanwhile, NothingToPublish, NothingToReview
from tasks.data.listing import DECIDED_FILE
from tasks.registry.journal_events import full_journal
from tasks.registry.release_files import LABELS_FILE
from tasks.review.decisions import decisions_of
from tasks.review.items import Choice
from tasks.sources.decided_labels import read_decided


@pytest.fixture
def session(small_line, hidden, tmp_path):
    return open_session(small_line, hidden(each=10, seed=9), tmp_path)


def answer(session: ReviewSession, number: int = 1, **changes) -> dict:
    return {"record": session.items[number - 1].key, "mode": "2", "by": "M. Sato", "known": 0} | changes


def test_an_answer_is_kept_and_leads_to_the_next_part(session):
    assert session.first_open() == 1
    assert session.decide(answer(session)) == {"kept": 1, "next": 2}
    assert session.first_open() == 2
    (kept,) = decisions_of(session.artifacts)
    item = session.items[0]
    assert (kept.mode, kept.label, kept.part, kept.new) == ("2", "1", item.record.id, item.new)
    assert (kept.kind, kept.picked) == (item.kind, item.picked)
    last = len(session.items)
    assert session.decide(answer(session, last))["next"] == last


def test_good_has_the_label_of_good_parts_and_a_new_mode_that_of_defects(session):
    session.decide(answer(session, 1, mode="0"))
    session.decide(answer(session, 2, mode="crack  in  glass"))
    assert [(one.mode, one.label) for one in decisions_of(session.artifacts)] == [("0", "0"), ("crack in glass", "1")]


def test_a_decision_is_taken_back(session):
    session.decide(answer(session))
    assert session.decide(answer(session, mode=None, known=1)) == {"kept": 2, "next": 1}
    assert session.first_open() == 1
    with pytest.raises(DecidedMeanwhile, match="took the decision back meanwhile"):
        session.decide(answer(session, by="K. Ito", known=1))


@pytest.mark.parametrize(
    "changes",
    [
        {"by": ""},
        {"by": "x" * 101},
        {"by": "a\x00b"},
        {"by": 3},
        {"mode": " "},
        {"mode": "x" * 101},
        {"mode": ["2"]},
        {"known": -1},
        {"known": True},
        {"known": "0"},
        {"record": "f" * 32},
        {"record": None},
    ],
)
def test_an_answer_of_another_form_changes_nothing(session, changes):
    with pytest.raises(BadSetting, match="expected"):
        session.decide(answer(session, **changes))
    assert decisions_of(session.artifacts) == []


def test_the_page_shows_names_as_text_and_who_decided(session):
    number = next(i for i, item in enumerate(session.items, 1) if item.record.id == SCRIPT)
    session.decide(answer(session, number, by="<i>Sato</i>"))
    page = session.page(number, "n0nce")
    assert page.count("<script") == 1
    assert '<script nonce="n0nce">' in page
    assert "&lt;script&gt;document.title" in page
    assert "&lt;i&gt;Sato&lt;/i&gt;" in page
    assert "decided: 1; not in the dataset yet: 1" in page


def test_the_decisions_reach_the_folder(session):
    with pytest.raises(NothingToPublish):
        session.publish({"by": "M. Sato"})
    session.decide(answer(session))
    told = session.publish({"by": "M. Sato"})
    assert (told["status"], told["labels"]) == ("published", 1)
    (label,) = read_decided(Path(session.source) / DECIDED_FILE)
    assert (label.mode, label.by) == ("2", "M. Sato")
    assert full_journal(session.artifacts).entries[-1].event == "labels published"
    with pytest.raises(BadSetting, match="found a folder"):
        session.publish({"by": "M. Sato", "pull_request": True})
    with pytest.raises(BadSetting, match="true or false"):
        session.publish({"by": "M. Sato", "pull_request": "yes"})


def test_in_japanese(small_line, hidden, tmp_path):
    page = open_session(small_line, hidden(each=10, seed=9), tmp_path, "ja").page(1, "n0nce")
    assert "部品の確認" in page
    assert "表示の理由" in page


def test_nothing_to_look_at_is_told(session):
    release = session.artifacts / "releases" / "v1"
    pq.write_table(pq.read_table(release / LABELS_FILE).slice(0, 0), release / LABELS_FILE)
    reseal(release)
    with pytest.raises(NothingToReview, match="name new parts as SOURCE"):
        ReviewSession.open(session.artifacts, None, Choice())
