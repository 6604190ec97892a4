"""The champion is followed: to another, back again, and past one that cannot be opened."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from support.keys import make_key

from kensa.serving import champion
from kensa.serving.champion import CurrentRelease
from tasks.core.authorship import Authorship
from tasks.core.errors import NotServable
from tasks.registry.champion import promote

pytestmark = pytest.mark.slow


def until(question, what):
    end = time.monotonic() + 30
    while not question():
        assert time.monotonic() < end, what
        time.sleep(0.02)


@pytest.fixture
def following(old_line, opened):
    """The champion v2, followed."""
    current = CurrentRelease(old_line.artifacts)
    current.follow()
    yield current
    current.stop()
    promote(old_line.artifacts, "v2", Authorship("test"))


def test_the_champion_is_followed_and_a_named_release_is_kept(old_line, following):
    named = CurrentRelease(old_line.artifacts, "v2")
    named.follow()
    promote(old_line.artifacts, "v1", Authorship("test"))
    until(lambda: following.release.version == "v1", "v1 judges")
    promote(old_line.artifacts, "v2", Authorship("test"))
    until(lambda: following.release.version == "v2", "v2 judges again")
    assert (following.changes, following.problem) == (2, "")
    assert (named.release.version, named.changes) == ("v2", 0)


def test_an_unsigned_champion_is_not_followed_where_a_key_is_asked_for(old_line, following, monkeypatch, tmp_path):
    before = dict(os.environ)
    monkeypatch.setenv("KENSA_VERIFY_KEY", str(make_key(tmp_path)[1]))
    words = ["promote", "v1", "--artifacts", str(old_line.artifacts)]  # elsewhere, where nobody asks for a signature
    subprocess.run([sys.executable, "-m", "kensa", *words], env=before, check=True, capture_output=True)
    until(lambda: following.problem, "it is told")
    assert following.release.version == "v2"
    assert following.problem.startswith("v1: expected a signature of it by the key of ")


def test_one_that_cannot_be_opened_changes_nothing_and_is_told_once(old_line, following, monkeypatch, capsys):
    def fail(artifacts, version, standard):
        raise NotServable(f"{version}: no")

    monkeypatch.setattr(champion, "open_release", fail)
    monkeypatch.setattr(champion, "RETRY_SECONDS", 0.0)
    promote(old_line.artifacts, "v1", Authorship("test"))
    until(lambda: following.problem, "it is told")
    time.sleep(1)
    assert (following.release.version, following.problem) == ("v2", "v1: no")
    assert capsys.readouterr().err.count("v2 still judges: v1: no") == 1
    monkeypatch.undo()
    until(lambda: following.release.version == "v1", "it is tried again")
    assert following.problem == ""
