"""The fused score: p-values among good records, far parts still in order, one score from calibration to verdict."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from support.inspected_parts import configured, map_column, source
from support.inspected_parts import line as walk

from tasks.config.model import TowerConfig
from tasks.config.run import EvaluateConfig
from tasks.core.inspection import ScoreRequest
from tasks.model.fused_score import RANKS, Fusion, peak, rank, surprisal
from tasks.registry.champion import current_champion
from tasks.registry.loading import load_classifier
from tasks.score import score


def test_a_rank_is_the_share_below():
    """Of 0 … 99, 50 lie below 49.5, and 10 below and one at 10: (10 + 11) / 2 of 100."""
    reference = np.arange(100.0)
    np.testing.assert_allclose(rank(np.array([-5.0, 10.0, 49.5]), reference), [0.0, 0.105, 0.5])


def test_ranks_rise_to_the_end_and_never_tie_beyond_it():
    reference = np.random.default_rng(0).gamma(2, size=200)
    values = np.concatenate([np.linspace(0.01, reference.max(), 500), reference.max() * np.logspace(0.1, 6, 50)])
    found = rank(values, reference)
    assert (np.diff(found) >= 0).all()
    assert (np.diff(found[values > np.quantile(reference, 0.95)]) > 0).all()


@pytest.mark.parametrize("reference", [np.full(30, 2.0), np.zeros(30), np.array([1.0])])
def test_a_reference_without_spread_still_tells_apart(reference):
    found = rank(np.array([reference[0], reference[0] + 1, reference[0] + 9]), reference)
    assert np.isfinite(found).all()
    assert found[0] < found[1] < found[2]


def test_a_surprisal_is_minus_the_logarithm_of_the_share_above_with_an_exponential_tail():
    """Of 0 … 99, half lie above 49.5; beyond the ninth tenth, at 89.1, p halves with each median excess, of 5.4."""
    reference = np.arange(100.0)
    found = surprisal(np.array([-1.0, 0.0, 49.5, 89.1, 89.1 + 5.4, 89.1 + 54]), reference)
    np.testing.assert_allclose(np.exp(-found), [1.0, 1.0, 0.5, 0.1, 0.1 / 2, 0.1 / 2**10], rtol=1e-9)
    between = surprisal(np.linspace(0, 89.1, 500), reference)
    np.testing.assert_allclose(np.exp(-between), 1 - np.linspace(0, 0.9, 500), rtol=0.025)


def test_equal_reference_values_count_half():
    """Of the peaks of flat maps, 41 of 100 are 0: a new one of 0 is in the middle of these."""
    reference = np.concatenate([np.zeros(41), np.linspace(1, 2, 59)])
    assert np.exp(-surprisal(np.zeros(1), reference))[0] == pytest.approx(0.8)
    assert np.exp(-surprisal(np.array([-1.0]), reference))[0] == pytest.approx(0.8)


def test_the_last_digit_of_a_distance_is_the_last_digit_of_a_surprisal():
    """Another runtime computes a reference record's distance with another last digit; ranks jump there."""
    reference = np.random.default_rng(6).gamma(2, size=200).astype(np.float32)
    other = np.nextafter(reference, np.float32(0))
    change = surprisal(reference, reference) - surprisal(other, reference)
    assert change.min() >= 0
    assert change.max() < 1e-4
    assert (rank(reference, reference) - rank(other, reference)).max() >= 0.5 / 200


def test_the_sum_of_ranks_of_earlier_releases_stays_as_it_was():
    rng = np.random.default_rng(4)
    reference, values = rng.gamma(2, size=(2, 150)), rng.gamma(3, size=(2, 40))
    ranks = rank(values[0], reference[0]) + rank(values[1], reference[1])
    np.testing.assert_array_equal(Fusion(*reference, RANKS)(*values), ranks)


def test_one_rare_value_is_enough_where_the_sum_of_ranks_asks_for_both():
    """A part far from good with a plain peak beyond a part that is a little unusual in both."""
    rng = np.random.default_rng(5)
    reference = rng.gamma(2, size=(2, 300))
    far = np.quantile(reference[0], 0.999), np.quantile(reference[1], 0.05)
    usual = np.quantile(reference[0], 0.85), np.quantile(reference[1], 0.85)
    distance, peaks = np.array([far[0], usual[0]]), np.array([far[1], usual[1]])
    ranks, p_values = Fusion(*reference, RANKS)(distance, peaks), Fusion(*reference)(distance, peaks)
    assert ranks[0] < ranks[1]
    assert p_values[0] > p_values[1]


def test_the_unit_of_distance_and_peak_does_not_matter():
    rng = np.random.default_rng(1)
    reference, values = rng.gamma(2, size=(2, 150)), rng.gamma(3, size=(2, 40))
    plain = Fusion(*reference)(*values)
    scaled = Fusion(reference[0] * 1000, reference[1] / 7)(values[0] * 1000, values[1] / 7)
    np.testing.assert_allclose(plain, scaled, rtol=1e-9)


def test_the_peak_is_the_largest_deviation_either_way():
    np.testing.assert_array_equal(peak(np.array([[1, -5, 2], [3, 0, 1]], np.float32)), [5, 3])


def test_a_defect_that_the_distance_does_not_see_is_seen_by_the_peak():
    rng = np.random.default_rng(2)
    fusion = Fusion(rng.gamma(2, size=300), rng.gamma(2, size=300))
    blind, good = fusion(rng.gamma(2, size=200), np.full(200, 30.0)), fusion(*rng.gamma(2, size=(2, 200)))
    assert blind.min() > np.quantile(good, 0.99)


@pytest.fixture(scope="module")
def line(tmp_path_factory, hidden):
    """A run judged by the fused score, released; its report's stage."""
    folder = tmp_path_factory.mktemp("line")
    config = configured(folder, evaluate=EvaluateConfig(score="fused", bootstrap=100))
    fit = replace(config.fit, epochs=12, learning_rate=0.01, prototype="mean-embedding")
    config = replace(config, fit=fit, tower=TowerConfig(widths="64-32-8"))
    made = walk(hidden(), folder, config)
    assert made["outcome"].status == "released"
    return config, json.loads((Path(made["report"].path) / "report.json").read_text())


@pytest.mark.slow
def test_all_three_scores_are_reported_and_the_one_that_was_asked_is_used(line):
    _, report = line
    scores = report["figures"]["good_scores"]
    assert set(scores) == {"distance", "peak", "fused"}
    assert report["figures"]["good_auroc"] == scores["fused"]["auroc"]
    assert report["thresholds"][0]["distance"] == "p-values of euclidean and peak"


@pytest.mark.slow
def test_the_release_scores_new_parts_by_the_same_score(line, hidden, tmp_path):
    """The verdict follows from the release's files alone: its reference records, its threshold."""
    config, _ = line
    fresh, out = hidden(each=20, seed=1), tmp_path / "out.parquet"
    score(source(map_column(fresh), tmp_path / "new"), config.artifacts_path, ScoreRequest(out))
    release = current_champion(config.artifacts_path)
    with np.load(release.path / "anchors.npz") as file:
        fusion = Fusion(file["reference_distance"], file["reference_peak"])
    classifier = load_classifier(release)
    distance = classifier.good_distances(classifier.embed(fresh.maps))
    rows = pq.read_table(out)
    np.testing.assert_allclose(rows["score"].to_numpy(), fusion(distance, peak(fresh.maps)), rtol=1e-6)
    cut = json.loads((release.path / "threshold.json").read_text())["thresholds"][0]["value"]
    np.testing.assert_array_equal(rows["score"].to_numpy() <= cut, np.array(rows["verdict"].to_pylist()) == "good")
