"""Observations: kept once, oldest first; a changed file is told and left out."""

from __future__ import annotations

import pytest
from support import inspected_parts as parts

from tasks.registry.observations import FOLDER, keep_observation, observations
from tasks.registry.releases import get_release


@pytest.fixture
def v1(tmp_path):
    parts.release(tmp_path, "v1")
    return get_release(tmp_path, "v1")


def test_the_same_look_is_kept_once(tmp_path, v1):
    for status in ("steady", "drifted"):
        keep_observation(tmp_path, v1, "drift", "monday.csv", "a1", {"status": status})
    keep_observation(tmp_path, v1, "drift", "monday.csv", "b2", {"status": "watch"})
    keep_observation(tmp_path, v1, "labels", "monday.csv", "a1", {"escapes": None})
    seen = observations(tmp_path)
    assert [(entry.kind, entry.revision) for entry in seen] == [("drift", "a1"), ("drift", "b2"), ("labels", "a1")]
    assert (seen[0].facts, seen[0].release, seen[0].fingerprint) == ({"status": "steady"}, "v1", "print of v1")


def test_a_changed_file_is_left_out_and_told(tmp_path, v1, capfd):
    keep_observation(tmp_path, v1, "drift", "monday.csv", "a1", {"status": "drifted"})
    keep_observation(tmp_path, v1, "drift", "monday.csv", "b2", {"status": "drifted"})
    changed = sorted((tmp_path / FOLDER).glob("*.json"))[0]
    changed.write_text(changed.read_text().replace("drifted", "steady"))
    assert len(observations(tmp_path)) == 1
    assert f"{changed.name}: expected an observation as it was written" in capfd.readouterr().err


def test_where_nothing_can_be_kept_nothing_fails(tmp_path, v1, capfd):
    (tmp_path / FOLDER).write_text("a file in its place")
    keep_observation(tmp_path, v1, "drift", "monday.csv", "a1", {"status": "steady"})
    assert "not kept for kensa history" in capfd.readouterr().err
    assert observations(tmp_path) == []
