"""`kensa recalibrate`: the threshold that is asked for, and what it would cost."""

from __future__ import annotations

import pytest

from tasks.core.results import RecalibrateResult

PRICES = {
    "before": {
        "threshold": 0.5,
        "false_alarms": {"value": 0.05},
        "escapes": {"value": 0.02},
        "cost": (1000, 900, 1100),
    },
    "now": {"threshold": 0.75, "false_alarms": {"value": 0.01}, "escapes": {"value": 0.04}, "cost": None},
}
RESULT = RecalibrateResult("released", "v4", "v3", "artifacts/releases/v4", {"value": 0.75}, {"prices": PRICES}, "v3")


@pytest.fixture
def requests(monkeypatch):
    """What reaches the step, which is left out."""
    seen = []
    monkeypatch.setattr("tasks.recalibrate.recalibrate", lambda *values: seen.append(values) or RESULT)
    return seen


def test_the_rule_and_its_target_are_the_request(run, requests):
    words = ["--target", "0.01", "--by", "M. Sato", "--reason", "fewer false alarms"]
    lines = run("recalibrate", "v3", *words).out.splitlines()
    [(_, version, request, promote, author)] = requests
    assert (version, request.rule, request.target, promote) == ("v3", "target_fpr", 0.01, False)
    assert (author.by, author.why) == ("M. Sato", "fewer false alarms")
    assert lines[:2] == ["released: v4  (artifacts/releases/v4)", "  v3 with the threshold 0.75"]
    assert lines[2] == "  before  0.5   false alarms 0.050  escapes 0.020  cost of 10,000 parts 1,000 [900, 1,100]"
    assert lines[-1] == "  champion v3; kensa promote v4 makes it the champion"


def test_the_cheapest_threshold_needs_no_rule(run, requests):
    words = ["--prevalence", "0.002", "--escape", "500", "--overkill", "3", "--currency", "EUR", "--promote"]
    assert run("recalibrate", "--cheapest", *words).code == 0
    [(_, version, request, promote, _)] = requests
    assert (version, request.rule, promote) == (None, "cheapest", True)
    assert (request.cost.prevalence, request.cost.escape, request.cost.overkill) == (0.002, 500, 3)


@pytest.mark.parametrize("target", ["0", "1", "nan"])
def test_a_target_is_a_share(run, requests, target):
    ended = run("recalibrate", "--target", target)
    assert (ended.code, requests) == (2, [])
    assert ended.err.startswith("kensa: --target: expected a share between 0 and 1 such as 0.01, found ")
