"""`kensa reproduce`: the verdict decides the exit code."""

from __future__ import annotations

import pytest

from tasks.core.results import MetricComparison, ReproduceResult


@pytest.mark.parametrize(("verdict", "code"), [("equal", 0), ("equivalent", 0), ("differs", 1)])
def test_the_exit_code_is_one_where_the_model_differs(run, monkeypatch, verdict, code):
    metrics = {"mode_accuracy": MetricComparison(0.5, 0.25, (0.4, 0.6), within=False)}
    result = ReproduceResult(verdict, "v1", {"again": "abc"}, metrics, ("numpy 2.0, now 2.1",))
    requests = []
    monkeypatch.setattr("tasks.registry.reproduction.find_target", lambda *values: requests.append(values[1]))
    monkeypatch.setattr("kensa.cli.reproduce.require_services", lambda: None)
    monkeypatch.setattr("flows.reproduce.reproduce", lambda *values: requests.append(values) or result)
    ended = run("reproduce", "v1", "--data", "cache")
    assert ended.code == code
    assert ended.out.splitlines() == [
        f"{verdict}: v1, weights abc",
        "  mode accuracy  0.5000  now 0.2500  [0.4000, 0.6000]",
        "  differs: numpy 2.0, now 2.1",
    ]
    assert requests == ["v1", ("v1", "artifacts", "cache")]
