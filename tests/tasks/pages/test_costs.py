"""The chart and the section of a threshold's cost show what is known: rates alone, or money too."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.config.run import CostConfig
from tasks.evaluation.costs import cheapest_threshold, cost_curve
from tasks.pages.costs import cost_chart, cost_section
from tasks.registry.release_files import CalibrationScores

COST = CostConfig(prevalence=0.02, escape=100, overkill=5)
RATES = CostConfig()


@pytest.fixture(scope="module")
def scores():
    """200 good parts about 1, 50 defects about 3; half of each for the calibration."""
    rng = np.random.default_rng(0)
    good = np.repeat([True, False], [200, 50])
    values = rng.normal(np.where(good, 1.0, 3.0), 0.7)
    return CalibrationScores(values, good, np.arange(250) % 2 == 0, np.arange(250), np.array("record"))


def test_without_costs_the_section_has_rates_and_no_cheapest(scores):
    section = cost_section(scores, 2.0, RATES, 0.95)
    assert (section.price.cost, section.best) == (None, None)
    assert section.unit == "record"
    assert "cost" not in section.picture.alt


def test_with_costs_the_cheapest_threshold_is_beside_the_calibrated_one(scores):
    section = cost_section(scores, 2.9, COST, 0.95)
    assert section.best.threshold == cheapest_threshold(scores, COST)
    assert section.price.threshold == 2.9
    assert "what they cost" in section.picture.alt


def test_there_is_no_section_without_a_threshold_or_without_both_kinds(scores):
    assert cost_section(scores, None, COST, 0.95) is None
    alike = CalibrationScores(scores.score, np.ones(250, bool), scores.test, scores.unit, scores.unit_kind)
    assert cost_section(alike, 2.0, COST, 0.95) is None


def test_the_chart_has_a_panel_for_the_money_only_where_it_is_known(scores):
    rates = cost_chart(cost_curve(scores, RATES, 0.95), {"calibrated": 2.0})
    money = cost_chart(cost_curve(scores, COST, 0.95), {"calibrated": 2.0, "cheapest": 1.8})
    assert money.height > rates.height
    panels = [picture.content.count(b'id="axes_') for picture in (rates, money)]
    assert panels == [1, 2]
