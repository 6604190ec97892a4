"""Prototypes of a few parts: of all, and without each; smoothed as the release's own; drawn towards the parent's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.enrolling import enrolled_parts, parts_of_new_mode

from tasks.enrolment.prototypes import blended, prototype_of, prototypes_left_out, smoothed, with_mode
from tasks.model.distances import RT


@pytest.fixture
def classifier(plain_release):
    return plain_release.classifier


@pytest.fixture
def parts(classifier):
    return enrolled_parts(classifier, parts_of_new_mode(6))


@pytest.mark.parametrize("kind", ["mean-map", "mean-embedding"])
def test_a_prototype_is_the_mean_of_all_and_of_all_but_one(classifier, parts, kind):
    """Where the embedding is the map itself, both kinds are the same."""
    np.testing.assert_allclose(prototype_of(classifier, kind, parts)["mean"], parts.maps.mean(axis=0)[None], rtol=1e-5)
    left_out = prototypes_left_out(classifier, kind, parts)["mean"]
    np.testing.assert_allclose(left_out[2], np.delete(parts.maps, 2, axis=0).mean(axis=0), rtol=1e-4, atol=1e-6)


def test_an_rt_prototype_is_smoothed_by_the_release_s_own(classifier, parts):
    rt = RT()
    groups = np.random.default_rng(0).normal(2, 1, (3, 30, 20))
    classifier = replace(classifier, distance=rt, prototypes=rt.prototypes(list(groups)))
    own = prototype_of(classifier, "mean-embedding", parts)
    new = smoothed(classifier, own)
    together = classifier.prototypes["V"].mean(axis=0)
    np.testing.assert_allclose(new["V"][0], 0.7 * own["V"][0] + 0.3 * together, rtol=0.02, atol=2e-4)
    assert not np.array_equal(new["V"], own["V"])


def test_the_new_mode_is_the_last_and_the_others_stay(classifier, parts):
    more = with_mode(classifier, "bridge", prototype_of(classifier, "mean-embedding", parts))
    assert more.modes == [*classifier.modes, "bridge"]
    before = classifier.mode_distances(parts.embedded)
    np.testing.assert_allclose(more.mode_distances(parts.embedded)[:, :-1], before, rtol=1e-12)


def test_a_lot_s_prototype_lies_between_its_own_and_the_parent_s(classifier, parts):
    own = prototype_of(classifier, "mean-embedding", parts)
    good = classifier.good
    np.testing.assert_allclose(blended(good, own, 0.25)["mean"], 0.75 * good["mean"] + 0.25 * own["mean"])
    assert blended(good, prototypes_left_out(classifier, "mean-embedding", parts), 0.5)["mean"].shape == (6, 20)
