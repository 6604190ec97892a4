"""Figures by group and over modes: the same as the plain ones where every record is drawn once, and known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.evaluation.bootstrap import (
    accuracy_intervals,
    bootstrap_weights,
    macro_intervals,
    threshold_metrics,
    weighted_tpr,
)
from tasks.evaluation.metrics import macro, per_mode_metrics


@pytest.fixture
def judged():
    """300 records of 5 uneven modes, somewhat near their own prototypes."""
    rng = np.random.default_rng(3)
    mode = np.repeat(np.arange(5), [150, 80, 40, 20, 10])
    distances = rng.gamma(4, size=(300, 5)).round(1)  # rounded: ties
    distances[np.arange(300), mode] *= 0.5
    return distances, mode


def test_a_draw_of_every_record_once_gives_the_figures_themselves(judged):
    distances, mode = judged
    plain = macro(per_mode_metrics(distances, mode, list("abcde")))
    for name, (low, high) in macro_intervals(distances, mode, np.ones((1, 300)), 0.9).items():
        assert low == high == pytest.approx(plain[name])


def test_intervals_hold_their_figures_and_narrow_with_records(judged):
    distances, mode = judged
    plain = macro(per_mode_metrics(distances, mode, list("abcde")))
    widths = {}
    for times in (1, 4):
        more = np.tile(distances, (times, 1)), np.tile(mode, times)
        found = macro_intervals(*more, bootstrap_weights(np.arange(300 * times), 300, 1), 0.95)
        assert all(low < plain[name] < high for name, (low, high) in found.items())
        widths[times] = found["accuracy"][1] - found["accuracy"][0]
    assert widths[4] < 0.7 * widths[1]
    alone = accuracy_intervals(distances, mode, bootstrap_weights(np.arange(300), 300, 1), list("abcde"), 0.95)
    assert alone["e"][1] - alone["e"][0] > alone["a"][1] - alone["a"][0]


def test_drawn_twice_is_as_good_as_there_twice():
    score, positive = np.array([3.0, 2.0, 2.0, 1.0]), np.array([True, True, False, False])
    weights = np.array([[1.0, 2.0, 1.0, 3.0], [1.0, 1.0, 0.0, 1.0], [1.0, 1.0, 0.0, 0.0]])
    found = weighted_tpr(score, positive, weights, 0.2)
    assert found[0] == pytest.approx(1 / 3)  # the two at 2.0 fall together, and bring one of four false alarms
    assert found[1] == 1
    assert np.isnan(found[2])  # no negative was drawn


def test_balanced_accuracy_is_not_won_by_calling_all_good():
    good = np.repeat([True, False], [95, 5])
    found = threshold_metrics(np.zeros(100, bool), good, bootstrap_weights(np.arange(100), 100, 1), 0.95)
    assert (found["good_accuracy"], found["good_balanced_accuracy"]) == (0.95, 0.5)
    assert found["good_balanced_accuracy_interval"] == [0.5, 0.5]
