"""What is resampled, and the ends of intervals: by hand, and by simulation with few groups."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import norm, t
from support import inspected_parts as parts

from tasks.config.run import EvaluateConfig, RunConfig
from tasks.evaluation.intervals import share_interval, weighted_auroc
from tasks.evaluation.resampling import Resampling, effective_units

CONFIG = RunConfig(data=parts.DATA, evaluate=EvaluateConfig(bootstrap=100))


def test_records_are_drawn_and_the_first_row_is_the_records_as_they_are():
    weights = Resampling(np.arange(20), 500, 0.95, 1).weights
    assert weights.shape == (501, 20)
    assert (weights[0] == 1).all()
    assert (weights.sum(axis=1) == 20).all()
    assert weights[1:].std() == pytest.approx(1, abs=0.1)
    np.testing.assert_array_equal(weights, Resampling(np.arange(20), 500, 0.95, 1).weights)


def test_each_group_is_left_out_once():
    units = np.array(["a", "a", "b", "c", "c", "c"])
    weights = Resampling(units, 500, 0.95, 1, "group").weights
    np.testing.assert_array_equal(
        weights, [[1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1], [1, 1, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0]]
    )
    rows = units != "b"
    np.testing.assert_array_equal(Resampling(units, 5, 0.95, 1, "group").among(rows).weights, weights[:, rows])


@pytest.mark.parametrize(
    ("groups", "unit"),
    [(0, "record"), (1, "record (too few groups: 1)"), (2, "record (too few groups: 2)"), (3, "group")],
)
def test_groups_are_the_units_from_three_on(groups, unit):
    bank = parts.banked(parts.inspected(modes=3, each=60, groups=groups))
    assert Resampling.of(bank, bank.rows("test"), CONFIG).unit == unit


def test_how_many_units_make_a_sum():
    """Equal shares count one each, an unequal one less: (3 + 1)²/(9 + 1); a unit counts by its sum."""
    every = np.arange(4)
    assert effective_units(np.array([1.0, -1.0, 1.0, 0.0]), every) == 3
    assert effective_units(np.array([3.0, 1.0, 0.0, 0.0]), every) == pytest.approx(1.6)
    assert effective_units(np.array([1.0, 1.0, 1.0, 0.0]), np.array([0, 0, 1, 1])) == pytest.approx(9 / 5)
    assert effective_units(np.zeros(4), every) == 0


def test_the_ends_move_outwards_for_few_units():
    """Of 0 … 999 the 5 % percentile is 49.95. Ten units: t₉ = 1.8331, times √(10/9) is 1.9323, Φ(−1.9323) = 2.67 %."""
    values = np.append(0, np.random.default_rng(0).permutation(1000)).astype(float)
    records = Resampling(np.arange(10000), 1000, 0.95, 1)
    assert records.difference_interval(values, 10000) == (49.0, 950.0)
    assert records.difference_interval(values, 10) == (26.0, 973.0)
    assert records.difference_interval(values, 1) == records.difference_interval(values, 0) == (0.0, 999.0)
    assert records.difference_interval(np.append(values, np.nan), 10000) == (49.0, 950.0)
    few = Resampling(np.arange(10), 1000, 0.95, 1)
    assert few.difference_interval(values, 10000) == (26.0, 973.0), "no more units than there are"


def test_the_interval_of_groups_by_hand():
    """Accuracies .8, .9, 1 in three groups of ten: without each .95, .9, .85; error √(2/3 · 2 · .05²) = .05774."""
    groups = Resampling(np.repeat(np.arange(3), 10), 50, 0.95, 1, "group")
    values = np.array([0.9, 0.95, 0.9, 0.85])
    reach = t.ppf(0.975, 2) * 0.0577350 / 0.09
    assert groups.interval(values) == pytest.approx((expit(logit(0.9) - reach), expit(logit(0.9) + reach)), rel=1e-5)
    low, high = groups.difference_interval(values - 0.9, 3)
    assert (low, high) == pytest.approx((-t.ppf(0.95, 2) * 0.0577350, t.ppf(0.95, 2) * 0.0577350), rel=1e-5)


def test_what_has_no_value_without_a_group_is_not_known():
    groups = Resampling(np.repeat(np.arange(3), 10), 50, 0.95, 1, "group")
    assert groups.interval(np.array([0.9, np.nan, 0.9, 0.9])) == (0, 1)
    assert groups.difference_interval(np.array([0.1, np.nan, 0.1, 0.1]), 3) == (-1, 1)
    assert groups.difference_interval(np.array([0.1, 0.0, 0.15, 0.15]), 1) == (-1, 1), "one group makes all of it"
    assert groups.interval(np.full(4, 0.9)) == (0.9, 0.9)
    assert groups.difference_interval(np.zeros(4), 0) == (0, 0)


@pytest.mark.parametrize("groups", [3, 5])
def test_few_groups_cover(groups):
    """Lots that share a third of the variance: 95 % intervals hold the truth in 93 % or more (300 worlds: ± 2.5)."""
    rng, held = np.random.default_rng(groups), {"auroc": 0, "share": 0}
    units = np.repeat(np.arange(groups), 50)
    for _ in range(300):
        luck = np.sqrt(0.3) * rng.normal(size=(3, groups))[:, units] + np.sqrt(0.7) * rng.normal(size=(3, len(units)))
        defect = rng.random(len(units)) < 0.5
        score, right = np.where(defect, 1.5 + luck[0], luck[1]), luck[2] < norm.ppf(0.9)
        resampling = Resampling(units, 50, 0.95, 1, "group")
        low, high = resampling.interval(weighted_auroc(score, defect, resampling.weights))
        held["auroc"] += low <= norm.cdf(1.5 / 2**0.5) <= high
        low, high = share_interval(right, units, 0.95)
        held["share"] += low <= 0.9 <= high
    assert min(held.values()) > 0.905 * 300, held
