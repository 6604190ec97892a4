"""`kensa approve`, and what releases and promote say of candidates and of drafts that a person promoted."""

from __future__ import annotations

import pytest
from support import inspected_parts as parts

from tasks.publish import publish
from tasks.registry.champion import promote


@pytest.fixture
def told(place):
    """The champion v1 and the candidate v2 of the line boards."""
    (place.folder / "kensa.toml").write_text('[lines.boards]\ntrain = "acme/boards"\n')
    artifacts = place.folder / "artifacts" / "boards"
    parts.release(artifacts, "v1")
    promote(artifacts, "v1")
    parts.release(artifacts, "v2", status="candidate", compared_with="v1", fingerprint="c" * 64)
    return place


def test_an_approval(told):
    done = told.kensa("approve", "v2", "--line", "boards", "--by", "M. Sato", "--reason", "fewer escapes")
    assert (done.code, done.out, done.err) == (0, "approved: v2; champion: v2\n", "")
    listed = told.kensa("releases", "--line", "boards").out.splitlines()
    assert "a candidate that was approved by M. Sato: fewer escapes" in listed[-1]
    assert listed[-1].startswith("*")


def test_a_refusal_as_json(told):
    words = ("approve", "v2", "--refuse", "--line", "boards", "--reason", "it misses shorts", "--json")
    assert told.kensa(*words).told == {"status": "refused", "release": "v2", "champion": "v1"}
    rows = told.kensa("releases", "--line", "boards", "--json").told["releases"]
    assert rows[1]["candidate"].endswith(": it misses shorts")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("approve", "v2"), "--reason: expected why, for the journal, found none"),
        (("approve", "v1", "--reason", "x"), "v1: expected a candidate, found a release that needs no approval"),
        (("promote", "v2"), "v2: waits for approval; expected kensa approve v2"),
        (("promote", "abcdef12", "--reason", "x"), "abcdef12: expected 6 digits or more of one rejected draft"),
    ],
)
def test_mistakes_are_one_line(told, words, error):
    done = told.kensa(*words, "--line", "boards")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith(f"kensa: {error}")


@pytest.mark.slow
def test_a_rejected_draft_is_promoted_with_a_reason(place):
    config = parts.configured(place.folder)
    publish(parts.judged(place.folder, ("escapes rose",)), config, None, "d" * 64, parts.FACTS)
    assert place.kensa("promote", "dddddd").err.startswith("kensa: dddddd: expected --reason")
    done = place.kensa("promote", "dddddd", "--by", "M. Sato", "--reason", "needed today")
    assert (done.code, done.out) == (0, "champion: v1\n")
    listed = place.kensa("releases").out
    assert "The gate rejected this model. M. Sato promoted it: needed today; escapes rose" in listed
