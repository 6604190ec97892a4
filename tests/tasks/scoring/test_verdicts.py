"""Predictions: the nearest mode, the score, and the verdict that follows from the thresholds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tasks.imaging import rt
from tasks.scoring.verdicts import level_and_shape, predict, verdict_codes


@pytest.fixture(scope="module")
def maps(hidden):
    return hidden(each=30, seed=3).maps


def test_a_verdict_follows_from_score_and_distance():
    nan = np.nan
    codes = verdict_codes(np.array([1.0, 1.1, 1.1, nan]), np.array([9.0, 2.0, 2.1, 2.0]), 1.0, 2.0)
    assert codes.tolist() == [0, 1, 2, 1]
    assert verdict_codes(np.array([nan]), np.array([9.0]), nan, nan).tolist() == [1], "no threshold: a defect"


def test_predictions_are_those_of_the_plain_map(plain_release, maps):
    """On raw maps every number can be computed by hand."""
    predictions = predict(plain_release, maps)
    distances = np.linalg.norm(maps[:, None] - plain_release.classifier.prototypes["mean"][None], axis=2)
    good = plain_release.classifier.good["mean"][0]
    np.testing.assert_array_equal(predictions.mode, distances.argmin(axis=1))
    np.testing.assert_allclose(predictions.distance, distances.min(axis=1), rtol=1e-6)
    np.testing.assert_allclose(predictions.score, np.linalg.norm(maps - good, axis=1), rtol=1e-6)
    np.testing.assert_allclose(predictions.margin, plain_release.defect_threshold - predictions.score)
    np.testing.assert_array_equal(predictions.verdict == "good", predictions.margin >= 0)
    unknown = (predictions.margin < 0) & (predictions.distance > plain_release.mode_radius)
    np.testing.assert_array_equal(predictions.verdict == "unknown", unknown)
    assert set(predictions.verdict) == {"good", "defect", "unknown"}, "or the test says little"


def test_without_a_good_prototype_every_record_has_a_mode_and_no_score(small_release, maps):
    classifier = replace(small_release.classifier, good=None)
    predictions = predict(replace(small_release, classifier=classifier, thresholds={}), maps)
    assert np.isnan(predictions.score).all()
    assert set(predictions.verdict) == {"defect"}


def test_level_and_shape_are_rts_against_the_nearest_anchor(small_release, maps):
    mode = np.arange(len(maps)) % 3
    beta, sqrt_ve = level_and_shape(maps, small_release.anchors, mode)
    for i in (0, 1, 2, 50):
        expected = rt.coordinates(maps[i : i + 1], small_release.anchors[mode[i]])[0]
        np.testing.assert_allclose((beta[i], sqrt_ve[i]), expected)


def test_maps_are_embedded_once(small_release, maps):
    calls = []

    def encoder(values):
        calls.append(len(values))
        return small_release.classifier.encoder(values)

    predict(replace(small_release, classifier=replace(small_release.classifier, encoder=encoder)), maps)
    assert calls == [len(maps)]
