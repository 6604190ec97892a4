"""A process of its own: what crosses to it and back, and what happens when either end dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.core.errors import BadSetting, ProcessDied
from tasks.core.worker_process import WorkerProcess


def living(pid):
    """Whether a process runs; a zombie that nobody waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_values_and_environment_cross():
    with WorkerProcess(KENSA_TEST="there") as there:
        assert there("os:getpid") not in (os.getpid(), None)
        assert there("os:getpid") == there.process.pid, "one process for all calls"
        assert there("os:getenv", "KENSA_TEST") == "there"
    assert os.environ.get("KENSA_TEST") is None
    assert there.process.poll() is not None


def test_what_is_printed_there_is_no_answer():
    with WorkerProcess() as there:
        assert there("builtins:print", "noise") is None
        assert there("builtins:len", "abc") == 3


def test_errors_of_kensa_cross_and_the_process_lives_on():
    with WorkerProcess() as there:
        with pytest.raises(BadSetting, match="widths: expected positive numbers"):
            there("tasks.config.model:parse_widths", "x")
        assert there("tasks.config.model:parse_widths", "4-2") == [4, 2]


def test_any_other_error_ends_it_and_its_last_line_is_told():
    with WorkerProcess() as there, pytest.raises(ProcessDied, match=r"ended with 1: ZeroDivisionError"):
        there("operator:truediv", 1, 0)


def test_a_killed_one_is_told_and_so_is_every_call_after():
    with WorkerProcess() as there:
        with pytest.raises(ProcessDied, match=r"ended with -9 \(killed; was there memory enough\?\)"):
            there("os:kill", there.process.pid, signal.SIGKILL)
        with pytest.raises(ProcessDied):
            there("os:getpid")


def test_it_ends_in_the_midst_of_its_work_when_the_one_that_started_it_is_killed():
    script = (
        "from tasks.core.worker_process import WorkerProcess\n"
        "with WorkerProcess() as there: print(there('os:getpid'), flush=True); there('time:sleep', 600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    assert living(child)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 60
    while living(child) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not living(child)
