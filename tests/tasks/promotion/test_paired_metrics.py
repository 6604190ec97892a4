"""The paired differences: golden cases by hand, its error under the null, and its power against theory."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, norm
from sklearn.metrics import average_precision_score, roc_auc_score

from tasks.evaluation.comparison_report import PairedResult
from tasks.evaluation.metrics import pair_metrics
from tasks.evaluation.resampling import Resampling, effective_units
from tasks.promotion.gate import is_significant_drop
from tasks.promotion.paired_metrics import (
    min_units_for_significance,
    paired_result,
    required_draws,
    weighted_pairs,
    with_good_or_defect,
)
from tasks.promotion.paired_rates import AnomalyScores


def simulated(
    rng: np.random.Generator, n: int, m: int, gaps: tuple[float, float], groups: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Distances of two models to m modes, 70 % of whose variance they share; the own mode lies `gap` nearer.

    With groups, half of the variance belongs to the group.
    """
    mode, units = np.arange(n) % m, rng.integers(0, groups, n) if groups else np.arange(n)

    def noise() -> np.ndarray:
        single = rng.normal(size=(n, m))
        return (single + rng.normal(size=(groups, m))[units]) / math.sqrt(2) if groups else single

    shared, same = noise(), np.arange(m) == mode[:, None]
    own, other = (10 + math.sqrt(0.7) * shared + math.sqrt(0.3) * noise() - gap * same for gap in gaps)
    return own, other, mode, units


def of_answers(right: np.ndarray) -> np.ndarray:
    """Distances (n, 2) of records of mode 0 that are right or wrong."""
    return np.where(right[:, None], [0.0, 1.0], [1.0, 0.0])


def paired(
    own: np.ndarray, other: np.ndarray, mode: np.ndarray, units: np.ndarray, draws: int = 1000, seed: int = 1
) -> PairedResult:
    """The comparison of two models whose modes are named by their codes."""
    names = [str(code) for code in range(own.shape[1])]
    kind = "group" if len(np.unique(units)) < len(units) else "record"
    return paired_result(own, other, mode, names, Resampling(units, draws, 0.95, seed, kind))


# Golden cases


def test_the_pair_figures_of_three_records_by_hand():
    """Own distances 1, 2, 5 and others' 3, 4, 4.5: two of three own lie before all others, one behind all.

    AUROC = (3 + 3 + 0)/9 = 2/3; precision at the own ones, from the nearest on: 1/1, 2/2, 3/6, so AP = 5/6.
    The last record drawn twice (weights 1, 1, 2): others weigh 1, 1, 2, own 1, 1, 2:
    AUROC = (4 + 4 + 0)/16 = 1/2, AP = (1 + 1 + 2 · 4/8)/4 = 3/4.
    """
    distances = np.array([[1.0, 3.0], [4.0, 2.0], [5.0, 4.5]])
    mode = np.array([0, 1, 0])
    found = weighted_pairs(distances, mode, np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 2.0]]))
    np.testing.assert_allclose(found, [[2 / 3, 5 / 6], [1 / 2, 3 / 4]])


def test_weighted_figures_are_those_of_sklearn_ties_included():
    rng = np.random.default_rng(0)
    distances, mode = rng.integers(0, 12, (60, 4)).astype(float), rng.integers(0, 4, 60)
    weights = Resampling(np.arange(60), 5, 0.95, 3).weights
    same = (np.arange(4) == mode[:, None]).ravel()
    for weight, found in zip(weights, weighted_pairs(distances, mode, weights), strict=True):
        pairs = np.repeat(weight, 4)
        assert found[0] == pytest.approx(roc_auc_score(same, -distances.ravel(), sample_weight=pairs))
        assert found[1] == pytest.approx(average_precision_score(same, -distances.ravel(), sample_weight=pairs))


@pytest.mark.parametrize(("wins", "losses", "better"), [(3, 0, False), (4, 0, False), (5, 0, True), (7, 1, True)])
def test_few_records_that_differ(wins, losses, better):
    """As the sign test has it: 2⁻⁴ is above 5 %, 2⁻⁵ below; of 8 tosses, 7 or 8 heads come in 9 of 256 (3.5 %)."""
    champion = np.ones(40, bool)
    champion[:wins] = False
    challenger = np.ones(40, bool)
    challenger[wins : wins + losses] = False
    found = paired(of_answers(challenger), of_answers(champion), np.zeros(40, int), np.arange(40), draws=2000)
    accuracy = found.figures["mode_accuracy"]
    assert accuracy.difference == pytest.approx((wins - losses) / 40)
    assert accuracy.apart == pytest.approx(wins + losses)
    assert (accuracy.interval[0] > 0) is better


def test_differences_are_those_of_the_figures_and_equal_models_have_none():
    own, other, mode, units = simulated(np.random.default_rng(5), 60, 3, (2.0, 1.0))
    found = paired(own, other, mode, units, draws=200, seed=1)
    figures = [pair_metrics(one, mode) for one in (own, other)]
    for name, entry in found.figures.items():
        assert entry.difference == pytest.approx(getattr(figures[0], name) - getattr(figures[1], name))
    same = paired(own, own, mode, units, draws=200, seed=1)
    entries = [*same.figures.values(), *same.modes.values()]
    assert all(entry.difference == 0 and entry.interval == (0.0, 0.0) for entry in entries)


def test_the_macro_mean_weighs_modes_not_records():
    """Mode 0: 8 records, two gained; mode 1: 2 records, one lost. (2/8 − 1/2)/2 = −1/8, against 1/10 over records."""
    mode = np.array([0] * 8 + [1] * 2)
    own, other = np.ones((10, 2)), np.ones((10, 2))
    own[np.arange(10), mode] = other[np.arange(10), mode] = 0
    other[:2] = [1, 0]
    own[8] = [0, 1]
    found = paired(own, other, mode, np.arange(10), draws=500, seed=1)
    assert found.figures["macro_mode_accuracy"].difference == pytest.approx(-1 / 8)
    assert found.figures["mode_accuracy"].difference == pytest.approx(1 / 10)


def test_draws_and_the_fewest_units_follow_the_confidence():
    assert [required_draws(1000, confidence) for confidence in (0.95, 0.99)] == [1000, 5000]
    assert required_draws(7000, 0.99) == 7000
    assert [min_units_for_significance(confidence) for confidence in (0.5, 0.75, 0.95, 0.99, 0.999)] == [1, 2, 5, 7, 10]


def test_modes_with_few_records_are_pooled():
    """Four modes of three records each, all lost: none can be told alone, the twelve together can."""
    mode = np.repeat(np.arange(5), [60, 3, 3, 3, 3])
    same = np.arange(5) == mode[:, None]
    other, own = np.where(same, 0.0, 1.0), np.where(same, 0.0, 1.0)
    own[60:] = 1 - own[60:]
    found = paired(own, other, mode, np.arange(72))
    assert [entry.interval for entry in found.modes.values()] == [(0.0, 0.0), None, None, None, None]
    assert (found.few.modes, found.few.n, found.few.difference) == (("1", "2", "3", "4"), 12, -1.0)
    assert is_significant_drop(found.few, 0.05, 0.95)
    assert not any(is_significant_drop(entry, 0.05, 0.95) for entry in found.modes.values())


# Its error and its power


def test_no_number_of_differing_records_fools_it():
    """Both models equally good: each record that tells them apart is won by a coin's toss.

    For d such records of 200 the chance of a promotion is the sum of the binomial over those wins whose
    interval lies above zero; the sign test's own is the largest such sum up to 5 %.
    """
    records = Resampling(np.arange(200), 2000, 0.95, 1)
    chances = []
    for differing in range(1, 41):
        fooled = [wins for wins in range(differing // 2, differing + 1) if _lower(records, wins, differing - wins) > 0]
        chances.append(float(binom.pmf(fooled, differing, 0.5).sum()))
    assert max(chances) < 0.06
    assert np.mean(chances) < 0.04
    assert max(chances) > 0.025, "it can tell a difference"


def _lower(records: Resampling, wins: int, losses: int) -> float:
    won = np.zeros(len(records.units))
    won[:wins], won[wins : wins + losses] = 1, -1
    return records.difference_interval(records.weights @ won / len(won), effective_units(won, records.units))[0]


NULL = [(30, 3, 1.5, 0), (120, 6, 2.0, 0), (150, 3, 1.5, 12), (120, 3, 1.5, 3)]


@pytest.fixture
def without_metrics(monkeypatch):
    """The models' own metrics, half of a comparison's time, are left out where only the differences are asked for."""
    monkeypatch.setattr("tasks.promotion.paired_metrics.pair_metrics", lambda *_: None)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "m", "gap", "groups"), NULL)
@pytest.mark.usefixtures("without_metrics")
def test_equally_good_models_are_promoted_in_about_one_of_twenty(n, m, gap, groups):
    """Of 400 comparisons 20 expected; 31 or more would come by chance in 1 of 100 (binomial)."""
    promoted = dict.fromkeys(("auroc", "average_precision", "mode_accuracy", "macro_mode_accuracy"), 0)
    vetoed, rng = 0, np.random.default_rng(11)
    for run in range(400):
        found = paired(*simulated(rng, n, m, (gap, gap), groups), draws=300, seed=run)
        for name in promoted:
            promoted[name] += found.figures[name].interval[0] > 0
        vetoed += any(is_significant_drop(entry, 0.05, 0.95) for entry in found.modes.values())
    print(promoted, vetoed)
    assert max(promoted.values()) < 31
    assert vetoed < 31, "of all modes together, with Holm's correction"


@pytest.mark.slow
@pytest.mark.usefixtures("without_metrics")
def test_a_better_model_is_promoted_as_often_as_theory_says():
    """The difference over its true deviation, δ/σ, gives Φ(δ/σ − 1.645); both come from the simulation itself."""
    rng, differences, promoted = np.random.default_rng(12), [], 0
    for run in range(400):
        found = paired(*simulated(rng, 90, 3, (1.5, 1.25)), draws=300, seed=run).figures["auroc"]
        differences.append(found.difference)
        promoted += found.interval[0] > 0
    expected = norm.cdf(np.mean(differences) / np.std(differences) - 1.645)
    print(promoted / 400, expected)
    assert 0.5 < expected < 0.95
    assert promoted / 400 == pytest.approx(expected, abs=0.06)


def test_pairing_tells_what_two_intervals_cannot():
    """Two models that share what is hard: unpaired, the same difference would be lost in the records' spread."""
    own, other, mode, units = simulated(np.random.default_rng(3), 200, 3, (1.9, 1.5))
    found = paired(own, other, mode, units).figures["auroc"]
    records = Resampling(units, 1000, 0.95, 1)
    mine, theirs = (weighted_pairs(one, mode, records.weights)[:, 0] for one in (own, other))
    unpaired = mine - np.random.default_rng(0).permutation(theirs)
    assert found.interval[0] > 0
    assert records.difference_interval(unpaired, len(mode))[0] < found.interval[0]


def test_the_pair_figure_is_the_difference_of_the_areas_under_the_curves():
    own, other, mode, units = simulated(np.random.default_rng(3), 60, 3, (2.0, 0.5))
    difference = paired(own, other, mode, units, draws=20).figures["auroc"].difference
    assert difference == pytest.approx(pair_metrics(own, mode).auroc - pair_metrics(other, mode).auroc)
    assert difference > 0.05


def test_a_mode_of_just_enough_records_has_an_interval():
    fewest = min_units_for_significance(0.95)
    mode = np.repeat([0, 1], [fewest, fewest - 1])
    distances = np.random.default_rng(1).normal(size=(len(mode), 2))
    modes = paired(distances, -distances, mode, np.arange(len(mode)), draws=20).modes
    assert (modes["0"].interval is None, modes["1"].interval is None) == (False, True)


def test_models_that_differ_in_the_last_digits_are_two_models():
    own, _, mode, units = simulated(np.random.default_rng(3), 30, 3, (1, 1))
    assert paired(own, own.copy(), mode, units, draws=20).same_model
    assert not paired(own, own * (1 + 1e-6), mode, units, draws=20).same_model


def test_how_many_records_make_the_pair_difference_by_brute_force():
    """A record's share: its own pair against all others', and its other pairs against all own, half each."""

    def shares(distances, mode):
        same = np.arange(3) == mode[:, None]
        own, others = distances[same], distances[~same].reshape(len(mode), -1)
        beaten = (own[:, None] < others.ravel()).mean(axis=1)
        beats = np.array([(own[:, None] < other).mean() for other in others])
        return (beaten + beats) / 2 / len(mode)

    own, other, mode, units = simulated(np.random.default_rng(4), 40, 3, (2.0, 0.5))
    expected = effective_units(shares(own, mode) - shares(other, mode), units)
    assert paired(own, other, mode, units, draws=20).figures["auroc"].apart == pytest.approx(expected)


# Good against defect


def inspected(n: int = 60, gap: float = 1.0, seed: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Scores (n,) with ties of records of which every third is good, and which are good."""
    rng, good = np.random.default_rng(seed), np.arange(n) % 3 == 0
    return np.round(rng.normal(size=n) + gap * ~good, 1), good


def test_the_good_auroc_difference_is_that_of_sklearn_under_every_draw():
    (own, good), (other, _) = inspected(), inspected(gap=0.5, seed=5)
    distances, mode = np.where(good[:, None], [0.0, 1.0], [1.0, 0.0]), (~good).astype(int)
    resampling = Resampling(np.arange(60), 50, 0.95, 1)
    plain = paired_result(distances, distances, mode, ["0", "1"], resampling)
    result = with_good_or_defect(plain, AnomalyScores(own, 0.5), AnomalyScores(other, 0.2), good, resampling)
    entry = result.figures["good_auroc"]
    aurocs = [roc_auc_score(~good, score) for score in (own, other)]
    assert (result.challenger.good_auroc, result.champion.good_auroc) == pytest.approx(tuple(aurocs))
    assert entry.difference == pytest.approx(aurocs[0] - aurocs[1])
    drawn = [
        roc_auc_score(~good, own, sample_weight=weight) - roc_auc_score(~good, other, sample_weight=weight)
        for weight in resampling.weights
    ]
    assert entry.interval == pytest.approx(resampling.difference_interval(np.array(drawn), entry.apart))
    assert result.escapes.challenger == ((own <= 0.5) & ~good).sum()
    assert result.escapes.champion == ((other <= 0.2) & ~good).sum()
    assert result.false_alarms.challenger == ((own > 0.5) & good).sum()
    assert (result.escapes.n, result.false_alarms.n) == (40, 20)
    assert result.figures["auroc"] == plain.figures["auroc"]


def test_shares_in_the_good_auroc_are_those_of_each_records_own_pairs():
    """Two records that only one model orders rightly make the difference: their pair counts half for each."""
    good = np.array([True, True, False, False])
    own, other = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 2.0, 4.0])
    distances, mode = np.where(good[:, None], [0.0, 1.0], [1.0, 0.0]), (~good).astype(int)
    resampling = Resampling(np.arange(4), 20, 0.95, 1)
    plain = paired_result(distances, distances, mode, ["0", "1"], resampling)
    entry = with_good_or_defect(plain, AnomalyScores(own, None), AnomalyScores(other, 0.2), good, resampling)
    assert entry.figures["good_auroc"].difference == pytest.approx(0.25)
    assert entry.figures["good_auroc"].apart == pytest.approx(2)
    assert (entry.escapes, entry.false_alarms) == (None, None), "a model without a threshold has no errors"
