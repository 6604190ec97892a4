"""Decisions: kept as they are made, by several people at once, whatever is killed in between."""

from __future__ import annotations

import json
import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest
from support import inspected_parts as parts
from support.decided import decision

from tasks.core.errors import DamagedDecisions, DamagedJournal, DecidedMeanwhile
from tasks.core.files import add_checksum
from tasks.registry.champion import promote
from tasks.registry.journal import JOURNAL_FILE
from tasks.registry.journal_events import full_journal
from tasks.review.decisions import FILE, FOLDER, decide, decisions_of, standing, unpublished


@pytest.fixture
def line(tmp_path) -> Path:
    parts.release(tmp_path, "v1")
    promote(tmp_path, "v1")
    return tmp_path


def test_a_decision_is_kept_with_who_and_when_and_told_in_the_journal(line):
    kept = decide(line, decision(), known=0)
    assert decisions_of(line) == [kept]
    assert (kept.number, kept.by, kept.when[:2]) == (1, "M. Sato", "20")
    entry = full_journal(line).entries[-1]
    assert (entry.event, entry.subject, entry.by, entry.why) == ("label decided", "SN-1", "M. Sato", "scratch → dent")
    assert kept.as_label().map.tolist() == [1.0] * 4


def test_the_later_decision_stands_and_one_that_is_taken_back_is_none(line):
    decide(line, decision(1), known=0)
    decide(line, decision(1, mode="scratch", by="K. Ito"), known=1)
    decide(line, decision(2), known=0)
    decide(line, decision(2, mode=None, label=None), known=1)
    stands = standing(decisions_of(line))
    assert [(one.part, one.mode, one.by) for one in stands.values()] == [("SN-1", "scratch", "K. Ito")]
    assert [one.number for one in unpublished(line)] == [2]
    assert full_journal(line).entries[-1].why == "taken back"


def test_who_has_not_seen_the_other_decision_is_told_it(line):
    decide(line, decision(by="K. Ito"), known=0)
    with pytest.raises(DecidedMeanwhile, match=r"K\. Ito decided dent meanwhile; decide again to replace it"):
        decide(line, decision(mode="scratch"), known=0)
    assert len(decisions_of(line)) == 1


def decide_many(line: Path, by: str, first: int) -> None:
    for number in range(first, first + 10):
        decide(line, decision(number, by=by), known=0)


@pytest.mark.slow
def test_two_reviewers_at_once_lose_nothing(line):
    spawn = multiprocessing.get_context("spawn")
    people = [spawn.Process(target=decide_many, args=(line, by, first)) for by, first in (("A", 1), ("B", 101))]
    for person in people:
        person.start()
    for person in people:
        person.join(120)
        assert person.exitcode == 0
    kept = decisions_of(line)
    assert [one.number for one in kept] == list(range(1, 21))
    assert {(one.by, one.part) for one in kept} == {
        (by, f"SN-{number}") for by, first in (("A", 1), ("B", 101)) for number in range(first, first + 10)
    }
    events = [entry.event for entry in full_journal(line).entries]
    assert events.count("label decided") == 20


def test_what_a_killed_process_left_is_mended(line):
    """Half a line is removed; a decision that is not in the journal is written there with the next."""
    kept = decide(line, decision(1), known=0)
    path, journal = line / FOLDER / FILE, line / JOURNAL_FILE
    head = (line / "journal-head.json").read_text()
    before = journal.read_text()
    decide(line, decision(2), known=0)
    journal.write_text(before)
    (line / "journal-head.json").write_text(head)
    with path.open("a") as file:
        file.write('{"half')
    assert len(decisions_of(line)) == 2
    decide(line, decision(3), known=0)
    assert [one.part for one in decisions_of(line)] == ["SN-1", "SN-2", "SN-3"]
    assert [entry.subject for entry in full_journal(line).entries if entry.event == "label decided"] == [
        "SN-1",
        "SN-2",
        "SN-3",
    ]
    assert decisions_of(line)[0] == kept


@pytest.mark.parametrize("change", [lambda text: text.replace("dent", "dint", 1), lambda text: text + text])
def test_a_changed_or_doubled_line_is_found(line, change):
    decide(line, decision(), known=0)
    path = line / FOLDER / FILE
    path.write_text(change(path.read_text()))
    with pytest.raises(DamagedDecisions, match=r"decision \d is not as it was written; restore the file"):
        decisions_of(line)


def test_with_a_damaged_journal_nothing_is_decided(line):
    (line / JOURNAL_FILE).write_text((line / JOURNAL_FILE).read_text().replace("v1", "v2"))
    with pytest.raises(DamagedJournal):
        decide(line, decision(), known=0)
    assert decisions_of(line) == []


def test_a_later_version_may_add_keys(line):
    decide(line, decision(), known=0)
    path = line / FOLDER / FILE
    values = json.loads(path.read_text())
    del values["seal"]
    path.write_text(json.dumps(add_checksum({**values, "later": 1})) + "\n")
    assert replace(decisions_of(line)[0], seal="").part == "SN-1"
