"""The model beside baselines and champion: places on an axis, and the best of each column, by hand."""

from __future__ import annotations

from support.evaluations import comparison, mode_difference, pairs, report

from tasks.config.run import GateConfig
from tasks.evaluation.comparison_report import MetricDifference
from tasks.report.leaderboard import (
    baseline_table,
    champion_table,
    comparison_table,
    difference_charts,
    gate_metric_axis,
)


def test_places_of_differences_by_hand():
    """The widest end is 0.03, so the axis reaches to 0.05: +0.01 lies at 60 %, −0.03 at 20 %."""
    entry = MetricDifference(0.01, (-0.03, 0.02), 40.0)
    compared = comparison(figures={"auroc": entry}, modes={"a": mode_difference(-1.0, None)})
    charts = difference_charts(compared, GateConfig(mode_margin=0.5))
    (row,) = charts.figures.lines
    assert (row.place, row.ends, row.vetoes) == (60.0, (20.0, 70.0), True)
    assert charts.figures.ticks == [("-0.05", 0.0), ("0", 50.0), ("+0.05", 100.0)]
    assert (charts.modes.limit, charts.modes.lines[0].place, charts.modes.hidden) == (25.0, 0.0, 0)
    assert difference_charts(None, GateConfig()) is None


def test_the_axis_has_this_model_the_best_raw_map_and_the_champion():
    """Values 0.9 (0.85 to 0.95) and 0.7, so the axis begins at 0.7; the untrained tower has no place."""
    axis = gate_metric_axis(report())
    assert [(row.who, row.value, row.place) for row in axis.rows] == [
        ("this model", 0.9, 66.67),
        ("best raw map, RT", 0.7, 0.0),
    ]
    assert axis.rows[0].ends == (50.0, 83.33)
    assert axis.ticks == [("0.7", 0.0), ("0.85", 50.0), ("1", 100.0)]
    assert gate_metric_axis(report(comparison=comparison())).rows[-1].who == "champion v3"


def test_the_best_of_a_column_is_marked_and_of_the_error_rate_the_smallest():
    table = comparison_table({"a": pairs(0.5, eer=0.1), "b": pairs(0.6, eer=0.2, good_auroc=0.7)})
    column = {title: i for i, title in enumerate(table.columns)}
    assert table.rows["a"][column["equal error rate"]] == (0.1, True)
    assert table.rows["b"][column["verification AUROC"]] == (0.6, True)
    assert table.rows["a"][column["good-or-defect AUROC"]] == (None, False)
    assert list(baseline_table(report()).rows)[-1] == "this model"
    assert champion_table(None) is None
    assert list(champion_table(comparison()).rows) == ["champion v3", "this model"]
