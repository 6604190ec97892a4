"""Rates with exact intervals in which a part counts once, the limits of the manual, and kappa."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from tasks.study.agreement import agreement, exact_interval, parts_without_error

HALF = np.arange(300) < 150  # of 300 parts, defects first


def answers(defect, wrong=(), trials=1):
    """The reference in each trial, but for the parts in `wrong`, in the first trial alone."""
    said = np.repeat(defect[:, None], trials, axis=1)
    said[list(wrong), 0] ^= True
    return said


@pytest.mark.slow
def test_149_defects_without_a_miss_show_two_per_cent_and_148_do_not():
    assert parts_without_error(0.02) == 149
    for count, shown in ((149, True), (148, False)):
        defect = np.arange(count + 100) < count
        (appraisal,) = agreement({"a": answers(defect)}, defect).appraisals
        assert (appraisal.misses.count, appraisal.misses.shown, appraisal.misses.needed) == (0, shown, 149)
        assert appraisal.accepted is shown
        assert not appraisal.misses.broken


def test_a_rate_s_interval_is_clopper_s_and_pearson_s():
    (appraisal,) = agreement({"a": answers(HALF, wrong=(0, 1, 2, 200))}, HALF).appraisals
    for rate, count, of in ((appraisal.misses, 3, 150), (appraisal.false_alarms, 1, 150)):
        exact = binomtest(count, of).proportion_ci(0.95, "exact")
        assert (rate.count, rate.of) == (count, of)
        assert rate.interval == pytest.approx((exact.low, exact.high))
    assert (appraisal.effectiveness.count, appraisal.effectiveness.of) == (296, 300)
    assert appraisal.effectiveness.shown
    assert appraisal.repeatability is None


def test_repeats_of_a_part_prove_nothing_of_other_parts():
    once, thrice = (exact_interval(answers(HALF, trials=trials)[HALF] == 0, 0.95) for trials in (1, 3))
    assert once == thrice
    few = np.arange(100) < 50
    (appraisal,) = agreement({"a": answers(few, trials=3)}, few).appraisals
    assert (appraisal.misses.of, appraisal.misses.parts, appraisal.misses.shown) == (150, 50, False)


def test_a_part_is_right_only_where_every_trial_is():
    result = agreement({"a": answers(HALF, wrong=(0, 299), trials=3)}, HALF)
    (appraisal,) = result.appraisals
    assert appraisal.effectiveness.count == 298
    assert appraisal.repeatability.count == 298
    assert (appraisal.misses.count, appraisal.misses.of) == (1, 450)
    assert appraisal.misses.value == pytest.approx(1 / 450)
    assert result.together.count == 298


def test_two_trials_tell_of_repeatability():
    (appraisal,) = agreement({"a": answers(HALF, wrong=(0, 1), trials=2)}, HALF).appraisals
    assert (appraisal.trials, appraisal.repeatability.count, appraisal.repeatability.of) == (2, 298, 300)


def test_a_limit_can_be_broken():
    (appraisal,) = agreement({"a": answers(HALF, wrong=range(30))}, HALF).appraisals
    assert appraisal.misses.broken
    assert not appraisal.misses.shown
    assert not appraisal.accepted
    assert not appraisal.effectiveness.broken, "270 of 300 are 90 %"


@pytest.mark.slow
def test_kappa_of_each_with_the_reference_and_of_two():
    result = agreement({"a": answers(HALF), "b": answers(HALF, wrong=range(15))}, HALF)
    assert result.appraisals[0].kappa.value == 1.0
    assert result.appraisals[1].kappa.value == pytest.approx(0.9)
    (pair,) = result.pairs
    assert (pair.first, pair.second) == ("a", "b")
    assert pair.kappa.value == pytest.approx(0.9)
    assert pair.kappa.interval[0] < 0.9 < pair.kappa.interval[1]


def test_kappa_is_not_defined_where_all_is_alike():
    good = np.zeros(20, bool)
    (appraisal,) = agreement({"a": answers(good)}, good).appraisals
    assert (appraisal.kappa.value, appraisal.misses) == (None, None)
    assert not appraisal.accepted, "without defects nothing is shown of misses"


@pytest.mark.slow
def test_the_json_form():
    entries = agreement({"a": answers(HALF), "b": answers(HALF)}, HALF).as_json()
    assert set(entries) == {"status", "confidence", "parts", "defects", "appraisals", "pairs", "together"}
    assert entries["appraisals"][0]["accepted"] is True
    assert set(entries["pairs"][0]) == {"first", "second", "kappa"}
