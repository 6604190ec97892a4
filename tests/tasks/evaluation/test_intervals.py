"""Figures by group and over modes: the same as the plain ones where every record is drawn once, and known by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta, t

from tasks.evaluation.intervals import (
    accuracy_intervals,
    design_effect,
    macro_intervals,
    share_interval,
    threshold_metrics,
    weighted_share,
    weighted_tpr,
)
from tasks.evaluation.metrics import macro, per_mode_metrics
from tasks.evaluation.resampling import Resampling


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
    once = Resampling(np.zeros(300), 1, 0.9, 1)  # one unit: every draw is all of it
    for name, (low, high) in macro_intervals(distances, mode, once).items():
        assert low == high == pytest.approx(plain[name])


def test_intervals_hold_their_figures_and_narrow_with_records(judged):
    distances, mode = judged
    plain = macro(per_mode_metrics(distances, mode, list("abcde")))
    widths = {}
    for times in (1, 4):
        more = np.tile(distances, (times, 1)), np.tile(mode, times)
        found = macro_intervals(*more, Resampling(np.arange(300 * times), 300, 0.95, 1))
        assert all(low < plain[name] < high for name, (low, high) in found.items())
        widths[times] = found["accuracy"][1] - found["accuracy"][0]
    assert widths[4] < 0.7 * widths[1]
    by_mode = accuracy_intervals(distances, mode, Resampling(np.arange(300), 300, 0.95, 1))
    assert by_mode[4][1] - by_mode[4][0] > by_mode[0][1] - by_mode[0][0]


def test_drawn_twice_is_as_good_as_there_twice():
    score, positive = np.array([3.0, 2.0, 2.0, 1.0]), np.array([True, True, False, False])
    weights = np.array([[1.0, 2.0, 1.0, 3.0], [1.0, 1.0, 0.0, 1.0], [1.0, 1.0, 0.0, 0.0]])
    found = weighted_tpr(score, positive, weights, 0.2)
    assert found[0] == pytest.approx(1 / 3)  # the two at 2.0 fall together, and bring one of four false alarms
    assert found[1] == 1
    assert np.isnan(found[2])  # no negative was drawn


def test_balanced_accuracy_is_not_won_by_calling_all_good():
    good = np.repeat([True, False], [95, 5])
    found = threshold_metrics(np.zeros(100, bool), good, Resampling(np.arange(100), 100, 0.95, 1))
    assert (found["good_accuracy"], found["good_balanced_accuracy"]) == (0.95, 0.5)
    fpr, tpr = found["good_fpr_interval"][1], found["good_tpr_interval"][1]
    assert found["good_balanced_accuracy_interval"] == pytest.approx((0.5 - fpr / 2, 0.5 + tpr / 2))


def test_rates_without_an_error_have_an_interval_all_the_same():
    """Of 95 good parts none is stopped: Clopper and Pearson's upper end is 1 − 0.025^(1/95)."""
    good = np.arange(100) < 95
    found = threshold_metrics(np.zeros(100, bool), good, Resampling(np.arange(100), 100, 0.95, 1))
    assert found["good_fpr_interval"] == pytest.approx((0, 1 - 0.025 ** (1 / 95)))
    assert found["good_tpr_interval"] == pytest.approx((0, 1 - 0.025 ** (1 / 5)))


def test_a_share_of_groups_that_err_together_has_a_wider_interval():
    """Ten groups of ten, two of them wrong throughout: as few as ten records."""
    units = np.repeat(np.arange(10), 10)
    hit = units < 2
    low, high = share_interval(hit, units, 0.95)
    effect = design_effect(hit, units)
    assert effect == pytest.approx(10 * 10 / 9)
    n = 100 / effect * (t.ppf(0.025, 99) / t.ppf(0.025, 9)) ** 2
    assert (low, high) == pytest.approx((beta.ppf(0.025, 0.2 * n, 0.8 * n + 1), beta.ppf(0.975, 0.2 * n + 1, 0.8 * n)))
    assert design_effect(hit, np.arange(100)) == design_effect(np.zeros(100), units) == 1


def test_records_of_one_group_say_nothing_of_other_groups():
    hit = np.arange(40) < 2
    assert share_interval(hit, np.zeros(40), 0.95) == (0, 1)
    two, many = (share_interval(hit, np.arange(40) % groups, 0.95) for groups in (2, 20))
    assert two[0] < 0.001
    assert two[1] > 0.9
    assert many[1] < 0.25


def test_a_share_is_of_what_was_drawn():
    """Three of four weights hit; of nothing there is no share."""
    share = weighted_share(np.array([[2.0, 1.0, 1.0], [0.0, 0.0, 0.0]]), np.array([1.0, 1.0, 0.0]))
    np.testing.assert_array_equal(share, [0.75, np.nan])
