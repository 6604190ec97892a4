"""`kensa prune`: what is removed or would be, in text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.core.authorship import Authorship
from tasks.registry.prune import Removable


@pytest.fixture
def requests(monkeypatch):
    """What reaches the registry, which is left out."""
    seen = []
    entries = [
        Removable(Path("data/stages/model-1"), "no release uses it", 2_500_000_000),
        Removable(Path("x"), "old", 1),
    ]
    for name in ("prune", "find_removable"):
        monkeypatch.setattr(f"tasks.registry.prune.{name}", lambda *v, name=name: seen.append((name, *v)) or entries)
    return seen


def test_what_was_removed_is_listed_with_its_size(run, requests):
    author = ("--by", "M. Sato", "--reason", "no room")
    lines = run("prune", "--keep", "2", "--older-than", "30", "--traces", "3650", *author).out.splitlines()
    assert requests == [("prune", Path("data"), Path("artifacts"), 2, 30, Authorship("M. Sato", "no room"), 3650)]
    assert lines[0] == "  2.50 GB  data/stages/model-1  no release uses it"
    assert lines[-1] == "2.50 GB freed, 2 folders and files"


def test_a_dry_run_removes_nothing_and_says_so(run, requests):
    assert run("prune", "--dry-run").out.endswith("2.50 GB would be freed, 2 folders and files\n")
    assert [name for name, *_ in requests] == ["find_removable"]


def test_the_json_names_every_path(run, requests):
    entries = json.loads(run("prune", "--json").out)
    assert (entries["dry_run"], entries["bytes"], entries["runs"]) == (False, 2_500_000_001, None)
    assert entries["gone"][0] == {"path": "data/stages/model-1", "why": "no release uses it", "bytes": 2_500_000_000}


def test_runs_on_the_server_are_deleted_where_that_is_wanted(run, requests, monkeypatch):
    monkeypatch.setattr("flows.service.server.require_server", lambda needed: None)
    monkeypatch.setattr("flows.service.server.configured_server", lambda: "server")
    monkeypatch.setattr("flows.service.retention.prune_runs", lambda *values: {("server", 90, False): 7}[values])
    assert run("prune", "--runs", "90").out.endswith("7 ended runs deleted on the server\n")
