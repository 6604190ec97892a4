"""RT as a distance of the network: the textbook's golden figures, and what pooling and blocks do to it."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops
from sklearn.datasets import load_iris

from tasks.imaging import rt
from tasks.model.distances import distance

IRIS = load_iris().data
UNIT, JUDGED = IRIS[60:100], IRIS[[0, 50, 100]]
RNG = np.random.default_rng(3)


def textbook(blocks=1):
    """RT without all that makes it trainable."""
    return distance("rt", blocks=blocks, shrink=0.0, floor=0.0, epsilon=1e-15)


def test_golden_figures_of_iris():
    """Unit space = rows 61–100, V with divisor n: D of rows 1, 51 and 101."""
    one = textbook()
    space = one.prototypes([UNIT])
    np.testing.assert_allclose(space["mean"][0], [5.895, 2.745, 4.2325, 1.3125])
    assert space["mean_y"][0, 0, 0] == pytest.approx(1)
    assert space["mean_y"][0, 0, 1] * np.sqrt(61.9227625 / 3) == pytest.approx(0.20465886, abs=1e-7)
    np.testing.assert_allclose(one.to_prototypes(JUDGED, space)[:, 0], [9.035007, 1.459446, 4.915064], atol=1e-5)


def test_golden_figures_within_keras():
    one = distance("rt", shrink=0.0, floor=0.0, epsilon=1e-9)
    space = one.prototype(ops.convert_to_tensor(UNIT[None].astype("float32")), ops)
    found = ops.convert_to_numpy(one.to_prototypes(ops.convert_to_tensor(JUDGED.astype("float32")), space, ops))
    np.testing.assert_allclose(found[:, 0], [9.035007, 1.459446, 4.915064], rtol=2e-4)


def test_it_is_the_method_itself():
    """Against tasks/imaging/rt.py on other records: unit spaces side by side, with its ridge out of the way."""
    spaces = [RNG.normal(size=(20, 6)) + RNG.normal(size=6) * 3 for _ in range(4)]
    x = RNG.normal(size=(30, 6)) * 2
    expected = np.stack([rt.distance(x, rt.fit(space)) for space in spaces], axis=1)
    one = textbook()
    np.testing.assert_allclose(one.to_prototypes(x, one.prototypes(spaces)), expected, rtol=1e-5)


def test_the_mean_square_over_a_unit_space_is_one():
    one = textbook()
    assert np.square(one.to_prototypes(UNIT, one.prototypes([UNIT]))).mean() == pytest.approx(1)
    wide, halves = RNG.normal(size=(50, 8)) + 2, textbook(blocks=2)
    assert np.square(halves.to_prototypes(wide, halves.prototypes([wide]))).mean() == pytest.approx(1)


def test_blocks_are_unit_spaces_side_by_side():
    """D² of two blocks is the mean of each block's own D²."""
    x, unit = RNG.normal(size=(7, 8)), RNG.normal(size=(25, 8)) + 2
    one, two = textbook(), textbook(blocks=2)
    halves = [one.to_prototypes(x[:, half], one.prototypes([unit[:, half]])) for half in (slice(4), slice(4, 8))]
    found = two.to_prototypes(x, two.prototypes([unit]))
    np.testing.assert_allclose(np.square(found), np.mean(np.square(halves), axis=0), rtol=1e-9)


def test_the_embeddings_scale_does_not_matter():
    """Shrinking every embedding gains a network nothing."""
    one, groups, x = distance("rt", blocks=2), [UNIT, IRIS[:50]], JUDGED
    near, far = (one.to_prototypes(x * scale, one.prototypes([g * scale for g in groups])) for scale in (1.0, 100.0))
    np.testing.assert_allclose(near, far, rtol=1e-3)


def test_pooling_lends_strength_to_poor_modes():
    """A mode of one record has V = 0; with its share of the others' V it has a distance like theirs."""
    one = distance("rt")
    space = one.prototypes([UNIT, IRIS[:50], IRIS[:1]])
    assert np.isfinite(one.to_prototypes(JUDGED, space)).all()
    own = one.prototype(IRIS[:50])["V"]
    pooled = (one.prototype(UNIT)["V"] + own) / 3  # the third has none
    expected = 0.7 * own + 0.3 * pooled
    expected += (1e-4 + 1e-2 * expected) * np.eye(2)
    np.testing.assert_allclose(space["V"][1], expected, rtol=1e-9)
    np.testing.assert_allclose(space["V"][2, 0], 0.3 * pooled[0] + 1e-4 * np.eye(2) + 3e-3 * pooled[0] * np.eye(2))


def test_two_points_are_a_unit_space_of_one_record():
    """|x−m|²/r = (β−1)² + S_e/r, so D = |x−m| / √(2r)."""
    x, m = RNG.normal(size=(9, 6)), RNG.normal(size=6) + 1
    expected = np.linalg.norm(x - m, axis=1) / np.sqrt(2 * np.square(m).sum())
    np.testing.assert_allclose(textbook().pair(x, m), expected, rtol=1e-6)


def test_offline_triplets_train_with_rt_too(tmp_path):
    """A batch's size is not known when the graph is made. The loss halves on every seed; without learning it stays."""
    from dataclasses import replace

    from support.inspected_parts import banked, configured, inspected

    from tasks.train import fit

    config = configured(tmp_path)
    settings = replace(config.fit, distance="rt", prototype="mean-embedding", epochs=2)
    _, log, _ = fit(banked(inspected(modes=3, each=40)), replace(config, fit=settings).resolved())
    assert log[1].loss < 0.8 * log[0].loss
