"""Every figure against scikit-learn, against a slow computation of its own, or by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm, rankdata
from sklearn.metrics import average_precision_score, roc_auc_score

from tasks.evaluation.evaluation_report import GroupMetrics, ModeMetrics
from tasks.evaluation.intervals import intervals, weighted_auroc
from tasks.evaluation.metrics import (
    angular_metrics,
    balanced_accuracy,
    d_prime,
    macro,
    pair_metrics,
    per_group_metrics,
    per_mode_metrics,
    retrieval_metrics,
    tpr_at,
)
from tasks.evaluation.resampling import Resampling

RNG = np.random.default_rng(0)


def scored(records: int = 60, modes: int = 4, signal: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Distances to the prototypes, the own one nearer by `signal` standard deviations, rounded so that ties occur."""
    rng = np.random.default_rng(seed)
    mode = np.arange(records) % modes
    distances = rng.normal(5, 1, (records, modes))
    distances[np.arange(records), mode] -= signal
    return distances.round(1), mode


def rates(positive: np.ndarray, score: np.ndarray) -> list[tuple[float, float]]:
    """(FPR, TPR) at every cut, the slow way: score ≥ cut is called positive."""
    cuts = [np.inf, *np.unique(score)[::-1]]
    return [(float((score[~positive] >= cut).mean()), float((score[positive] >= cut).mean())) for cut in cuts]


@pytest.mark.parametrize("seed", range(4))
def test_pair_figures(seed):
    distances, mode = scored(seed=seed)
    found = pair_metrics(distances, mode)
    positive, score = (np.arange(4) == mode[:, None]).ravel(), -distances.ravel()
    curve = rates(positive, score)
    assert found.auroc == pytest.approx(roc_auc_score(positive, score))
    assert found.average_precision == pytest.approx(average_precision_score(positive, score))
    assert found.prevalence == 0.25
    assert found.tpr_at_1_fpr == pytest.approx(max(tpr for fpr, tpr in curve if fpr <= 0.01))
    assert found.tpr_at_5_fpr == pytest.approx(max(tpr for fpr, tpr in curve if fpr <= 0.05))
    before = [fpr for fpr, tpr in curve if fpr <= 1 - tpr][-1]
    after = next(fpr for fpr, tpr in curve if fpr >= 1 - tpr)
    assert before <= found.eer <= after
    assert found.mode_accuracy == np.mean([row.argmin() == own for row, own in zip(distances, mode, strict=True)])
    own = [np.mean(distances[mode == m].argmin(axis=1) == m) for m in range(4)]
    assert found.macro_mode_accuracy == pytest.approx(np.mean(own))


def test_macro_accuracy_weighs_modes_not_records():
    """90 records of mode 0, all right, and 10 of mode 1, all wrong: accuracy .9, macro .5."""
    distances, mode = np.tile([0.0, 1.0], (100, 1)), np.repeat([0, 1], [90, 10])
    found = pair_metrics(distances, mode)
    assert (found.mode_accuracy, found.macro_mode_accuracy) == (0.9, 0.5)


def test_perfect_and_reversed_judges():
    mode = np.arange(20) % 2
    right = 1.0 - np.eye(2)[mode] + RNG.uniform(0, 0.1, (20, 2))
    best, worst = pair_metrics(right, mode), pair_metrics(-right, mode)
    assert (best.auroc, best.eer, best.tpr_at_1_fpr, best.mode_accuracy) == (1, 0, 1, 1)
    assert (worst.auroc, worst.eer, worst.tpr_at_1_fpr, worst.mode_accuracy) == (0, 1, 0, 0)
    assert best.d_prime > 20


def test_a_judge_that_says_the_same_of_everything():
    """All distances equal: AUROC ½, and an equal error rate of ½, not of 0."""
    found = pair_metrics(np.ones((12, 3)), np.arange(12) % 3)
    assert (found.auroc, found.eer, found.d_prime) == (0.5, 0.5, 0)
    assert found.tpr_at_5_fpr == 0


def test_equal_error_rate_by_hand():
    """Same 4 3 2 1, different 2.5 1.5 .5 0: from 2 on, one of four same is missed, one different passes."""
    same, different = np.array([4, 3, 2, 1.0]), np.array([2.5, 1.5, 0.5, 0])
    found = pair_metrics(-np.stack([same, different], axis=1), np.zeros(4, int))
    assert found.eer == pytest.approx(0.25)


def test_operating_points_on_a_straight_stretch_are_not_lost():
    """40 levels, each with one same and one different: a diagonal ROC of 41 points. At FPR ≤ 5 % the TPR is 2/40."""
    level = np.arange(40.0)
    found = pair_metrics(-np.stack([level, level], axis=1), np.zeros(40, int))
    assert found.tpr_at_5_fpr == pytest.approx(0.05)
    assert found.eer == pytest.approx(0.5)
    tenths = np.arange(11) / 10
    assert tpr_at(tenths, tenths, 0.25) == 0.2


def test_d_prime_by_hand():
    """Means 3 and 1, variances 1 and 3: 2/√2."""
    assert d_prime(np.array([2.0, 4]), np.array([1 - 3**0.5, 1 + 3**0.5])) == pytest.approx(2**0.5)
    assert d_prime(np.ones(3), np.zeros(3)) == 0


def test_d_prime_and_auroc_agree_on_normal_scores():
    """For two normals of one spread, AUROC = Φ(d′/√2)."""
    a, b = RNG.normal(1.5, 1, 20000), RNG.normal(0, 1, 20000)
    auroc = roc_auc_score(np.repeat([1, 0], 20000), np.concatenate([a, b]))
    assert norm.cdf(d_prime(a, b) / 2**0.5) == pytest.approx(auroc, abs=0.005)


def retrieval(distances: np.ndarray, mode: np.ndarray, most: int = 4000) -> dict[str, float]:
    return retrieval_metrics(lambda rows: distances[rows].astype(float), mode, most)


def test_map_at_r_by_hand():
    """Points 0 a, 1 a, 2 b, 2.9 a, 5 b on a line; R = 2 for a and 1 for b.

    0: next 1 a, 2 b → P = (1 + 0)/2; 1: next 0 a, 2 b → ½; 2 b: next 2.9 a → 0;
    2.9 a: next 2 b, 1 a → (0 + ½)/2 = ¼; 5 b: next 2.9 a → 0. Mean (½ + ½ + 0 + ¼ + 0)/5 = .25; hits 2/5.
    """
    points, mode = np.array([0, 1, 2, 2.9, 5]), np.array([0, 0, 1, 0, 1])
    found = retrieval(np.abs(points[:, None] - points), mode)
    assert found == {"recall_at_1": pytest.approx(0.4), "map_at_r": pytest.approx(0.25)}


def test_retrieval_against_the_slow_way():
    points, mode = RNG.normal(size=(300, 3)), RNG.integers(0, 5, 300)
    mode[7] = 9  # alone of its mode: nothing to be found, so it asks nothing
    points[mode < 5] += 0.5 * mode[mode < 5, None]
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    precisions, hits = [], []
    for i in set(range(300)) - {7}:
        others = [j for j in np.argsort(distances[i]) if j != i]
        relevant = [mode[j] == mode[i] for j in others]
        r = sum(relevant)
        hits.append(relevant[0])
        precisions.append(sum(sum(relevant[: k + 1]) / (k + 1) for k in range(r) if relevant[k]) / r)
    found = retrieval(distances, mode)
    assert found["recall_at_1"] == pytest.approx(np.mean(hits))
    assert found["map_at_r"] == pytest.approx(np.mean(precisions))
    sampled = retrieval(distances, mode, most=100)
    assert sampled["map_at_r"] == pytest.approx(found["map_at_r"], abs=0.1)


def test_a_record_does_not_find_itself():
    """Two records of each mode, the twin far away: with itself counted, recall would be 1."""
    points, mode = np.array([0, 100, 1, 101.0]), np.array([0, 0, 1, 1])
    assert retrieval(np.abs(points[:, None] - points), mode)["recall_at_1"] == 0


def test_retrieval_without_any_pair():
    assert retrieval(np.ones((3, 3)), np.arange(3)) == {}


def test_per_mode_figures_and_their_mean():
    distances, mode = scored()
    mode[mode == 3] = 0
    found = per_mode_metrics(distances, mode, ["good", "a", "b", "absent"])
    assert list(found) == ["good", "a", "b"]
    for code, name in enumerate(found):
        own = mode == code
        assert found[name].n == own.sum()
        assert found[name].auroc == pytest.approx(roc_auc_score(own, -distances[:, code]))
        points = rates(own, -distances[:, code])
        assert found[name].tpr_at_5_fpr == pytest.approx(max(tpr for fpr, tpr in points if fpr <= 0.05))
        assert found[name].accuracy == pytest.approx(np.mean(distances[own].argmin(axis=1) == code))
    means = macro(found)
    assert means["auroc"] == pytest.approx(np.mean([entry.auroc for entry in found.values()]))


def test_one_mode_alone_has_no_auroc():
    found = per_mode_metrics(np.ones((4, 2)), np.zeros(4, int), ["a", "b"])
    assert found == {"a": ModeMetrics(4, 1.0)}
    assert macro(found) == {"accuracy": 1.0}


@pytest.mark.parametrize("decimals", [0, 1, 12])
def test_weighted_auroc_with_ones_is_the_auroc(decimals):
    score, positive = RNG.normal(size=200).round(decimals), RNG.random(200) < 0.3
    found = weighted_auroc(score + positive, positive, np.ones((1, 200)))
    assert found[0] == pytest.approx(roc_auc_score(positive, score + positive))


def test_weights_are_repetitions():
    score, positive = RNG.normal(size=50).round(1), RNG.random(50) < 0.4
    weights = RNG.integers(0, 4, (5, 50))
    found = weighted_auroc(score, positive, weights.astype(float))
    for value, weight in zip(found, weights, strict=True):
        rows = np.repeat(np.arange(50), weight)
        assert value == pytest.approx(roc_auc_score(positive[rows], score[rows]))


def test_weighted_auroc_is_the_mann_whitney_statistic():
    score, positive = RNG.normal(size=80).round(1), RNG.random(80) < 0.5
    n, m = positive.sum(), (~positive).sum()
    u = rankdata(score)[positive].sum() - n * (n + 1) / 2
    assert weighted_auroc(score, positive, np.ones((1, 80)))[0] == pytest.approx(u / (n * m))


def test_a_draw_without_one_class_has_no_auroc():
    """It was 0 once, and pulled the interval's lower edge there."""
    score, positive = np.array([1.0, 2, 3, 4]), np.array([False, False, True, True])
    found = weighted_auroc(score, positive, np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1.0]]))
    np.testing.assert_array_equal(found, [1, np.nan, np.nan])


def test_intervals_over_groups_are_wider_than_over_records():
    """20 groups of 20 whose records share their luck: 400 records are no 400 independent witnesses."""
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(20), 20)
    mode = np.tile(np.arange(2), 200)
    luck = rng.normal(0, 1.5, 20)[group]
    distances = rng.normal(5, 1, (400, 2))
    distances[np.arange(400), mode] -= 1 + luck
    by_record, by_group = (
        intervals(distances, mode, Resampling(unit, 400, 0.95, 0, kind))
        for unit, kind in ((np.arange(400), "record"), (group, "group"))
    )
    for name in ("auroc", "mode_accuracy"):
        widths = [high - low for low, high in (by_record[name], by_group[name])]
        assert widths[1] > 2 * widths[0]
        point = getattr(pair_metrics(distances, mode), name)
        assert by_group[name][0] < point < by_group[name][1]


def test_intervals_cover():
    """AUROC of normals 1 apart is Φ(1/√2) = .760; 95 % intervals over records hold it in .88 to 1 of 60 worlds."""
    truth, held = norm.cdf(1 / 2**0.5), 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        mode = np.arange(80) % 2
        distances = rng.normal(0, 1, (80, 2))
        distances[np.arange(80), mode] -= 1
        low, high = intervals(distances, mode, Resampling(np.arange(80), 200, 0.95, seed))["auroc"]
        held += low < truth < high
    assert 53 <= held <= 60


def test_angular_accuracy_by_hand():
    """Angles to the positive 45°, 120°: similarity .75, .33; to the negative 60°, 180°: .67, 0.

    At ½ the first positive and the second negative are right: 2 of 4. AUROC: .75 beats .67 and 0, .33 beats 0: ¾.
    """

    def at(*degrees: float) -> np.ndarray:
        return np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], axis=1)

    found = angular_metrics(at(0, 0), 3 * at(45, 120), at(60, 180))
    assert found["angular_accuracy"] == 0.5
    assert found["angular_auroc"] == pytest.approx(0.75)


def test_angular_accuracy_sits_at_one_half_where_all_angles_are_sharp():
    """The notebook's riddle: positive embeddings all point into one quadrant, so everything passes ½."""
    anchor, positive, negative = (RNG.uniform(0.1, 1, (50, 4)) for _ in range(3))
    assert angular_metrics(anchor, anchor + 0.01 * positive, negative)["angular_accuracy"] == 0.5
    assert angular_metrics(anchor, anchor + 0.01 * positive, negative)["angular_auroc"] > 0.99


def test_zero_embeddings_have_an_angle():
    zero = np.zeros((3, 4))
    assert angular_metrics(zero, zero, zero) == {"angular_accuracy": 0.5, "angular_auroc": 0.5}


def test_balanced_accuracy_by_hand():
    """Of four good parts three pass, of two defects one is stopped: (3/4 + 1/2) / 2; the plain accuracy is 4/6."""
    good = np.array([True] * 4 + [False] * 2)
    assert balanced_accuracy(np.array([0, 0, 0, 1, 1, 0], bool), good) == 0.625


def test_passing_everything_is_a_coin_however_rare_defects_are():
    good = np.arange(100) < 98
    assert balanced_accuracy(np.zeros(100, bool), good) == 0.5


def test_each_group_by_hand():
    """Group a: both good parts nearest to mode 0; of its defects one is nearest to its own mode, one to good.

    Its verification AUROC: own distances 1, 1, 1, 3 against others 2, 2, 2, 2 (3 of 4 wholly below: 12 of 16).
    Good scores 1, 1 against 2, 1: 2 + 1 (two ties) of 4. Cut 1.5: no false alarm, one of two caught.
    Group b has no good part, and a record without group counts nowhere.
    """
    distances = np.array([[1, 2], [1, 2], [2, 1], [2, 3], [5, 1], [9, 9.0]])
    mode = np.array([0, 0, 1, 1, 1, 0])
    group = np.array(["a", "a", "a", "a", "b", ""])
    score = np.array([1, 1, 2, 1, 5, 9.0])
    found = per_group_metrics(distances, mode, mode == 0, score, 1.5, group)
    assert found["a"] == GroupMetrics(4, 2, 0.75, 0.75, good_auroc=0.75, fpr=0.0, tpr=0.5, balanced_accuracy=0.75)
    assert found["b"] == GroupMetrics(1, 0, 1.0, 1.0, tpr=1.0)
    assert list(found) == ["a", "b"]


def test_without_a_threshold_or_a_good_prototype_the_rates_are_left_out():
    distances, mode, group = np.array([[1, 2], [2, 1.0]]), np.array([0, 1]), np.array(["a", "a"])
    without_cut = per_group_metrics(distances, mode, mode == 0, distances[:, 0], None, group)["a"]
    assert without_cut == GroupMetrics(2, 1, 1.0, 1.0, good_auroc=1.0)
    without_good = per_group_metrics(distances, mode, mode == 0, None, None, group)["a"]
    assert without_good == replace(without_cut, good_auroc=None)
