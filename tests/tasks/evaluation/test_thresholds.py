"""Thresholds: each rule against all possible cuts, the conformal one against its guarantee, and refusals."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import norm

from tasks.config.fields import allowed_values
from tasks.config.run import EvaluateConfig
from tasks.evaluation.resampling import Resampling
from tasks.evaluation.thresholds import (
    RULES,
    THRESHOLD_DRAWS,
    Rule,
    calibrate,
    max_f1,
    min_precision,
    min_recall,
    target_fpr,
    target_fpr_pac,
    youden,
)


def scores(seed: int, count: int = 120, decimals: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping scores of good and defect, with ties."""
    rng = np.random.default_rng(seed)
    positive = rng.random(count) < 0.4
    return (rng.normal(0, 1, count) + 1.2 * positive).round(decimals), positive


def called(score: np.ndarray, positive: np.ndarray, cut: float) -> dict[str, float]:
    """What `score > cut` is worth, as a verdict uses it."""
    over = score > cut
    hits = (over & positive).sum()
    return {
        "tpr": hits / positive.sum(),
        "fpr": (over & ~positive).sum() / (~positive).sum(),
        "precision": hits / max(over.sum(), 1),
        "f1": 2 * hits / (over.sum() + positive.sum()),
    }


def every_cut(score: np.ndarray, positive: np.ndarray) -> list[dict[str, float]]:
    return [called(score, positive, cut) for cut in [score.min() - 1, *np.unique(score)[:-1]]]


SEEDS = pytest.mark.parametrize("seed", range(8))


def test_conformal_rank():
    """n = 99 good scores 1 … 99, α = 5 %: ⌈100 · .95⌉ = the 95th smallest."""
    score = np.random.default_rng(0).permutation(np.arange(1.0, 110))
    positive = score > 99
    assert target_fpr(score, positive, 0.05) == 95
    assert target_fpr(score, positive, 0.5) == 50
    assert target_fpr(score, positive, 0.9) == 10


@pytest.mark.parametrize("target", ["0.01", "0.05", "0.07", "0.1", "0.172", "0.3", "0.9"])
def test_conformal_rank_is_exact_for_every_count(target):
    """Floating point makes 250 · (1 − .172) a hair more than 207: the rank must be 207 all the same."""
    exact = Fraction(target)
    for count in range(math.ceil(1 / exact), 500):
        rank = math.ceil((count + 1) * (1 - exact))
        assert target_fpr(np.arange(1.0, count + 1), np.zeros(count, bool), float(target)) == min(rank, count)


@pytest.mark.parametrize(("target", "needed"), [(0.05, 20), (0.01, 100), (0.07, 15), (0.5, 2)])
def test_too_few_good_records_are_refused(target, needed):
    good = np.arange(float(needed))
    assert target_fpr(good, np.zeros(needed, bool), target) in good
    with pytest.raises(ValueError, match=f"{needed - 1} good calibration records, .* of {target:g} needs {needed}"):
        target_fpr(good[1:], np.zeros(needed - 1, bool), target)
    many_defects = np.ones(1000, bool)
    with pytest.raises(ValueError, match="needs"):
        target_fpr(np.ones(1000 + needed - 1), np.append(many_defects, np.zeros(needed - 1, bool)), target)


@pytest.mark.parametrize("target", [0.02, 0.05, 0.1])
def test_conformal_coverage(target):
    """Over 3000 calibrations on 100 records, a new good record passes the cut with a chance in α − 1/(n+1) … α."""
    rng = np.random.default_rng(1)
    draws = rng.standard_exponential((3000, 101))
    good = np.zeros(100, bool)
    alarms = np.mean(
        [new > target_fpr(past, good, target) for *past, new in map(list, draws) for past in [np.array(past)]]
    )
    spread = 3 * math.sqrt(target / 3000)
    assert target - 1 / 101 - spread < alarms < target + spread


@SEEDS
def test_youden_is_the_best_of_all_cuts(seed):
    score, positive = scores(seed)
    found = called(score, positive, youden(score, positive, 0))
    best = max(every["tpr"] - every["fpr"] for every in every_cut(score, positive))
    assert found["tpr"] - found["fpr"] == pytest.approx(best)


@SEEDS
def test_max_f1_is_the_best_of_all_cuts(seed):
    score, positive = scores(seed)
    best = max(every["f1"] for every in every_cut(score, positive))
    assert called(score, positive, max_f1(score, positive, 0))["f1"] == pytest.approx(best)


@SEEDS
@pytest.mark.parametrize("target", [0.5, 0.7, 0.9])
def test_min_precision_has_the_largest_recall_of_all_cuts_that_reach_it(seed, target):
    score, positive = scores(seed)
    enough = [every["tpr"] for every in every_cut(score, positive) if every["precision"] >= target]
    if not enough:
        with pytest.raises(ValueError, match="no cut reaches a precision of"):
            min_precision(score, positive, target)
        return
    found = called(score, positive, min_precision(score, positive, target))
    assert found["precision"] >= target
    assert found["tpr"] == pytest.approx(max(enough))


@SEEDS
@pytest.mark.parametrize("target", [0.5, 0.9, 0.9999])
def test_min_recall_has_the_largest_precision_of_all_cuts_that_reach_it(seed, target):
    score, positive = scores(seed)
    enough = [every["precision"] for every in every_cut(score, positive) if every["tpr"] >= target]
    found = called(score, positive, min_recall(score, positive, target))
    assert found["tpr"] >= target
    assert found["precision"] == pytest.approx(max(enough))


def test_a_precision_that_no_cut_reaches():
    """The largest score is good: every cut calls it, so the best precision is 1/2."""
    score, positive = np.array([1.0, 2, 3, 4]), np.array([False, False, True, False])
    with pytest.raises(ValueError, match=r"no cut reaches a precision of 0.9; the best is 0.500"):
        min_precision(score, positive, 0.9)


@pytest.mark.parametrize("rule", [youden, max_f1, min_precision, min_recall])
def test_cuts_part_what_can_be_parted(rule):
    """Good 0 … 3, defect 7 … 9: all four cut midway between 3 and 7."""
    score, positive = np.array([0, 1, 2, 3, 7, 8, 9.0]), np.arange(7) > 3
    assert rule(score, positive, 0.95) == 5


def test_everything_may_be_an_anomaly():
    """A recall of 1 whose cut lies at the smallest score: that one, too, must be over the cut."""
    score, positive = np.array([1.0, 2, 3]), np.array([True, False, True])
    assert (score > min_recall(score, positive, 1.0)).all()


def test_settings_offer_just_the_rules_that_there_are():

    assert set(allowed_values(EvaluateConfig, "rule")) == set(RULES)


def draws(unit: np.ndarray) -> Resampling:
    """The resampling of a threshold by these units."""
    return Resampling.of_units(unit, THRESHOLD_DRAWS, 0.95, 42)


def threshold(name: str = "target_fpr", target: float = 0.05):
    score, positive = scores(0, 300, 6)
    rule = Rule(name, target)
    return calibrate("good or defect", score, positive, rule, draws(np.arange(300)), "euclidean"), score, positive


@pytest.mark.parametrize("name", RULES)
def test_a_threshold_says_how_it_was_found(name):
    found, score, positive = threshold(name, 0.3)
    assert found.value == RULES[name](score, positive, 0.3)
    assert found.interval[0] <= found.value <= found.interval[1]
    told = found.as_json()
    assert (told["name"], told["rule"], told["distance"]) == ("good or defect", name, "euclidean")
    assert (told["units"], told["negatives"], told["refused"]) == (300, int((~positive).sum()), None)
    assert told["target"] == (0.3 if name.startswith(("target", "min")) else None)
    assert json.loads(json.dumps(told, allow_nan=False))["value"] == found.value


def test_a_refusal_is_told_and_has_no_value():
    score, positive = scores(0, 20)
    found = calibrate("good or defect", score, positive, Rule("target_fpr", 0.01), draws(np.arange(20)), "cosine")
    assert (found.value, found.interval) == (None, None)
    assert "needs 100" in found.refused


@pytest.mark.parametrize("kind", [True, False])
@pytest.mark.parametrize("name", RULES)
def test_records_of_one_kind_are_refused(name, kind):
    found = calibrate("x", np.arange(200.0), np.full(200, kind), Rule(name, 0.1), draws(np.arange(200)), "euclidean")
    assert found.value is None
    assert found.refused == "the calibration records are all of one kind"


def test_the_bootstrap_is_seeded_and_draws_units():
    """Scores that come in groups of 30 with one luck each: the interval over groups is the wider."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(10), 30)
    positive = np.tile([False, False, True], 100)
    score = rng.normal(0, 0.3, 300) + rng.normal(0, 1, 10)[group] + 2 * positive
    widths = []
    for unit in (np.arange(300), group):
        rule = Rule("target_fpr", 0.05)
        found, again = (calibrate("x", score, positive, rule, draws(unit), "euclidean") for _ in range(2))
        assert found == again
        assert found.units == len(np.unique(unit))
        widths.append(found.interval[1] - found.interval[0])
    assert widths[1] > 1.5 * widths[0]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", RULES)
def test_a_group_that_all_defects_are_in_leaves_no_interval(name):
    """Two groups of good and one of defects: without the third there is no cut to find."""
    group = np.repeat(np.arange(3), 40)
    score = np.concatenate([np.linspace(0, 1, 80), np.linspace(2, 3, 40)])
    threshold = calibrate("x", score, group == 2, Rule(name, 0.1), draws(group), "euclidean")
    assert threshold.interval is None
    assert threshold.lots is None


# Parts of new lots


def in_lots(lots: int, each: int = 60, spread: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores of good parts of several lots whose levels differ, some defects far above them, and the lots."""
    rng, unit = np.random.default_rng(seed), np.repeat(np.arange(lots), each)
    score = spread * rng.normal(size=lots)[unit] + rng.normal(size=len(unit))
    defect = np.arange(len(unit)) % 10 == 0
    return score + 9 * defect, defect, unit


@pytest.mark.parametrize(("lots", "learnt"), [(1, None), (2, None), (3, 3), (6, 6)])
def test_a_target_is_for_new_lots_where_three_show_how_far_lots_differ(lots, learnt):
    score, defect, unit = in_lots(lots)
    threshold = calibrate("x", score, defect, Rule("target_fpr", 0.05), draws(unit), "euclidean")
    assert threshold.lots == learnt
    plain = target_fpr(score, defect, 0.05)
    assert (threshold.value > plain) if learnt else (threshold.value == plain)
    assert threshold.interval is None or threshold.interval[0] < threshold.value < threshold.interval[1]


def test_other_rules_do_not_learn_from_lots():
    score, defect, unit = in_lots(6)
    assert calibrate("x", score, defect, Rule("youden"), draws(unit), "euclidean").lots is None


@pytest.mark.parametrize("target", [0.05, 0.2])
def test_the_interval_of_a_target_holds_its_quantile(target):
    """Of 400 calibrations on 150 records, 95 % intervals hold the true quantile in 93 % or more."""
    held, truth = 0, norm.ppf(1 - target)
    for seed in range(400):
        score = np.append(np.random.default_rng(seed).normal(size=150), 9)
        found = calibrate(
            "x", score, np.arange(151) == 150, Rule("target_fpr", target), draws(np.arange(151)), "cosine"
        )
        held += found.interval[0] <= truth <= found.interval[1]
    assert held >= 372


def test_a_certain_target_is_met_as_often_as_stated():
    """Of 1000 calibrations on 80 records, at most one in ten has a true rate above the target (and few fewer)."""
    rng = np.random.default_rng(5)
    cuts = [target_fpr_pac(rng.normal(size=80), np.zeros(80, bool), 0.05, 0.9) for _ in range(1000)]
    assert 0.86 < np.mean(norm.sf(cuts) <= 0.05) < 0.97


def test_a_certain_target_needs_more_records():
    """.95^45 is .0994: with 45 good records the largest is exceeded by 5 % or less in 9 of 10 cases."""
    assert target_fpr_pac(np.arange(45.0), np.zeros(45, bool), 0.05, 0.9) == 44
    with pytest.raises(ValueError, match=r"44 good calibration records, .* of 0.05 with 90 % confidence needs 45"):
        target_fpr_pac(np.arange(44.0), np.zeros(44, bool), 0.05, 0.9)
