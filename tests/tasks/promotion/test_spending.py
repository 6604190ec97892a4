"""The error spent over a year of comparisons with one champion, by simulation of a line."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from tasks.promotion.spending import spent_confidence

WEEKS = 52


def years_with_a_false_promotion(spend: bool, years: int = 4000) -> float:
    """Equally good challengers each week, on one test set: scores of models in units of a difference's deviation."""
    rng = np.random.default_rng(0)
    champion, replaced = rng.normal(0, np.sqrt(0.5), years), np.zeros(years, bool)
    for week in range(1, WEEKS + 1):
        challenger = rng.normal(0, np.sqrt(0.5), years)
        confidence = spent_confidence(0.95, week) if spend else 0.95
        replaced |= challenger - champion > norm.ppf(confidence)
    return float(replaced.mean())


def test_a_year_of_comparisons_replaces_few_champions_wrongly():
    assert years_with_a_false_promotion(spend=True) < 0.05
    assert years_with_a_false_promotion(spend=False) > 0.3, "what would be without"


def test_the_first_comparison_may_err_most():
    confidences = [spent_confidence(0.95, number) for number in (1, 2, 10)]
    assert confidences == pytest.approx([0.985, 0.9925, 0.9985])
