"""`kensa drift`: what is asked of the step, and which charts are printed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.core.inspection import CellsSummary, ChartSummary, DaySummary, DriftResult, VerdictMix

CHARTS = [ChartSummary(title, "dent", 1.0, 1.25, 2.0, 0.001, 9, 3, 40, 5) for title in ("level", "shape", "a", "b")]
MIX = VerdictMix([1, 0, 0], [1, 0, 0], 1.0, 0.0, False)
RESULT = DriftResult("new", "0" * 40, "v2", "drifted", 1000, CHARTS, CellsSummary(12, 0.02, True, None), MIX, "d.html")


@pytest.fixture
def requests(monkeypatch):
    """What reaches the steps, which are left out."""
    seen = []
    monkeypatch.setattr("tasks.download.resolve", lambda source, *_: source)
    monkeypatch.setattr("tasks.download.download", lambda source: source)
    monkeypatch.setattr("tasks.registry.champion.select_release", lambda *_: None)
    monkeypatch.setattr("tasks.drift.drift", lambda *values, **options: seen.append((values, options)) or RESULT)
    return seen


def test_the_clearest_charts_are_printed(run, requests):
    lines = run("drift", "new", "--release", "v2", "--report", "d.html").out.splitlines()
    assert lines[0] == "drifted: 1,000 records against v2  (d.html)"
    assert lines[1] == "  level of mode dent  1 → 1.25  p 0.001  since part 40"
    assert lines[-1].split() == ["12", "cells", "moved", "p", "0.02"]
    assert len(lines) == 5
    assert requests == [
        (
            ("new", Path("artifacts"), Path("d.html")),
            {"version": "v2", "language": None, "config": None, "part": None, "dask": None},
        )
    ]


def test_over_days_the_series_that_changed_are_printed(run, requests, monkeypatch):
    days = [
        DaySummary("level", "dent", 9, "drifted", 1.2, 0.1, 6.0, reason="day"),
        DaySummary("shape", "dent", 9, "drifted", 0.3, lasting=-0.4, lasting_days=7, reason="lasting"),
        DaySummary("score", None, 9, "watch", 0.3, 0.5, reason="level"),
        DaySummary("cells", None, 9, "steady", 0.0),
    ]
    result = replace(RESULT, day=9, counted=1200, days=days)
    monkeypatch.setattr("tasks.drift.drift", lambda *values, **options: result)
    assert run("drift", "new").out.splitlines()[1:6] == [
        "  left out: 1,200 records that earlier days counted",
        "  day 9 of this source: its earlier days judge",
        "  level of mode dent: this day is +1.10 SD from its usual level",
        "  shape of mode dent: a lasting change of -0.40 SD in the last 7 days",
        "  score: the usual level is +0.50 SD from the reference",
    ]


def test_the_json_has_all_charts(run, requests):
    assert json.loads(run("drift", "new", "--json").out)["standing"] == "drifted"
