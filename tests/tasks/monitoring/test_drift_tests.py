"""The verdict on drift: true without drift, and right about what was changed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control
from support.scored_parts import scored_batches

from tasks.data.map_statistics import RunningMoments
from tasks.monitoring import control_charts
from tasks.monitoring.drift_tests import compare_cells, compare_with_reference, holm, simes, verdict_mix
from tasks.monitoring.reference import NewParts, NewPartsCollector, Reference

FEWER = 2000  # simulated charts, of which the tests need no more


@pytest.fixture(autouse=True)
def fewer_simulations(monkeypatch):
    monkeypatch.setattr(control_charts, "SIMULATED_CHARTS", FEWER)


@pytest.fixture(scope="module")
def compare(small_release):
    """Compares parts with the release's reference."""
    reference, modes = Reference.load_if_stored(small_release.path), small_release.classifier.modes

    def run(parts):
        collector = NewPartsCollector(small_release)
        for batch in scored_batches(small_release, parts, len(parts)):
            collector.update(batch)
        return compare_with_reference(reference, collector.result(), modes, (4, 5))

    return run


def test_parts_like_the_others_are_steady(compare, hidden):
    """Ten sources of the same parts against one reference: over seeds of the model, seven to ten are steady."""
    verdicts = [compare(hidden(each=100, seed=21 + i)) for i in range(10)]
    steady = [verdict for verdict in verdicts if verdict.status == "steady"]
    assert len(steady) >= 5, [verdict.chart_summaries[:2] for verdict in verdicts]
    assert steady[0].leading is None


def test_a_brighter_lamp_is_a_drift_of_level_and_shape_since_then(compare, hidden):
    parts = hidden(each=200, seed=22)
    parts.maps[300:] *= 1.5
    verdict = compare(parts)
    assert verdict.status == "drifted"
    summary = verdict.chart_summaries[0]
    assert summary.p <= 0.05
    assert 250 <= summary.since <= 350  # it is at 300
    assert verdict.leading is verdict.charts[0][0]
    assert (summary.now - summary.then) == pytest.approx(verdict.leading.shift)
    assert all(np.sign(chart.extreme - chart.then) == np.sign(chart.effect) for chart in verdict.chart_summaries)


def test_a_cell_that_changed_is_found_and_named(compare, hidden):
    parts = hidden(each=150, seed=23)
    parts.maps[:, 19] += 0.4  # the last of 4 × 5, of deviation 0.3
    verdict = compare(parts)
    assert verdict.status == "drifted"
    region = verdict.cells_summary.place
    assert (region.rows, region.cols, region.where) == ((4, 4), (5, 5), "lower right")
    assert verdict.cells_summary.rises


def test_more_defects_are_no_drift_of_the_instrument(compare, hidden):
    order = np.flatnonzero((np.arange(600) % 3 > 0) | (np.arange(600) < 60))
    verdict = compare(hidden(each=200, seed=24).take(order))
    others = [summary.p for summary in verdict.chart_summaries if summary.title != "score"]
    assert min(others) > 0.05, "at most the score rises: more slip through among the parts predicted good"
    assert verdict.status == "watch"
    assert verdict.mix.changed


def test_holm_by_hand():
    """Of three, the smallest is tripled, the next doubled, and none falls below the one before."""
    np.testing.assert_allclose(holm([0.02, 0.01, 0.5]), [0.04, 0.03, 0.5])
    np.testing.assert_allclose(holm([0.01, 0.011]), [0.02, 0.02])
    assert holm([]) == []


def test_simes_by_hand():
    """The least of 3·.02/1, 3·.03/2 and 3·.9/3."""
    assert simes(np.array([0.03, 0.9, 0.02])) == pytest.approx(0.045)
    assert simes(np.array([])) == 1.0


def test_cells_are_corrected_for_their_number():
    """Of 2000 cells of noise few may be called, of 40 that moved by a deviation most must be."""
    rng = np.random.default_rng(1)
    old, nothing = rng.normal(size=(200, 2000)).astype(np.float32), np.full(200, "")
    empty = np.empty(0)
    reference = Reference(*[empty] * 5, lot=nothing, verdicts=np.zeros(3), maps=old, map_lot=nothing)
    for moved in (0, 40):
        new = rng.normal(size=(200, 2000))
        new[:, :moved] += 1
        moments = RunningMoments(2000)
        moments.update(new)
        cells = compare_cells(reference, moments.result(), 1, (40, 50))
        assert cells.drifted == pytest.approx(moved, abs=2)
        assert (cells.p <= 0.05) == (moved > 0)
    assert false_discovery_control(cells.q.ravel()).min() <= cells.q.min() * 2000
    assert compare_cells(reference, RunningMoments(2000).result(), 1, (40, 50)) is None, "too few new maps"


def test_the_mix_needs_a_large_change():
    assert not verdict_mix(np.array([500, 500, 0]), np.array([5000, 5300, 0])).changed
    assert verdict_mix(np.array([500, 500, 0]), np.array([300, 700, 0])).changed
    assert not verdict_mix(np.array([10, 0, 0]), np.array([30, 0, 0])).changed


def scores_alone(score, maps=None, lots=None):
    """Records that were all predicted good, with these scores; few maps, if none are given."""
    count = len(score)
    lots = np.full(count, "") if lots is None else lots
    maps = np.empty((0, 20), np.float32) if maps is None else maps
    ones, verdicts = np.ones(count, np.float32), np.array([count, 0, 0])
    return {
        "mode": np.zeros(count, np.int32),
        "beta": ones,
        "sqrt_ve": ones,
        "score": score,
        "good": np.ones(count, bool),
        "lot": lots,
        "verdicts": verdicts,
        "maps": maps,
    }


@pytest.mark.parametrize(("shift", "status"), [(0.15, "steady"), (0.5, "drifted")])
def test_a_certain_shift_that_is_too_small_to_matter_is_no_drift(shift, status):
    rng = np.random.default_rng(2)
    old = Reference(**scores_alone(rng.normal(size=4000)), map_lot=np.empty(0, str))
    new = NewParts(**scores_alone(rng.normal(shift, 1, 100_000)) | {"maps": RunningMoments(20).result()})
    verdict = compare_with_reference(old, new, ["0"], (4, 5))
    (score,) = [(chart, p) for chart, p in verdict.charts if chart.title == "score"]
    assert score[1] < 0.01
    assert verdict.status == status


def test_what_a_reference_with_lots_finds_is_not_steady_on_the_second_day():
    """Both days differ alike, so that the second is as usual; two days cannot show that the usual level is another."""
    rng = np.random.default_rng(1)
    lots = np.repeat([f"L{i}" for i in range(6)], 100)
    level = np.repeat(rng.normal(0, 0.2, 6), 100)
    old = Reference(**scores_alone(level + rng.normal(size=600), lots=lots), map_lot=np.empty(0, str))
    history = None
    for _ in range(2):
        parts = scores_alone(rng.normal(0.8, 1, 200), lots=np.full(200, "new"))
        new = NewParts(**parts | {"maps": RunningMoments(20).result()})
        verdict = compare_with_reference(old, new, ["0"], (4, 5), history)
        history = verdict.history
    (day,) = verdict.days
    assert verdict.charts[0][1] <= 0.02, "the reference finds it"
    assert abs(day.z) < 2
    assert (day.day, day.status, day.reason) == (2, "watch", "day")
    assert verdict.status == "watch"


def by_cell(old, lots, new):
    moments = RunningMoments(old.shape[1])
    moments.update(new)
    reference = Reference(**scores_alone(np.zeros(len(old)), old.astype(np.float32)), map_lot=lots)
    return compare_cells(reference, moments.result(), 1, (4, 5))


def test_cells_that_differ_from_lot_to_lot_may_differ_in_a_new_lot():
    rng = np.random.default_rng(4)
    lots = np.repeat([f"L{i}" for i in range(8)], 50)
    means = np.repeat(rng.normal(size=(8, 20)), 50, axis=0)
    old, new = means + rng.normal(size=(400, 20)), rng.normal(size=20) + rng.normal(size=(400, 20))
    assert by_cell(old, lots, new).p > 0.05
    assert by_cell(old, np.full(400, ""), new).p < 0.001


def test_cells_that_fall_are_found_as_those_that_rise():
    rng = np.random.default_rng(5)
    old, new = rng.normal(size=(400, 20)), rng.normal(size=(400, 20))
    new[:, 19] -= 2
    cells = by_cell(old, np.full(400, ""), new)
    assert not cells.rises
    assert (cells.region.rows, cells.region.cols) == ((4, 4), (5, 5))


def test_a_large_change_of_the_mix_in_a_few_parts_proves_nothing():
    mix = verdict_mix(np.array([6, 4, 0]), np.array([4, 6, 0]))
    assert mix.effect >= 0.1
    assert not mix.changed
