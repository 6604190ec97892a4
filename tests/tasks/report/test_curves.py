"""Curves agree with scikit-learn's, bands with resampled records, and both with the figures' own intervals."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve, roc_curve

from tasks.evaluation.resampling import Resampling
from tasks.report.curves import RATES, RECALLS, curve, weighted_curves

RNG = np.random.default_rng(11)


@pytest.mark.parametrize("decimals", [0, 1, 12])
def test_the_curves_are_those_of_scikit_learn(decimals):
    """At every rate the largest TPR that fits; at every recall the precision of the first cut that reaches it."""
    positive = RNG.random(150) < 0.3
    score = (RNG.normal(size=150) + positive).round(decimals)
    (rates,), (precision,) = weighted_curves(score, positive, np.ones((1, 150)), np.arange(150))
    fpr, tpr, _ = roc_curve(positive, score, drop_intermediate=False)
    np.testing.assert_allclose(rates, [tpr[fpr <= at].max() for at in RATES])
    theirs, recall, _ = precision_recall_curve(positive, score)
    first = [np.flatnonzero(recall >= at - 1e-12)[-1] for at in RECALLS]  # theirs begin with everything called
    np.testing.assert_allclose(precision, theirs[first])


def test_a_weight_is_a_repetition_of_the_record_with_all_its_pairs():
    """Twelve records of three pairs each; record i drawn w times is the same as its pairs repeated w times."""
    score, positive, owner = (
        RNG.normal(size=36).round(1),
        np.tile([True, False, False], 12),
        np.repeat(np.arange(12), 3),
    )
    weights = RNG.integers(0, 4, (5, 12)).astype(float)
    drawn = weighted_curves(score, positive, weights, owner)
    for i, weight in enumerate(weights):
        pairs = np.repeat(np.arange(36), weight[owner].astype(int))
        alone = weighted_curves(score[pairs], positive[pairs], np.ones((1, 1)), np.zeros(len(pairs), int))
        for own, other in zip(drawn, alone, strict=True):
            np.testing.assert_allclose(own[i], other[0])


def test_a_draw_of_one_class_alone_gives_no_curve():
    rates, precision = weighted_curves(np.array([1.0, 0]), np.array([True, False]), np.eye(2), np.arange(2))
    assert np.isnan(rates).all()
    assert np.isnan(precision).all()


def test_bands_hold_the_curve_and_narrow_with_records():
    widths = []
    for count in (60, 960):
        positive = np.arange(count) % 2 == 0
        score = np.random.default_rng(1).normal(size=count) + positive
        one = curve(score, positive, np.arange(count), Resampling(np.arange(count), 200, 0.95, 2))
        low, high = one.roc_band
        assert ((low <= one.roc + 1e-12) & (one.roc <= high + 1e-12)).mean() > 0.95
        widths.append((high - low)[(RATES > 0.05) & (RATES < 0.8)].mean())
    assert widths[1] == pytest.approx(widths[0] / 4, rel=0.4)  # sixteen times the records
