"""The drift page: the verdict in plain words, a chart for each clear series, the cells that changed."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.core.inspection import DriftResult, Region, VerdictMix
from tasks.monitoring.control_charts import ControlChart, VarianceComponents
from tasks.monitoring.drift_tests import CellTests, DriftVerdict
from tasks.pages import drift as drift_page
from tasks.pages.drift import render_drift

HOSTILE = "<script>alert(1)</script>"
STEADY = VerdictMix([0.9, 0.1, 0.0], [0.9, 0.1, 0.0], 1.0, 0.0, False)


def chart(title="level", mode=HOSTILE, effect=1.5, since=75):
    """Ten points whose last five lie far above the limits."""
    means = np.repeat([1.0, 1.5], 5)
    return ControlChart(
        title=title,
        mode=mode,
        spread=VarianceComponents(1.0, 0.3, 0.0, 0, 100),
        low=0.8,
        high=1.2,
        means=means,
        first=np.arange(10) * 25,
        average=means,
        beyond=5,
        p=0.001,
        shift=0.25,
        effect=effect,
        since=since,
    )


def rendered(small_release, status, charts, cells=None, mix=STEADY, language="en"):
    verdict = DriftVerdict(status, charts, cells, 0.001 if cells else 1.0, mix)
    summaries = verdict.chart_summaries, verdict.cells_summary, verdict.mix
    result = DriftResult("acme/new", "abc", "v1", status, 250, *summaries)
    return render_drift(small_release, verdict, result, language)


@pytest.mark.parametrize(
    ("title", "effect", "sentences"),
    [
        ("level", 1.5, ["rose by 45 %", "Out of control since part 75.", "lamp, exposure or camera gain"]),
        ("shape", 1.5, ["45 % farther from its mean map", "a new kind of defect"]),
        ("score", 1.5, ["The score of parts predicted good rose by 45 %."]),
    ],
)
def test_a_drift_is_said_in_plain_words(small_release, title, effect, sentences):
    text = rendered(small_release, "drifted", [(chart(title, effect=effect), 0.001)])
    assert "✗ DRIFTED" in text
    assert HOSTILE not in text
    for sentence in sentences:
        assert sentence in text


def test_cells_are_shown_with_their_region(small_release):
    effect, q = np.zeros((4, 5)), np.ones((4, 5))
    effect[3, 4], q[3, 4] = 1.25, 0.001
    cells = CellTests(effect, q, 0.001, 1, Region((3, 4), (5, 5), "lower right"), True)
    text = rendered(small_release, "drifted", [], cells)
    assert "Changed cells of parts predicted good: 1. The largest rise is in rows 3–4, columns 5 (lower right)." in text
    assert "largest change 1.25 standard deviations" in text
    assert "Too few parts for a chart." in text


def test_steady_parts_name_no_cause(small_release):
    text = rendered(small_release, "steady", [(chart(effect=0.1, since=None), 1.0)])
    assert "✓ STEADY" in text
    assert "Level, shape and score are within the usual variation between lots." in text
    assert "Out of control" not in text
    assert "Too few parts predicted good to compare their maps." in text


def test_a_changed_mix_is_to_be_watched_in_the_readers_language(small_release):
    mix = VerdictMix([0.9, 0.1, 0.0], [0.5, 0.5, 0.0], 0.0, 0.4, True)
    text = rendered(small_release, "watch", [], mix=mix, language="ja")
    assert "▲ 要注意" in text
    assert "判定の割合が変わった" in text


def test_only_the_clearest_charts_are_drawn_and_all_are_listed(small_release, monkeypatch):
    monkeypatch.setattr(drift_page, "MAX_CHARTS", 1)
    text = rendered(small_release, "drifted", [(chart(mode=f"mode {i}"), 0.001) for i in range(3)])
    assert text.count('alt="control chart of the level') == 1
    assert "mode 2" in text
