"""`kensa drift`: what is asked of the step, and which charts are printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.core.inspection import CellsSummary, ChartSummary, DriftResult, VerdictMix

CHARTS = [ChartSummary(title, "dent", 1.0, 1.25, 2.0, 0.001, 9, 3, 40, 5) for title in ("level", "shape", "a", "b")]
MIX = VerdictMix([1, 0, 0], [1, 0, 0], 1.0, 0.0, False)
RESULT = DriftResult("new", "0" * 40, "v2", "drifted", 1000, CHARTS, CellsSummary(12, 0.02, True, None), MIX, "d.html")


@pytest.fixture
def requests(monkeypatch):
    """What reaches the steps, which are left out."""
    seen = []
    monkeypatch.setattr("tasks.download.resolve", lambda source, *_: source)
    monkeypatch.setattr("tasks.download.download", lambda source: source)
    monkeypatch.setattr("tasks.drift.drift", lambda *values, **options: seen.append((values, options)) or RESULT)
    return seen


def test_the_clearest_charts_are_printed(run, requests):
    lines = run("drift", "new", "--release", "v2", "--report", "d.html").out.splitlines()
    assert lines[0] == "drifted: 1,000 records against v2  (d.html)"
    assert lines[1] == "  level of mode dent  1 → 1.25  p 0.001  since part 40"
    assert lines[-1].split() == ["12", "cells", "moved", "p", "0.02"]
    assert len(lines) == 5
    assert requests == [
        (("new", Path("artifacts"), Path("d.html")), {"version": "v2", "language": None, "config": None, "part": None})
    ]


def test_the_json_has_all_charts(run, requests):
    assert json.loads(run("drift", "new", "--json").out)["standing"] == "drifted"
