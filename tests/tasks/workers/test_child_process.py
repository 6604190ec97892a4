"""A child process: what crosses to it and back, and what happens when parent or child dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.core.errors import BadSetting, ProcessDied
from tasks.workers.child_process import WorkerProcess


def is_alive(pid):
    """Whether a process runs; a zombie that nobody waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_values_and_environment_cross():
    with WorkerProcess(KENSA_TEST="child") as worker:
        assert worker.call("os:getpid") not in (os.getpid(), None)
        assert worker.call("os:getpid") == worker.process.pid, "one process for all calls"
        assert worker.call("os:getenv", "KENSA_TEST") == "child"
    assert os.environ.get("KENSA_TEST") is None
    assert worker.process.poll() is not None


def test_what_the_child_prints_is_no_answer():
    with WorkerProcess() as worker:
        assert worker.call("builtins:print", "noise") is None
        assert worker.call("builtins:len", "abc") == 3


def test_errors_of_kensa_cross_and_the_child_goes_on():
    with WorkerProcess() as worker:
        with pytest.raises(BadSetting, match="widths: expected positive numbers"):
            worker.call("tasks.config.model:parse_widths", "x")
        assert worker.call("tasks.config.model:parse_widths", "4-2") == [4, 2]


def test_any_other_error_ends_it_and_its_last_line_is_reported():
    with WorkerProcess() as worker, pytest.raises(ProcessDied, match=r"ended with 1: ZeroDivisionError"):
        worker.call("operator:truediv", 1, 0)


def test_a_killed_child_is_reported_at_every_later_call():
    with WorkerProcess() as worker:
        with pytest.raises(ProcessDied, match=r"ended with -9 \(killed; was there enough memory\?\)"):
            worker.call("os:kill", worker.process.pid, signal.SIGKILL)
        with pytest.raises(ProcessDied):
            worker.call("os:getpid")


def test_the_child_ends_at_once_when_its_parent_is_killed():
    script = (
        "from tasks.workers.child_process import WorkerProcess\n"
        "with WorkerProcess() as worker: print(worker.call('os:getpid'), flush=True); worker.call('time:sleep', 600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    assert is_alive(child)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 60
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(child)
