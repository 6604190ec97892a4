"""`kensa journal`: the list, its JSON, of a line of kensa.toml, and a journal that was changed."""

from __future__ import annotations

import json

import pytest
from support import inspected_parts as parts

from tasks.core.authorship import Authorship
from tasks.registry.champion import promote, rollback
from tasks.registry.journal import JOURNAL_FILE


@pytest.fixture
def told(place):
    """A folder with two releases; v1 is champion again."""
    artifacts = place.folder / "artifacts"
    for version in ("v1", "v2"):
        parts.release(artifacts, version)
        promote(artifacts, version, Authorship("K. Ito", "shown on the test records"))
    rollback(artifacts, Authorship("M. Sato", "false alarms on lot 7", "0123456789abcdef"))
    return place


def test_the_list(told):
    done = told.kensa("journal")
    assert done.code == 0, done.err
    titles, *lines = done.out.splitlines()
    assert titles.split() == ["when", "event", "of", "by", "why", "run"]
    assert [line.split()[0] for line in lines] == ["1", "2", "3", "4", "5"]
    assert all(word in lines[-1] for word in ("rolled back", "v1", "M. Sato", "false alarms on lot 7", "01234567"))
    assert len(told.kensa("journal", "--last", "2").out.splitlines()) == 3


def test_json_and_verification(told):
    entries = told.kensa("journal", "--json").told
    assert (entries["entries"], entries["half_written"]) == (5, False)
    assert entries["listed"][-1]["seal"] == entries["head"]
    assert entries["listed"][-1]["facts"] == {"before": "v2"}
    done = told.kensa("journal", "--verify")
    assert done.out.splitlines()[-1] == f"intact: 5 entries, head {entries['head'][:12]}"


def test_a_changed_entry_ends_with_one_line(told):
    path = told.folder / "artifacts" / JOURNAL_FILE
    path.write_text(path.read_text().replace("M. Sato", "K. Ito", 1))
    done = told.kensa("journal")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("kensa: artifacts/journal.jsonl: entry 5 is not as it was written; restore it")
    assert done.err.count("\n") == 1
    assert told.kensa("promote", "v2").code == 1, "no move that could not be written down"
    assert json.loads((told.folder / "artifacts" / "champion.json").read_text())["champion"] == "v1"


def test_of_a_line_of_the_factory(told):
    (told.folder / "kensa.toml").write_text('[lines.boards]\ntrain = "acme/boards"\n')
    parts.release(told.folder / "artifacts" / "boards", "v1")
    done = told.kensa("promote", "v1", "--line", "boards", "--by", "M. Sato", "--reason", "the first of its line")
    assert done.code == 0, done.err
    listed = told.kensa("journal", "--line", "boards", "--json").told["listed"]
    assert (listed[-1]["by"], listed[-1]["why"]) == ("M. Sato", "the first of its line")
    done = told.kensa("journal", "--line", "nowhere")
    assert (done.code, done.err) == (2, "kensa: line nowhere: expected one of boards; name it in kensa.toml\n")


def test_without_releases_there_is_nothing_to_list(place):
    done = place.kensa("journal")
    assert (done.code, done.err) == (0, "")
    assert done.out == "no entries: there are no releases in artifacts; kensa retrain makes the first\n"
    assert not (place.folder / "artifacts").exists()
