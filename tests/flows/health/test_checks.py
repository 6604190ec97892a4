"""Each check of a part, where all is right and where something is not; tests/kensa/test_installation.py has others."""

from __future__ import annotations

import fcntl
import os
import time

import pytest
from support.pages import served_pages

from flows.health.checks import (
    Check,
    check_receiver,
    check_runs,
    check_server,
    check_worker,
    free_bytes,
    run_locks,
    worst,
)


@pytest.fixture
def runs(tmp_path):
    """The folder of the locks of runs."""
    folder = tmp_path / "data" / "runs"
    folder.mkdir(parents=True)
    return folder


def test_the_worst_verdict_counts():
    checks = [Check("a", "ok", ""), Check("b", "warning", "")]
    assert worst(checks) == "warning"
    assert worst([*checks, Check("c", "failed", ""), Check("d", "ok", "")]) == "failed"


def test_runs_without_a_lock_are_none(tmp_path):
    assert check_runs(run_locks(tmp_path / "data")) == Check("runs", "ok", "none is running")


@pytest.mark.parametrize(("hours", "verdict"), [(2, "ok"), (25, "warning")])
def test_a_run_that_is_old_is_worth_a_look(tmp_path, runs, hours, verdict):
    began = time.time() - hours * 3600
    with (runs / "r1.lock").open("w") as file:
        os.utime(runs / "r1.lock", (began, began))
        fcntl.flock(file, fcntl.LOCK_EX)
        locks = run_locks(tmp_path / "data")
    assert locks.alive["r1"] == pytest.approx(hours, abs=0.01)
    check = check_runs(locks)
    assert (check.verdict, check.found, bool(check.cure)) == (verdict, f"r1 for {hours:.1f} h", verdict != "ok")


def test_a_run_that_died_is_named(tmp_path, runs):
    (runs / "r2.lock").touch()
    check = check_runs(run_locks(tmp_path / "data"))
    assert (check.verdict, check.found, check.cure) == (
        "warning",
        "none is running; died: r2",
        "kensa up restarts them",
    )


def test_a_receiver_that_answers_and_one_that_does_not(tmp_path):
    assert check_receiver(None).found.startswith("not started, KENSA_WEBHOOK_SECRET is not set")
    with served_pages(tmp_path) as address:
        assert check_receiver(address) == Check("receiver", "ok", f"{address} answers")
    check = check_receiver("http://127.0.0.1:9")
    assert (check.verdict, check.found) == ("failed", "http://127.0.0.1:9: no answer (ConnectError)")


def test_a_folder_that_is_not_there_has_the_room_of_the_one_above(tmp_path):
    assert free_bytes(tmp_path / "a" / "b") == pytest.approx(free_bytes(tmp_path), rel=0.1)


def test_without_a_server_nothing_is_asked():
    assert check_server(None).verdict == check_worker(None).verdict == "ok"
