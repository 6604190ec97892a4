"""The balanced batch's loss: each mining by hand, and prototypes that never hold the record they judge."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from tasks.config.model import DISTANCES
from tasks.model.distances import distance
from tasks.model.losses import (
    MININGS,
    all_triplets,
    cross_entropy,
    multi_similarity,
    pair_indices,
    places_of_others,
    prototype_logits,
    semi_hard,
)

RNG = np.random.default_rng(5)
# Two anchors with two positives and two negatives each.
NEAR = np.array([[0.1, 0.9], [0.2, 0.3]], np.float32)
FAR = np.array([[0.4, 1.5], [2.0, 3.0]], np.float32)


def numbers(found):
    return [float(ops.convert_to_numpy(value)) for value in found]


def test_places_of_two_modes_of_three():
    positives, negatives = pair_indices(2, 3)
    assert positives.tolist() == [[1, 2], [0, 2], [0, 1], [4, 5], [3, 5], [3, 4]]
    assert negatives.tolist() == [[3, 4, 5]] * 3 + [[0, 1, 2]] * 3


def test_all_triplets_by_hand():
    """Margin .4, first anchor: .1−.4+.4 = .1, .1−1.5 < 0, .9−.4+.4 = .9, .9−1.5+.4 < 0; the second's are all < 0.

    Two of eight are active, their mean is .5.
    """
    assert numbers(all_triplets(NEAR, FAR, 0.4)) == pytest.approx([0.5, 0.25])


def test_semi_hard_by_hand():
    """The nearest negative beyond .1 is .4 → .1; beyond .9 it is 1.5 → < 0; the second's are < 0: one of four."""
    assert numbers(semi_hard(NEAR, FAR, 0.4)) == pytest.approx([0.1, 0.25])
    nobody_farther = np.array([[5.0, 6.0]], np.float32)  # then the farthest: 5 − 1.5 + .4 and 6 − 1.5 + .4
    assert numbers(semi_hard(nobody_farther, FAR[:1], 0.4)) == pytest.approx([4.4, 1.0])


def test_multi_similarity_by_hand():
    """Margin .4: of the first anchor both positives count (.1 + .4 and .9 + .4 > .4), and the nearest negative

    (.4 − .4 < .9, but 1.5 − .4 is not); of the second none does.
    """
    pull = np.log1p(np.exp(2 * (0.1 - 0.5)) + np.exp(2 * (0.9 - 0.5))) / 2
    push = np.log1p(np.exp(40 * (0.5 - 0.4))) / 40
    near = np.array([[0.1001, 0.9], [0.2, 0.3]], np.float32)
    assert numbers(multi_similarity(near, FAR, 0.4)) == pytest.approx([(pull + push) / 2, 0.25], rel=1e-3)


@pytest.mark.parametrize("name", MININGS)
def test_separated_modes_cost_less_than_mixed_ones(name):
    near, far = np.full((4, 3), 0.1, np.float32), np.full((4, 8), 1.5, np.float32)
    apart, mixed = (numbers(MININGS[name](*pair, 0.4))[0] for pair in ((near, far), (far, near)))
    assert apart < mixed


@pytest.mark.parametrize("name", DISTANCES)
def test_no_record_finds_itself_in_its_prototype(name):
    """Column of the own mode: the distance to the others' prototype, made anew in numpy without the record."""
    one, (modes, records, size) = distance(name), (3, 5, 6)
    embeddings = (RNG.normal(size=(modes, records, size)) + RNG.normal(size=(modes, 1, size)) * 2).astype(np.float32)
    found = ops.convert_to_numpy(prototype_logits(one, embeddings.reshape(-1, size), modes, records))
    assert found.shape == (15, 3)
    whole = one.prototype(embeddings.astype(np.float64))
    pooled = one.pooled(whole, whole)
    for row, (mode, record) in enumerate(np.ndindex(modes, records)):
        rest = one.prototype(np.delete(embeddings[mode], record, axis=0)[None].astype(np.float64))
        expected = one.to_prototypes(embeddings[mode, record][None], pooled)[0]
        expected[mode] = one.to_prototypes(embeddings[mode, record][None], one.pooled(rest, whole))[0, 0]
        np.testing.assert_allclose(found[row], -np.square(expected), rtol=1e-3, atol=1e-4)


def test_the_places_of_a_modes_others_leave_its_copies_out():
    """Mode 0 has records 7, 8 and 7 again; mode 1 has 4 three times, and nothing else to compare it with."""
    places = ops.convert_to_numpy(places_of_others(np.array([7, 8, 7, 4, 4, 4], np.int32), 2, 3))
    assert places[0].tolist() == [[1, 1], [0, 2], [1, 1]]
    assert places[1].tolist() == [[3, 3]] * 3
    plain = ops.convert_to_numpy(places_of_others(np.arange(8, dtype=np.int32), 2, 4))
    assert plain.tolist() == [[[p * 4 + j for j in range(4) if j != i] for i in range(4)] for p in range(2)]


@pytest.mark.parametrize("name", DISTANCES)
def test_no_record_finds_its_copy_in_its_prototype(name):
    """Mode 0 has two records three times each: each is compared with the other alone, whatever the copies say."""
    one, (modes, records, size) = distance(name), (2, 6, 5)
    rows = np.array([3, 9, 3, 9, 3, 9, *range(20, 26)], np.int32)
    embeddings = RNG.normal(size=(modes * records, size)).astype(np.float32)
    found = ops.convert_to_numpy(prototype_logits(one, embeddings, modes, records, rows))
    without = ops.convert_to_numpy(prototype_logits(one, embeddings, modes, records))
    np.testing.assert_allclose(found[:, 1], without[:, 1], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found[6:], without[6:], rtol=1e-3, atol=1e-4)
    groups = embeddings.reshape(modes, records, size).astype(np.float64)
    together = one.prototype(groups)
    for place in range(6):
        others = groups[0][[1, 3, 5, 1, 3] if place % 2 == 0 else [0, 2, 4, 0, 2]]
        own = one.pooled(one.prototype(others[None]), together)
        expected = one.to_prototypes(groups[0][place][None], own)[0, 0]
        np.testing.assert_allclose(found[place, 0], -np.square(expected), rtol=1e-3, atol=1e-4)


def test_cross_entropy_by_hand():
    """Two modes of one record: −log of softmax (0, −1) and (−2, 0) at the own mode."""
    logits = np.array([[0.0, -1.0], [-2.0, 0.0]], np.float32)
    expected = (np.log1p(np.exp(-1)) + np.log1p(np.exp(-2))) / 2
    assert float(ops.convert_to_numpy(cross_entropy(logits, 2, 1))) == pytest.approx(expected, rel=1e-6)


def test_multi_similarity_takes_negatives_within_the_margin_of_the_farthest_positive():
    positive, negative = np.array([[0.5, 0.2]], np.float32), np.array([[0.8, 1.0]], np.float32)
    assert numbers(multi_similarity(positive, negative, 0.4))[1] == 0.5
