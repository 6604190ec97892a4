"""`kensa up` and `kensa watch`: their ports, and a watch that goes on after a failure."""

from __future__ import annotations

import json

import pytest

from flows.health.checks import Check
from flows.service.up import Ports
from tasks.core.errors import SomeLinesFailed


@pytest.fixture
def looks(monkeypatch):
    """A watch whose first look fails; the third ends it."""
    seen = []

    def look():
        seen.append(len(seen))
        if len(seen) == 1:
            raise SomeLinesFailed("boards failed")
        if len(seen) == 3:
            raise KeyboardInterrupt
        return ["boards@0123"]

    monkeypatch.setattr("flows.service.server.require_server", lambda needed: None)
    monkeypatch.setattr("flows.watch.watch", look)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return seen


def test_a_watch_goes_on_after_a_failure_until_it_is_ended(run, looks):
    ended = run("watch", "--every", "5")
    assert (ended.code, looks) == (130, [0, 1, 2])
    assert ended.out == "announced: boards@0123\n"
    assert ended.err.splitlines()[0] == "kensa: boards failed; looking again in 5 s"


def test_a_single_look_ends_with_its_error(run, looks):
    ended = run("watch", "--once")
    assert (ended.code, looks) == (SomeLinesFailed.exit_code, [0])
    assert ended.err == "kensa: boards failed\n"


def test_the_ports_are_passed_on(run, monkeypatch):
    ports = []
    monkeypatch.setattr("flows.service.up.up", lambda *values: ports.append(values) or 3)
    assert run("up", "--port", "4300", "--webhook-port", "4380", "--pages-port", "4340").code == 3
    assert run("up", "--review", "boards", "--review-port", "4370").code == 3
    assert ports == [(Ports(4300, 4380, 4340, 4270), None), (Ports(4200, 4280, 4240, 4370), "boards")]


def test_one_look_that_finds_nothing_says_so(run, looks, monkeypatch):
    monkeypatch.setattr("flows.watch.watch", list)
    ended = run("watch", "--once")
    assert ended.code == 0
    assert ended.out.startswith("nothing new: ")


@pytest.fixture
def found(monkeypatch):
    """The checks that are found."""
    checks = [
        Check("disk", "ok", "9 GB free"),
        Check("Hub", "warning", "no answer", "go online"),
    ]
    monkeypatch.setattr("kensa.installation.check_installation", lambda *_: checks)
    return checks


def test_a_warning_is_no_failure(run, found):
    ended = run("doctor")
    lines = [line.split() for line in ended.out.splitlines()]
    assert (ended.code, ended.err) == (0, "")
    assert lines == [["ok", "disk", "9", "GB", "free"], ["warning", "Hub", "no", "answer"], ["Hub:", "go", "online"]]


def test_a_failed_check_is_the_exit_code(run, found):
    found.append(Check("worker", "failed", "none", "run kensa up"))
    ended = run("doctor", "--json")
    assert ended.code == 1
    [*_, last] = json.loads(ended.out)["checks"]
    assert last == {"name": "worker", "verdict": "failed", "found": "none", "cure": "run kensa up"}
