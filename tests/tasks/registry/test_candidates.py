"""Candidates: they wait, the champion serves on, and a person decides once."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import inspected_parts as parts

from tasks.core.authorship import Authorship
from tasks.core.errors import BadSetting, NotACandidate, UnknownRelease
from tasks.registry.candidates import (
    approve,
    candidates,
    find_candidate,
    refuse,
    require_no_candidate,
    waiting_candidate,
)
from tasks.registry.champion import champion_state, init_champion_file, promote, rollback
from tasks.registry.journal_events import full_journal
from tasks.registry.releases import get_release

SATO = Authorship("M. Sato", "fewer escapes on lot 7", "run 1")


def candidate(artifacts: Path, version: str, champion: str | None) -> None:
    parts.release(artifacts, version, status="candidate", compared_with=champion, fingerprint=version * 32)


@pytest.fixture
def line(tmp_path) -> Path:
    """The champion v1, and the candidate v2."""
    parts.release(tmp_path, "v1")
    promote(tmp_path, "v1")
    candidate(tmp_path, "v2", "v1")
    return tmp_path


def states(artifacts: Path) -> dict[str, str]:
    return {entry.release.version: entry.state for entry in candidates(artifacts)}


def test_a_candidate_waits_and_the_champion_serves_on(line):
    assert waiting_candidate(line).release.version == "v2"
    assert waiting_candidate(line).sentence == "waits for approval"
    assert champion_state(line).champion == "v1"


def test_an_approval_moves_the_pointer_and_says_who_and_why(line):
    assert approve(line, "v2", SATO).version == "v2"
    state = champion_state(line)
    assert (state.champion, state.moved.event, state.moved.by, state.moved.before) == (
        "v2",
        "approved",
        "M. Sato",
        "v1",
    )
    last = full_journal(line).entries[-1]
    assert (last.event, last.subject, last.why, last.run) == ("approved", "v2", SATO.why, "run 1")
    assert find_candidate(line, "v2").sentence == "was approved by M. Sato: fewer escapes on lot 7"
    approve(line, "v2", SATO)
    assert len(full_journal(line).entries) == len({entry.key for entry in full_journal(line).entries})
    assert rollback(line).version == "v1"
    assert states(line) == {"v2": "approved"}, "a rollback takes no decision back"


def test_a_refusal_leaves_the_champion_and_is_written_once(line):
    for _ in range(2):
        refuse(line, "v2", SATO)
    assert champion_state(line).champion == "v1"
    assert [entry.event for entry in full_journal(line).entries].count("refused") == 1
    assert find_candidate(line, "v2").sentence == "was refused by M. Sato: fewer escapes on lot 7"
    with pytest.raises(NotACandidate, match=r"but it was refused by M. Sato"):
        approve(line, "v2", SATO)
    assert waiting_candidate(line) is None


def test_a_newer_candidate_supersedes_an_older_one(line):
    candidate(line, "v3", "v1")
    assert states(line) == {"v2": "superseded", "v3": "waiting"}
    with pytest.raises(NotACandidate, match=r"v2: expected a candidate that waits .* superseded by a newer"):
        approve(line, "v2", SATO)
    refuse(line, "v3", SATO)
    assert states(line) == {"v2": "superseded", "v3": "refused"}


def test_a_candidate_of_another_champion_is_not_approved(line):
    """It was shown to be better than v1, and v4 is champion by now."""
    parts.release(line, "v4")
    promote(line, "v4")
    assert states(line) == {"v2": "outdated"}
    for decide in (approve, refuse):
        with pytest.raises(NotACandidate, match="compared with a champion that is none any more"):
            decide(line, "v2", SATO)


@pytest.mark.parametrize("decide", [approve, refuse])
def test_what_cannot_be_decided_is_told(line, decide):
    with pytest.raises(BadSetting, match="--reason: expected why"):
        decide(line, "v2", Authorship("M. Sato"))
    with pytest.raises(NotACandidate, match="v1: expected a candidate, found a release that needs no approval"):
        decide(line, "v1", SATO)
    with pytest.raises(UnknownRelease):
        decide(line / "nowhere", "v2", SATO)
    assert not (line / "nowhere").exists()
    assert champion_state(line).champion == "v1"


def test_a_candidate_is_promoted_without_approval_only_with_a_reason(line):
    release = get_release(line, "v2")
    with pytest.raises(NotACandidate, match="v2: waits for approval; expected kensa approve v2"):
        require_no_candidate(line, release, Authorship("M. Sato"))
    require_no_candidate(line, release, SATO)
    promote(line, "v2", SATO)
    assert states(line) == {"v2": "promoted"}
    require_no_candidate(line, release, Authorship("M. Sato"))


def test_the_first_of_a_line_waits_too(tmp_path):
    tmp_path.joinpath("releases").mkdir()
    init_champion_file(tmp_path)
    candidate(tmp_path, "v1", None)
    assert waiting_candidate(tmp_path).release.version == "v1"
    assert approve(tmp_path, "v1", SATO).version == "v1"
    assert champion_state(tmp_path).history == ("v1",)
