"""The JSON forms of scoring and drift results: keys that others read."""

from __future__ import annotations

import json
from pathlib import Path

from tasks.core.inspection import (
    CellsSummary,
    ChartSummary,
    DriftResult,
    FlipSummary,
    LabelledResult,
    Proportion,
    Region,
    RightVerdicts,
    ScoreRequest,
    ScoreResult,
    VerdictChange,
    VerdictMix,
)


def test_flips_lie_beside_the_verdicts():
    assert ScoreRequest(Path("out/today.parquet")).flips_path == Path("out/today.flips.parquet")


def test_the_json_of_a_scoring():
    rate = Proportion(0.1, 1, 10, (0.0, 0.4))
    labelled = LabelledResult(
        10, 0, 0, {"good": {}, "defect": {}}, rate, None, None, None, None, ["0"], None, [[1]], {}
    )
    flips = FlipSummary("v1", 10, 3, (VerdictChange("good", "defect", 3),), RightVerdicts(1, 2, 0), "v.flips.parquet")
    result = ScoreResult("parts", "abc", "v2", "v.parquet", {"good": 10}, labelled, flips)
    entries = json.loads(json.dumps(result.as_json()))
    names = {"source", "revision", "release", "path", "counts", "figures", "flips", "page", "unread", "shadow"}
    assert set(entries) == names
    assert entries["figures"]["false_alarms"] == {"rate": 0.1, "count": 1, "of": 10, "interval": [0.0, 0.4]}
    assert entries["flips"] == {
        "against": "v1",
        "records": 10,
        "flipped": 3,
        "pairs": [{"from": "good", "to": "defect", "count": 3}],
        "right": {"this": 1, "against": 2, "neither": 0},
        "path": "v.flips.parquet",
    }
    plain = ScoreResult("parts", "abc", "v2", "v.parquet", {"good": 10}).as_json()
    assert (plain["figures"], plain["flips"], plain["page"]) == (None, None, None)


def test_the_json_of_a_drift_and_its_significant_charts():
    charts = [ChartSummary("level", "1", 1.0, 1.5, 2.0, p, 10, 3, 75, 4) for p in (0.01, 0.2)]
    cells = CellsSummary(2, 0.01, True, Region((4, 4), (5, 5), "lower right"))
    mix = VerdictMix([1.0, 0.0, 0.0], [0.5, 0.5, 0.0], 0.0, 0.3, True)
    result = DriftResult("parts", "abc", "v1", "drifted", 100, charts, cells, mix, "d.html")
    entries = json.loads(json.dumps(result.as_json()))
    assert set(entries) == {
        "source",
        "revision",
        "release",
        "standing",
        "records",
        "charts",
        "cells",
        "mix",
        "page",
    } | {"unread", "left_out", "counted", "day", "days"}
    assert entries["standing"] == "drifted"
    assert entries["cells"]["place"] == {"rows": [4, 4], "cols": [5, 5], "where": "lower right"}
    assert entries["charts"][0]["since"] == 75
    assert result.significant_charts == charts[:1]
