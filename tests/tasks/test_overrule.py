"""A person overrules the gate: the draft becomes a release that says so everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import inspected_parts as parts

from tasks.core.authorship import Authorship
from tasks.core.errors import BadSetting, UnknownRelease
from tasks.overrule import find_draft, promote_draft
from tasks.publish import find_previous_result, publish
from tasks.registry.champion import champion_state
from tasks.registry.journal_events import full_journal
from tasks.registry.releases import rejected_drafts, releases, verify_release

SATO = Authorship("M. Sato <qa>", "the new lot needs it today")


@pytest.fixture
def line(tmp_path) -> Path:
    """The champion v1, and a draft that was rejected against it; its report is a page."""
    config = parts.configured(tmp_path)
    publish(parts.judged(tmp_path), config, None, "a" * 64, parts.FACTS)
    stages = parts.judged(tmp_path, ("escapes rose",))
    (Path(stages["report"].path) / "report.html").write_text("<html><body>REJECTED</body></html>")
    publish(stages, config, "v1", "b" * 64, parts.FACTS)
    return tmp_path / "artifacts"


def test_the_release_says_who_promoted_it_and_why_it_was_rejected(line):
    release = promote_draft(line, "bbbbbb", SATO)
    assert (release.version, champion_state(line).champion) == ("v2", "v2")
    verify_release(release)
    manifest = release.manifest
    assert manifest.overruled == {"by": SATO.by, "why": SATO.why, "draft": "b" * 16}
    assert (manifest.status, manifest.reasons) == ("released", ("escapes rose",))
    page = (release.path / "report.html").read_text()
    sentence = "The gate rejected this model. M. Sato &lt;qa&gt; promoted it: the new lot needs it today"
    assert page.index(sentence) < page.index("REJECTED")
    card = (release.path / "README.md").read_text()
    assert "The gate rejected this model. M. Sato \\<qa\\> promoted it" in card
    assert "- escapes rose" in card
    entries = full_journal(line).entries
    assert [f"{entry.event} {entry.subject}" for entry in entries[-2:]] == ["released v2", "promoted v2"]
    assert all((entry.by, entry.why) == (SATO.by, SATO.why) for entry in entries[-2:])
    assert len(rejected_drafts(line)) == 1, "the draft stays"


def test_once_more_makes_no_second_release(line):
    assert [promote_draft(line, "b" * 16, SATO).version for _ in range(2)] == ["v2", "v2"]
    assert [release.version for release in releases(line)] == ["v1", "v2"]


def test_the_same_data_is_not_trained_again(line):
    promote_draft(line, "b" * 16, SATO)
    result = find_previous_result(parts.configured(line.parent), "b" * 64)
    assert (result.status, result.release, result.champion) == ("unchanged", "v2", "v2")


def test_it_needs_a_reason_and_a_draft(line):
    with pytest.raises(BadSetting, match="expected --reason, why the gate is overruled"):
        promote_draft(line, "b" * 16, Authorship("M. Sato"))
    for name in ("cccccc", "bbb", ""):
        with pytest.raises(UnknownRelease, match=f"expected 6 digits .*; the newest are {'b' * 16}"):
            find_draft(line, name)
    assert champion_state(line).champion == "v1"
