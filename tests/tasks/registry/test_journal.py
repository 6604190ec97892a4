"""The journal's file: a chain of seals, half an entry mended, two machines' entries joined.

bench/faults/journal.py kills, fills and turns; here is what a person sees of it.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.core.errors import DamagedJournal
from tasks.registry.journal import HEAD_FILE, JOURNAL_FILE, Entry, Journal, append, join, parse_journal, read_journal


def entry(number: int, event: str = "promoted") -> Entry:
    """An entry by itself, not yet in a chain."""
    when = f"2026-01-0{number}T03:04:05.000+00:00"
    return Entry(event=event, subject=f"v{number}", key=f"{event} v{number}", when=when, by="M. Sato", why="ü é")


@pytest.fixture
def three(tmp_path) -> Path:
    append(tmp_path, append(tmp_path, read_journal(tmp_path), [entry(1), entry(2)]), [entry(3)])
    return tmp_path


def test_an_empty_folder_has_an_empty_journal(tmp_path):
    assert read_journal(tmp_path) == Journal()
    assert not list(tmp_path.iterdir())


def test_entries_are_numbered_and_each_names_the_one_before(three):
    journal = read_journal(three)
    assert [found.number for found in journal.entries] == [1, 2, 3]
    assert [found.previous for found in journal.entries] == ["", *(found.seal for found in journal.entries[:-1])]
    assert journal.head == journal.entries[-1].seal
    assert journal.entries[0].why == "ü é"
    assert json.loads((three / HEAD_FILE).read_text())["entries"] == 3


def test_the_stored_names_stay(three):
    first = json.loads((three / JOURNAL_FILE).read_text().splitlines()[0])
    assert list(first) == ["event", "subject", "key", "when", "by", "why", "facts", "number", "previous", "seal"]


def test_half_an_entry_is_seen_and_mended_by_the_next(three):
    whole = read_journal(three)
    path = three / JOURNAL_FILE
    path.write_bytes(path.read_bytes() + b'{"event":"promo')
    journal = read_journal(three)
    assert (journal.half, journal.entries) == (True, whole.entries)
    append(three, journal, [entry(4)])
    assert [found.subject for found in read_journal(three).entries] == ["v1", "v2", "v3", "v4"]
    assert not read_journal(three).half


def test_an_entry_whose_head_was_not_written_counts(three):
    before = (three / HEAD_FILE).read_bytes()
    append(three, read_journal(three), [entry(4)])
    (three / HEAD_FILE).write_bytes(before)
    assert len(read_journal(three).entries) == 4


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        (JOURNAL_FILE, lambda text: text.replace("M. Sato", "M. Kato", 1), "entry 1 is not as it was written"),
        (JOURNAL_FILE, lambda text: "".join(text.splitlines(True)[:2]), "expected 3 entries, found 2: its end was cut"),
        (
            JOURNAL_FILE,
            lambda text: "".join([text.splitlines(True)[place] for place in (0, 2, 1)]),
            "entry 2 does not follow",
        ),
        (JOURNAL_FILE, lambda text: text.replace("\\u00fc", "ü", 1), "entry 1 is not as it was written"),
        (HEAD_FILE, lambda text: text.replace("3", "2", 1), "expected the head of the journal, as it was written"),
        (HEAD_FILE, lambda text: "[]", "expected the head of the journal, as it was written"),
    ],
)
def test_what_was_changed_is_told(three, name, damage, message):
    (three / name).write_text(damage((three / name).read_text()))
    with pytest.raises(DamagedJournal, match=message) as error:
        read_journal(three)
    assert error.value.exit_code == 1
    assert "restore it from a backup" in str(error.value)


@pytest.mark.parametrize("name", [JOURNAL_FILE, HEAD_FILE])
def test_a_file_that_is_gone_is_told(three, name):
    (three / name).unlink()
    with pytest.raises(DamagedJournal):
        read_journal(three)


def test_the_journals_of_two_machines_are_joined(three, tmp_path_factory):
    """Both have the first three entries; each has one of its own."""
    other = tmp_path_factory.mktemp("other")
    for name in (JOURNAL_FILE, HEAD_FILE):
        (other / name).write_bytes((three / name).read_bytes())
    ours = append(three, read_journal(three), [entry(4, "rejected")])
    theirs = append(other, read_journal(other), [entry(5)])
    joined = join(three, ours, parse_journal("store", (other / JOURNAL_FILE).read_bytes()))
    assert read_journal(three).entries == joined.entries
    assert [found.subject for found in joined.entries] == ["v1", "v2", "v3", "v5", "v4"]
    assert joined.entries[:4] == theirs.entries
    assert ours.head in joined.seals
    assert join(three, joined, theirs) == joined, "once more changes nothing"
    assert join(other, theirs, joined).entries == joined.entries


def test_a_damaged_journal_of_a_store_is_told(three):
    content = (three / JOURNAL_FILE).read_bytes()
    for damaged in (content[:-9], content.replace(b"Sato", b"Kato", 1), content + b"{"):
        with pytest.raises(DamagedJournal, match="store: entry"):
            parse_journal("store", damaged)
