"""Paired error rates: intervals by their defining equation, exact p-values by hand, and Holm's correction."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import binom, t

from tasks.evaluation.resampling import Resampling
from tasks.promotion.paired_rates import (
    AnomalyScores,
    adjusted_p_values,
    error_differences,
    fall_p_value,
    score_interval,
)


def answers(n: int, gained: int, lost: int) -> tuple[np.ndarray, np.ndarray]:
    """Two models' errors (n,): `gained` only of the first, `lost` only of the second."""
    place = np.arange(n)
    return place < gained, (place >= gained) & (place < gained + lost)


@pytest.mark.parametrize(("n", "gained", "lost"), [(44, 0, 1), (100, 3, 12), (150, 33, 0), (30, 10, 10)])
def test_the_ends_solve_tangos_equation(n, gained, lost):
    """(b − c − nδ)² = t²·n·(2q + δ(1 − δ)), with the most likely q under δ, found here by search."""
    quantile = t.ppf(0.95, n - 1)
    share = np.linspace(1e-9, 1, 200001)
    for end in score_interval(*answers(n, gained, lost), np.arange(n), 0.95):
        first = share + end  # of records that only the first has wrong
        inside = (first > 0) & (first + share < 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            likelihood = gained * np.log(first) + lost * np.log(share)
            likelihood = likelihood + (n - gained - lost) * np.log(1 - first - share)
        q = share[np.nanargmax(np.where(inside, likelihood, -np.inf))]
        variance = n * (2 * q + end * (1 - end))
        assert (gained - lost - n * end) ** 2 == pytest.approx(quantile**2 * variance, rel=1e-2)


def test_models_that_agree_everywhere_have_an_interval_all_the_same():
    """t²/(n + t²): of 100 records 2.7 %, of 30 more than 5 %."""
    for n in (30, 100):
        square = t.ppf(0.95, n - 1) ** 2
        low, high = score_interval(*answers(n, 0, 0), np.arange(n), 0.95)
        assert (low, high) == pytest.approx((-square / (n + square), square / (n + square)), rel=1e-6)


def test_ends_mirror_each_other_and_stay_within_one():
    first, second = answers(40, 7, 2)
    low, high = score_interval(first, second, np.arange(40), 0.95)
    assert score_interval(second, first, np.arange(40), 0.95) == pytest.approx((-high, -low))
    assert low < 5 / 40 < high
    assert score_interval(*answers(5, 5, 0), np.arange(5), 0.95)[1] == 1


def test_groups_that_change_together_widen_the_interval():
    """Twenty groups of ten: errors gained by whole groups count as few, spread ones as in single records."""
    group = np.repeat(np.arange(20), 10)
    together = np.isin(group, [0, 1, 2])
    spread = np.arange(200) % 10 < np.repeat([2, 1], 100)
    nothing = np.zeros(200, bool)
    wide, narrow = (score_interval(errors, nothing, group, 0.95) for errors in (together, spread))
    assert together.sum() == spread.sum() == 30
    assert wide[0] < 0.05 < narrow[0] < 0.15 < narrow[1] < wide[1]
    records = score_interval(spread, nothing, np.arange(200), 0.95)
    assert narrow[0] == pytest.approx(records[0], abs=0.005)


def test_errors_are_those_at_each_models_own_threshold():
    good = np.array([True, True, True, False, False])
    champion = AnomalyScores(np.array([1.0, 5.0, 2.0, 9.0, 4.0]), 4.5)
    challenger = AnomalyScores(np.array([0.1, 0.2, 0.3, 0.2, 0.9]), 0.25)
    found = error_differences(challenger, champion, good, Resampling(np.arange(5), 10, 0.95, 1))
    escapes, alarms = found["escapes"], found["false_alarms"]
    assert (escapes.n, escapes.challenger, escapes.champion, escapes.difference) == (2, 1, 1, 0.0)
    assert (alarms.n, alarms.challenger, alarms.champion, alarms.difference) == (3, 1, 1, 0.0)
    assert escapes.interval[0] < 0 < escapes.interval[1]


def test_the_chance_of_a_fall_is_that_of_all_signs():
    """Groups with sums −3, 2 and −1: of the eight signings, three have a sum of −2 or less."""
    change = np.array([-1, -1, -1, 1, 1, -1, 1, -1])
    units = np.array([0, 0, 0, 1, 1, 2, 3, 3])
    low = sum(sum(signs) <= -2 for signs in product((-3, 3), (-2, 2), (-1, 1)))
    assert fall_p_value(change, units) == pytest.approx((low / 8, 1 / 8))


def test_of_single_records_it_is_mcnemars():
    change = np.repeat([-1, 1, 0], [9, 2, 30])
    p, least = fall_p_value(change, np.arange(41))
    assert (p, least) == pytest.approx((binom.cdf(2, 11, 0.5), 0.5**11))
    assert fall_p_value(np.zeros(4), np.arange(4)) == (1.0, 1.0)


def test_holms_correction():
    """With tests that could all reject: 3 · .01, 2 · .02, then .04; none falls below an earlier one."""
    assert adjusted_p_values([(0.04, 0), (0.01, 0), (0.02, 0)]) == pytest.approx([0.04, 0.03, 0.04])
    assert adjusted_p_values([(0.6, 0), (0.7, 0)]) == [1.0, 1.0]
    assert adjusted_p_values([]) == []


def test_a_test_that_cannot_reject_does_not_count():
    """Five records lost of five, beside ten modes in which the models differ in one record each."""
    modes = [(0.5**5, 0.5**5), *[(0.5, 0.5)] * 10]
    assert adjusted_p_values(modes)[0] == 0.5**5
