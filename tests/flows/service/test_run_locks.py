"""Who lives holds a lock that a death lets go of, whatever killed it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import nullcontext

import pytest
from support.project import ROOT

from flows.service.run_locks import dead_runs, guarded_run, hold_run_lock, is_run_locked, remove_run_lock
from tasks.core.errors import GaveUp

LIVE = """
import sys, time
from pathlib import Path
from flows.service.run_locks import hold_run_lock
with hold_run_lock(Path(sys.argv[1]), sys.argv[2]):
    print("lives", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def run(tmp_path):
    """A process that lives as run `a` below `tmp_path`."""
    child = subprocess.Popen(
        [sys.executable, "-c", LIVE, str(tmp_path), "a"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "lives\n"
    yield child
    child.kill()
    child.wait()
    child.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.slow
def test_a_death_is_seen_at_once(tmp_path, run, number):
    assert (dead_runs(tmp_path), is_run_locked(tmp_path, "a")) == ([], True)
    os.kill(run.pid, number)
    run.wait()
    assert (dead_runs(tmp_path), is_run_locked(tmp_path, "a")) == (["a"], False)
    with hold_run_lock(tmp_path, "a"):  # taken up again
        assert dead_runs(tmp_path) == []
    assert (dead_runs(tmp_path), is_run_locked(tmp_path, "a")) == ([], False)


def test_looking_does_not_take_the_lock(tmp_path, run):
    assert [is_run_locked(tmp_path, "a") for _ in range(20)] == [True] * 20
    assert list((tmp_path / "runs").iterdir()) == [tmp_path / "runs" / "a.lock"]


def test_an_end_that_the_run_told_of_is_no_death(tmp_path):
    with pytest.raises(ValueError, match="told"), hold_run_lock(tmp_path, "b"):
        raise ValueError("told")
    assert dead_runs(tmp_path) == []


def test_being_stopped_from_outside_is_one(tmp_path):
    with pytest.raises(KeyboardInterrupt), hold_run_lock(tmp_path, "c"):
        raise KeyboardInterrupt
    assert dead_runs(tmp_path) == ["c"]
    remove_run_lock(tmp_path, "c")
    assert dead_runs(tmp_path) == []


def test_nobody_ran_here(tmp_path):
    assert dead_runs(tmp_path) == []
    assert not is_run_locked(tmp_path, "x")
    remove_run_lock(tmp_path, "x")


@pytest.mark.parametrize(("starts", "gives_up"), [(1, False), (4, False), (5, True)])
def test_a_run_that_crashed_too_often_fails_for_good(monkeypatch, starts, gives_up):
    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__RUN_COUNT", str(starts))
    with pytest.raises(GaveUp, match="crashed 4 times") if gives_up else nullcontext(), guarded_run():
        pass


def test_only_the_run_of_a_deployment_holds_a_lock(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("flows.service.run_locks.relax_gc", lambda: None)
    with guarded_run():
        assert not (tmp_path / "data").exists()
    monkeypatch.setenv("PREFECT__RUNTIME__DEPLOYMENT__ID", "d")
    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", "r")
    with guarded_run():
        assert is_run_locked(tmp_path / "data", "r")
    assert dead_runs(tmp_path / "data") == []
