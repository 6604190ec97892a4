"""The status of a line: of the champion on the disk, of the ledger, and of the runs that a real server keeps."""

from __future__ import annotations

import datetime
import shutil
from dataclasses import replace

import httpx
import pytest

from flows.health.lines import LineStatus, Retraining, check_line, count_versions, last_retrainings, line_status
from flows.service.ledger import Ledger
from flows.service.lines import FactoryConfig, ProductLine
from flows.service.server import PrefectServer

NOW = datetime.datetime.now(datetime.UTC)


@pytest.fixture
def boards(small_line):
    """A line with one release, v1."""
    return ProductLine("boards", small_line)


def retrained(outcome, hours=1.0, message=""):
    ended = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=hours)  # a module is read minutes before
    return Retraining(outcome, message, ended)


def test_a_line_with_a_champion_and_its_last_retraining(boards):
    status = line_status(boards, retrained("unchanged"), {"done": 1})
    assert (status.champion, status.problem, status.versions) == ("v1", "", {"done": 1})
    assert abs(NOW - status.created) < datetime.timedelta(hours=12)
    check = check_line(status)
    assert (check.name, check.verdict) == ("line boards", "ok")
    assert check.found.startswith("champion v1, ")
    assert check.found.endswith("last retraining unchanged, 1.0 h ago")


def test_a_line_before_its_first_release():
    check = check_line(LineStatus("boards"))
    assert (check.verdict, check.found) == ("ok", "champion none yet; no retraining has ended yet")


def test_a_failed_retraining_is_a_warning_with_its_message():
    check = check_line(LineStatus("boards", "v2", NOW - datetime.timedelta(days=8), retrained("failed", 50, "no room")))
    assert check.verdict == "warning"
    assert check.found == "champion v2, 8 days ago; last retraining failed, 2 days ago: no room"
    assert check.cure


def test_a_champion_that_cannot_be_read_is_failed(boards, tmp_path, monkeypatch):
    copy = tmp_path / "artifacts"
    shutil.copytree(boards.config.artifacts_path, copy)
    (copy / "champion.json").write_text("{}")
    line = replace(boards, config=replace(boards.config, artifacts_folder=str(copy)))
    check = check_line(line_status(line, None, {}))
    assert (check.verdict, "champion.json: expected JSON" in check.found) == ("failed", True)


def test_the_ledger_s_versions_are_counted_by_line_and_state(boards, tmp_path):
    lines = FactoryConfig({"boards": boards, "other": boards}, 3, None)
    assert count_versions(lines, tmp_path) == {}
    assert not (tmp_path / "ledger.sqlite").exists(), "a look makes no ledger"
    ledger = Ledger(tmp_path)
    for sha in "ab":
        ledger.note("boards", sha * 40)
    ledger.note("gone", "c" * 40)
    ledger.head("boards", "b" * 40)
    ledger.claim("boards", "b" * 40, "run")
    assert count_versions(lines, tmp_path) == {"boards": {"pending": 1, "running": 1}, "other": {}}


@pytest.mark.slow
def test_the_last_run_of_each_line_counts_but_not_one_that_trained_nothing(server):
    api = f"{server.url}/api"

    def post(path, body):
        return httpx.post(api + path, json=body, timeout=30).raise_for_status().json()

    flow = post("/flows/", {"name": "retrain"})["id"]

    for line, name, kind in (
        ("health-a", "Released", "COMPLETED"),
        ("health-a", "Failed", "FAILED"),
        ("health-a", "Not trained", "COMPLETED"),
        ("health-b", "Rejected", "COMPLETED"),
        ("health-b", "Running", "RUNNING"),
        (None, "Released", "COMPLETED"),
    ):
        state = {"type": kind, "name": name, "message": f"it was {name}"}
        post("/flow_runs/", {"flow_id": flow, "parameters": {"line": line} if line else {}, "state": state})
    last = last_retrainings(PrefectServer(api))
    assert (last["health-a"].outcome, last["health-a"].message) == ("failed", "it was Failed")
    assert last["health-b"].outcome == "rejected"
    assert abs(NOW - last["health-b"].ended) < datetime.timedelta(hours=1)
    assert None not in last
    assert last_retrainings(None) == {}
