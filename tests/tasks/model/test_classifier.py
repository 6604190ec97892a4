"""Classifiers by hand: prototypes of both kinds, distances, scores, and RT's unit spaces under the same contract."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.inspected_parts import banked, inspected

from tasks.imaging import rt
from tasks.model.classifier import (
    NO_UNIT_SPACE_DISTANCE,
    fit_prototypes,
    raw_map_baseline,
    rt_baseline,
    with_fused_score,
)
from tasks.model.distances import distance
from tasks.model.embeddings import Embedded, EmbeddedBank
from tasks.model.fused_score import Fusion

EUCLIDEAN = distance("euclidean")


@pytest.fixture(scope="module")
def bank():
    return banked(inspected(modes=3, each=40))


def squared(maps):
    """An encoder for which the mean of embeddings is not the embedding of the mean."""
    return np.square(np.asarray(maps, np.float64))


@pytest.mark.parametrize("prototype", ["mean-map", "mean-embedding"])
def test_prototypes_are_means_of_the_training_records_alone(bank, prototype):
    classifier = fit_prototypes("x", EmbeddedBank(squared, bank), EUCLIDEAN, prototype)
    rows = bank.rows("train")
    groups = [*(rows[bank.mode[rows] == code] for code in range(3)), rows[bank.good[rows]]]
    if prototype == "mean-map":
        expected = [squared(bank.maps[group].mean(axis=0)) for group in groups]
    else:
        expected = [squared(bank.maps[group]).mean(axis=0) for group in groups]
    np.testing.assert_allclose(classifier.prototypes["mean"], expected[:3], rtol=1e-5)
    np.testing.assert_allclose(classifier.good["mean"], expected[3:], rtol=1e-5)


def test_every_score_is_computed_from_the_embeddings():
    """Records at 0, 3 and 4 on a line; good is at 1 and has the peaks 1 and 2 as reference."""
    embedded = Embedded(np.array([[0.0], [3.0], [4.0]]), np.array([0.5, 1.5, 9.0]))
    points = {"mean": np.array([[1.0], [5.0]])}
    bank = banked(inspected(each=40))
    plain = replace(
        fit_prototypes("x", EmbeddedBank(squared, bank), EUCLIDEAN, "mean-map"),
        prototypes=points,
        good={"mean": points["mean"][:1]},
    )
    np.testing.assert_allclose(plain.mode_distances(embedded), [[1, 5], [2, 2], [3, 1]])
    np.testing.assert_allclose(plain.score(embedded), [1, 2, 3])
    np.testing.assert_allclose(plain.pair_distances(embedded.take(np.array([0])), embedded), [[0, 3, 4]], atol=1e-6)
    assert (plain.scores(embedded).keys(), plain.unit) == ({"distance", "peak"}, "euclidean")
    fusion = Fusion(np.array([0.0, 1.5]), np.array([1.0, 2.0]))
    fused = replace(plain, fusion=fusion, score_kind="fused")
    np.testing.assert_allclose(fused.score(embedded), fusion(np.array([1.0, 2.0, 3.0]), embedded.peaks))
    np.testing.assert_allclose(fused.scores(embedded)["fused"], fused.score(embedded))
    np.testing.assert_allclose(replace(plain, fusion=fusion).score(embedded), [1, 2, 3])
    assert fused.unit == "p-values of euclidean and peak"


def test_a_classifier_that_knows_no_good_parts_has_no_score(bank):
    without_good = replace(bank, good=np.zeros(len(bank.good), bool))
    for classifier in (raw_map_baseline(EUCLIDEAN, without_good), rt_baseline(without_good)):
        assert not classifier.knows_good
        assert np.isnan(classifier.score(classifier.embed(bank.maps))).all()
    assert raw_map_baseline(EUCLIDEAN, without_good).scores(classifier.embed(bank.maps)) == {}


def test_the_reference_of_the_fused_score_is_good_calibration_records(bank):
    records = EmbeddedBank(squared, bank)
    plain = fit_prototypes("x", records, EUCLIDEAN, "mean-map")
    rows = bank.rows("calibrate")
    good = plain.embed(bank.maps[rows[bank.good[rows]]])
    for score in ("fused", "distance"):
        classifier = with_fused_score(plain, records, score)
        np.testing.assert_array_equal(classifier.fusion.distance, plain.good_distances(good))
        np.testing.assert_array_equal(classifier.fusion.peak, good.peaks)
        assert classifier.score_kind == score
    without_reference = replace(bank, part=np.where(bank.part == 2, np.int8(3), bank.part))
    assert with_fused_score(plain, EmbeddedBank(squared, without_reference), "fused") == plain


def test_rt_has_a_unit_space_for_each_mode_that_has_the_records(bank):
    few = bank.rows("train")[bank.mode[bank.rows("train")] == 2][rt.MIN_RECORDS - 1 :]
    part = bank.part.copy()
    part[few] = 3
    classifier = rt_baseline(replace(bank, part=part))
    maps = bank.maps[:5]
    distances = classifier.mode_distances(classifier.embed(maps))
    assert (distances[:, 2] == NO_UNIT_SPACE_DISTANCE).all()
    own = bank.maps[(part == 0) & (bank.mode == 1)]
    np.testing.assert_allclose(distances[:, 1], rt.distance(maps, rt.fit(own.astype(np.float64), ridge=1e-6)))
    assert classifier.knows_good
