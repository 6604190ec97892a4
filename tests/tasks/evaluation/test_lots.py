"""Thresholds for new lots: by hand, and against what they promise, in simulated lots."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta, norm, t

from tasks.evaluation.lots import LotEffects, certain_rank

TARGET, EACH, WORLDS = 0.05, 50, 300


def test_levels_and_deviations_by_hand():
    """Lots (0, 2), (3, 5), (6, 8): levels 1, 4, 7; deviations ±1 · √2; variance of the levels 9 − 2/2 = 8."""
    effects = LotEffects.of(np.array([0.0, 2, 3, 5, 6, 8]), np.repeat([0, 1, 2], 2))
    assert (effects.lots, effects.mean) == (3, 4.0)
    np.testing.assert_allclose(effects.deviations, np.sqrt(2) * np.array([-1, -1, -1, 1, 1, 1]))
    assert effects.error == pytest.approx(np.sqrt(8 + 9 / 3))


def test_single_records_and_too_few_lots_say_nothing():
    score = np.arange(6.0)
    assert LotEffects.of(score, np.arange(6)) is None
    assert LotEffects.of(score, np.array([0, 0, 1, 1, 2, 3])) is None
    assert LotEffects.of(np.arange(7.0), np.array([0, 0, 1, 1, 2, 2, 3])).lots == 3


def test_equal_lots_have_the_threshold_of_their_records():
    score = np.random.default_rng(0).normal(size=(4, 500))
    score -= score.mean(axis=1, keepdims=True)
    effects = LotEffects.of(score.ravel(), np.repeat(np.arange(4), 500))
    assert effects.error == pytest.approx(0, abs=1e-9)
    assert effects.threshold(TARGET) == pytest.approx(np.quantile(score, 0.95), abs=0.02)


def false_alarms(lots: int, share: float, certain: bool) -> np.ndarray:
    """The share of false alarms in new lots (worlds, 20) whose levels have this share of the variance."""
    rng, rates = np.random.default_rng(lots), []
    for _ in range(WORLDS):
        level, new = np.sqrt(share) * rng.normal(size=lots), np.sqrt(share) * rng.normal(size=20)
        score = (level[:, None] + np.sqrt(1 - share) * rng.normal(size=(lots, EACH))).ravel()
        effects = LotEffects.of(score, np.repeat(np.arange(lots), EACH))
        cut = effects.certain_threshold(TARGET, 0.9) if certain else effects.threshold(TARGET)
        rates.append(norm.sf((cut - new) / np.sqrt(1 - share)))
    return np.array(rates)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("lots", [3, 5, 10])
def test_new_lots_have_the_target_on_average(lots, share):
    """Split conformal on records gives .069 at three lots that share .3 of the variance, .057 at ten."""
    assert 0.02 < false_alarms(lots, share, certain=False).mean() < 0.056


@pytest.mark.parametrize("share", [0.0, 0.3])
@pytest.mark.parametrize("lots", [3, 10])
def test_a_certain_target_holds_in_nine_of_ten_new_lots(lots, share):
    assert (false_alarms(lots, share, certain=True) <= TARGET).mean() > 0.88


def test_the_rank_of_a_certain_target_is_the_first_that_is_enough():
    rank = certain_rank(200, 0.05, 0.9)
    assert beta.cdf(0.05, 200 - rank + 1, rank) >= 0.9 > beta.cdf(0.05, 200 - rank + 2, rank - 1)


def test_a_new_lot_lies_about_the_mean_by_students_t():
    """Without deviations the threshold is the quantile of the level alone: 95 % of t with two degrees of freedom."""
    effects = LotEffects(lots=3, mean=1.0, mean_error=0.2, error=0.5, deviations=np.zeros(1000))
    assert effects.threshold(TARGET) == pytest.approx(1 + 0.5 * t.ppf(0.95, 2), rel=0.02)
    assert effects.certain_threshold(TARGET, 0.9) == pytest.approx(1 + 0.5 * t.ppf(0.9, 2))
    assert effects.interval(2.0, 0.95) == pytest.approx((2 - 0.2 * t.ppf(0.975, 2), 2 + 0.2 * t.ppf(0.975, 2)))
