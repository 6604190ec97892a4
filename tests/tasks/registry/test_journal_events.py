"""What is written to the journal: each event once, with who, when and why, also of an older registry."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import inspected_parts as parts

from tasks.core.authorship import Authorship, system_user
from tasks.core.errors import DamagedJournal
from tasks.core.files import add_checksum, write_json
from tasks.publish import publish
from tasks.registry.champion import champion_state, promote, registry_lock, rollback
from tasks.registry.journal import HEAD_FILE, JOURNAL_FILE, Entry, read_journal
from tasks.registry.journal_events import bring_up_to_date, full_journal, last_champion, record, verify_journal
from tasks.registry.prune import prune
from tasks.registry.releases import read_release


def events(artifacts: Path) -> list[str]:
    return [f"{entry.event} {entry.subject}".strip() for entry in read_journal(artifacts).entries]


def released(folder: Path, mark: str, reasons: tuple[str, ...] = ()) -> Path:
    """The folder of a release or draft that a run made."""
    champion = champion_state(folder / "artifacts").champion
    stages, config = parts.judged(folder, reasons), parts.configured(folder)
    return Path(publish(stages, config, champion, mark * 64, parts.FACTS, run=f"run {mark}").path)


@pytest.mark.slow
def test_a_line_from_its_first_release_on(tmp_path):
    artifacts = tmp_path / "artifacts"
    for mark, reasons in (("a", ()), ("b", ("too weak",)), ("c", ())):
        released(tmp_path, mark, reasons)
    rollback(artifacts, Authorship("M. Sato", "false alarms on lot 7"))
    promote(artifacts, "v2", Authorship("K. Ito", "lot 7 is sorted out", "run x"))
    prune(tmp_path / "data", artifacts, 0, -1, Authorship("root", "no room"))
    draft = "b" * 16
    assert events(artifacts) == [
        "released v1",
        "promoted v1",
        f"rejected {draft}",
        "released v2",
        "promoted v2",
        "rolled back v1",
        "promoted v2",
        "pruned",
    ]
    entries = read_journal(artifacts).entries
    assert [(entry.by, entry.run) for entry in entries[:2]] == [(system_user(), "run a")] * 2
    assert entries[1].why == "by the gate: the first of its line"
    assert entries[2].why == "too weak"
    assert (entries[5].by, entries[5].why, entries[5].facts) == ("M. Sato", "false alarms on lot 7", {"before": "v2"})
    assert (entries[6].by, entries[6].run) == ("K. Ito", "run x")
    assert entries[7].facts["paths"] == [f"drafts/{draft}"]
    assert champion_state(artifacts).moved.why == "lot 7 is sorted out"
    assert verify_journal(artifacts).entries == entries


def test_manifest_and_card_name_the_last_entry_before_the_release(tmp_path):
    released(tmp_path, "a")
    head = read_journal(tmp_path / "artifacts").head
    folder = released(tmp_path, "b")
    assert read_release(folder).manifest.journal == {"entries": 2, "head": head}
    assert f"the line's journal had 2 entries before it, head `{head}`" in (folder / "README.md").read_text()


def test_a_registry_older_than_the_journal_begins_with_what_it_knows(tmp_path):
    for version, created in (("v1", "2025-01-01T00:00:00+00:00"), ("v2", "2025-02-01T00:00:00+00:00")):
        parts.release(tmp_path, version, created=created)
    pointer = {"champion": "v2", "history": ["v1", "v2"], "ever": ["v1", "v2"]}
    write_json(tmp_path / "champion.json", add_checksum(pointer))
    told = [f"{entry.event} {entry.subject} by {entry.by}" for entry in full_journal(tmp_path).entries]
    began = "began  by None"
    assert sorted(told[1:]) == ["promoted v2 by None", "released v1 by None", "released v2 by None"]
    assert told[0] == began
    assert not (tmp_path / JOURNAL_FILE).exists(), "a look writes nothing"
    rollback(tmp_path, Authorship("M. Sato"))
    assert events(tmp_path)[-1] == "rolled back v1"
    assert last_champion(read_journal(tmp_path)) == "v1"


def test_a_move_by_a_version_without_a_journal_is_noticed(tmp_path):
    for version in ("v1", "v2"):
        parts.release(tmp_path, version)
        promote(tmp_path, version)
    pointer = json.loads((tmp_path / "champion.json").read_text())
    del pointer["moved"]
    write_json(tmp_path / "champion.json", add_checksum({**pointer, "champion": "v1", "history": ["v1"]}))
    with registry_lock(tmp_path):
        bring_up_to_date(tmp_path)
    last = read_journal(tmp_path).entries[-1]
    assert (last.event, last.subject, last.by, last.when) == ("promoted", "v1", None, None)


def test_what_only_the_journal_holds_is_written_once(tmp_path):
    parts.release(tmp_path, "v1")
    promote(tmp_path, "v1")
    entry = Entry(event="refused", subject="v2", key="refused v2", by="M. Sato", why="escapes")
    for _ in range(2):
        with registry_lock(tmp_path):
            record(tmp_path, entry)
    assert events(tmp_path)[-1] == "refused v2"
    assert events(tmp_path).count("refused v2") == 1


def test_a_signature_whose_signer_was_killed_is_written_down_once(tmp_path):
    """The file is there, the entry is not; so it is, too, where an earlier version signed."""
    artifacts = tmp_path / "artifacts"
    released(tmp_path, "a")
    (artifacts / "signatures").mkdir()
    (artifacts / "signatures" / "v1.sig").write_text("{}")
    (artifacts / "signatures" / ".v1.sig.draft-0").write_text("{}")
    for _ in range(2):
        with registry_lock(artifacts):
            bring_up_to_date(artifacts)
    assert events(artifacts) == ["released v1", "promoted v1", "signed v1"]
    entry = verify_journal(artifacts).entries[-1]
    assert (entry.by, entry.when[:2]) == (None, "20")


def test_a_damaged_journal_moves_nothing_and_releases_nothing(tmp_path):
    artifacts = tmp_path / "artifacts"
    for mark in ("a", "b"):
        released(tmp_path, mark)
    path = artifacts / JOURNAL_FILE
    path.write_text(path.read_text().replace("run a", "run b", 1))
    for act in (lambda: rollback(artifacts), lambda: promote(artifacts, "v1"), lambda: released(tmp_path, "c")):
        with pytest.raises(DamagedJournal):
            act()
    assert champion_state(artifacts).champion == "v2"
    assert {path.name for path in (artifacts / "releases").iterdir()} == {"v1", "v2"}


@pytest.mark.slow
def test_another_journal_is_not_taken_for_the_one_that_the_releases_name(tmp_path):
    """Whole and sealed, but of a line in which something else happened."""
    for name in ("one", "other"):
        released(tmp_path / name, "a")
        released(tmp_path / name, "b")
    here, there = tmp_path / "one" / "artifacts", tmp_path / "other" / "artifacts"
    for name in (JOURNAL_FILE, HEAD_FILE):
        (here / name).write_bytes((there / name).read_bytes())
    read_journal(here)
    with pytest.raises(DamagedJournal, match="expected its journal's head"):
        verify_journal(here)


def test_a_journal_that_was_moved_away_begins_anew_and_says_so(tmp_path):
    released(tmp_path, "a")
    released(tmp_path, "b")
    artifacts = tmp_path / "artifacts"
    for name in (JOURNAL_FILE, HEAD_FILE):
        (artifacts / name).unlink()
    promote(artifacts, "v1")
    assert events(artifacts)[0] == "began"
    assert verify_journal(artifacts).entries[0].facts["heads"].keys() == {"v2"}
