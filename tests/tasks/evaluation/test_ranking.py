"""Means, intervals, ties, and the simplest among the best."""

from __future__ import annotations

import pytest

from tasks.config.run import RunConfig
from tasks.config.search_space import Sweep
from tasks.core.results import TrialResult
from tasks.evaluation.ranking import rank


def ranked(by_value, figure="auroc", key="fit.margin", parameters=None, run=None):
    """The ranking of candidates by value, each with its figures by seed; a str is the reason of a failure."""
    candidates = Sweep(run=run or RunConfig(), grid=(f"{key}={','.join(by_value)}",)).candidates()
    sizes = parameters or dict.fromkeys(by_value, 100)
    tried = []
    for number, (value, figures) in enumerate(by_value.items()):
        for seed, one in enumerate(figures):
            facts = {"figures": {figure: one}, "seconds": 2.0 + seed, "parameters": sizes[value]}
            tried.append(
                TrialResult(number, seed, {}, failed=one) if isinstance(one, str) else TrialResult(number, seed, facts)
            )
    return rank(candidates, tried, figure, 0.95)


def value(row):
    return next(iter(row.candidate.values.values()))


def test_mean_and_interval_are_students():
    """Of 0.90, 0.92, 0.94: mean 0.92, s = 0.02, t(0.975, 2) = 4.3027, so ± 4.3027 · 0.02 / √3 = 0.04968."""
    (row,) = ranked({"1": [0.90, 0.92, 0.94]}).rows
    assert row.mean == pytest.approx(0.92)
    assert (row.low, row.high) == (pytest.approx(0.87032, abs=1e-5), pytest.approx(0.96968, abs=1e-5))
    assert row.seconds == pytest.approx(3.0)


def test_a_share_stays_within_0_and_1_and_d_prime_need_not():
    (share,) = ranked({"1": [0.9, 1.0]}).rows
    assert share.high == 1.0
    (free,) = ranked({"1": [0.9, 1.0]}, figure="d_prime").rows
    assert free.high > 1.0


def test_one_seed_has_no_interval_and_ties_with_its_equal_alone():
    found = ranked({"1": [0.9], "2": [0.9], "3": [0.89]})
    assert [(row.low, row.high) for row in found.rows] == [(None, None)] * 3
    assert [value(row) for row in found.tied] == ["1", "2"]


def test_the_best_mean_comes_first_and_is_chosen_where_nothing_ties():
    found = ranked({"1": [0.70, 0.71, 0.72], "2": [0.90, 0.91, 0.92], "3": [0.80, 0.81, 0.82]})
    assert [value(row) for row in found.rows] == ["2", "3", "1"]
    assert value(found.chosen) == "2"
    assert found.tied == [found.chosen]


def test_the_simplest_within_the_bests_interval_is_chosen():
    figures = {"1": [0.90, 0.92, 0.94], "2": [0.88, 0.89, 0.90], "3": [0.70, 0.71, 0.72]}
    found = ranked(figures, parameters={"1": 900, "2": 100, "3": 1})
    assert [value(row) for row in found.tied] == ["1", "2"]
    assert value(found.chosen) == "2", "3 is smaller still, but outside"


def test_of_equals_in_size_the_presets_own_value_is_simpler():
    """The preset's margin is 0.4."""
    assert value(ranked({"0.3": [0.90, 0.94], "0.4": [0.89, 0.93]}).chosen) == "0.4"
    assert value(ranked({"0.3": [0.90, 0.94], "0.5": [0.89, 0.93]}).chosen) == "0.3"


def test_a_failed_seed_is_a_reason_and_keeps_its_candidate_from_being_chosen():
    found = ranked({"1": [0.99, "epoch 1: the loss is nan"], "2": [0.80, 0.81], "3": ["dead", "dead"]})
    assert value(found.rows[0]) == "1"
    assert found.rows[0].reasons == ["seed 1: epoch 1: the loss is nan"]
    assert value(found.chosen) == "2"
    assert (found.rows[-1].mean, len(found.rows[-1].reasons)) == (None, 2)


def test_where_every_candidate_lost_a_seed_the_best_of_them_is_chosen():
    assert value(ranked({"1": [0.9, "dead"], "2": [0.8, "dead"]}).chosen) == "1"


def test_a_figure_that_the_data_does_not_have_is_a_failure():
    candidates = Sweep(grid=("fit.margin=1",)).candidates()
    facts = {"figures": {"auroc": 0.9}, "seconds": 1.0, "parameters": 1}
    assert rank(candidates, [TrialResult(0, 42, facts)], "good_auroc", 0.95) is None


def test_nothing_is_chosen_where_all_failed():
    assert ranked({"1": ["dead"], "2": ["dead"]}) is None
