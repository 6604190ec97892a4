"""The one distance: one formula in numpy and in Keras, pair by pair and as a matrix."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tasks.config import DistanceName, allowed
from tasks.distance import DISTANCES, Distance, distance

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(40, 8)).astype(np.float32), RNG.normal(size=(30, 8)).astype(np.float32)
NAMES = pytest.mark.parametrize("name", DISTANCES)


@NAMES
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_numpy_and_keras_agree(name, scale):
    one = distance(name)
    in_keras = keras.ops.convert_to_numpy(one.pair(A[:30] * scale, B * scale, keras.ops))
    np.testing.assert_allclose(in_keras, one.pair(A[:30] * scale, B * scale), rtol=1e-5, atol=1e-5)


@NAMES
def test_the_matrix_is_all_pairs(name):
    one = distance(name)
    matrix = one.matrix(A, B)
    assert matrix.shape == (40, 30)
    np.testing.assert_allclose(matrix, one.pair(A[:, None], B[None]), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(matrix, Distance.matrix(one, A, B), rtol=1e-5, atol=1e-5)


@NAMES
def test_the_contract(name):
    """At least 0, nearly 0 for the same vector, symmetric; smaller means more alike."""
    one = distance(name)
    matrix = one.matrix(A, A)
    assert matrix.min() >= -1e-12
    np.testing.assert_allclose(np.diag(matrix), 0, atol=1e-5)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
    assert one.pair(A[0], A[0] + 0.1) < one.pair(A[0], -A[0])


def test_by_hand():
    """|(3, 4) − 0| = 5, cos of a right angle 0, of opposite vectors −1, of a multiple 1."""
    euclidean, cosine = distance("euclidean"), distance("cosine")
    assert euclidean.pair(np.array([3.0, 4.0]), np.zeros(2)) == pytest.approx(5)
    assert cosine.pair(np.array([1.0, 0.0]), np.array([0.0, 5.0])) == pytest.approx(1)
    assert cosine.pair(np.array([1.0, 2.0]), np.array([-2.0, -4.0])) == pytest.approx(2)
    assert cosine.pair(np.array([1.0, 2.0]), np.array([10.0, 20.0])) == pytest.approx(0)


@NAMES
def test_zero_vectors_have_a_distance(name):
    """Cosine has no angle there: 1 to everything, by convention."""
    one, zero = distance(name), np.zeros((1, 8), np.float32)
    for found in (one.matrix(zero, B), one.matrix(zero, zero), one.pair(zero, B), one.pair(zero, B, keras.ops)):
        assert np.isfinite(np.asarray(found)).all()
    assert one.pair(zero, zero)[0] == pytest.approx(1 if name == "cosine" else 0, abs=1e-5)


def test_euclidean_keeps_the_digits_of_close_points_far_from_zero():
    """a² + b² − 2ab of points 0.5 apart at 10⁴ has lost them in float32; in float64 it has not."""
    far = np.full((1, 8), 1e4, np.float32)
    near = far + np.float32(0.5)
    assert distance("euclidean").matrix(far, near)[0, 0] == pytest.approx(np.sqrt(8) / 2, rel=1e-6)


@NAMES
def test_the_gradient_is_finite_where_anchor_and_positive_are_one(name):
    import tensorflow as tf

    for vector in (np.ones((1, 4), np.float32), np.zeros((1, 4), np.float32)):
        value = tf.Variable(vector)
        with tf.GradientTape() as tape:
            found = distance(name).pair(value, tf.constant(vector), keras.ops)
        assert np.isfinite(tape.gradient(found, value).numpy()).all()


@NAMES
def test_it_names_itself(name):
    config = distance(name).get_config()
    assert config == {"name": name}
    assert type(distance(**config)) is DISTANCES[name]


def test_settings_offer_just_the_distances_that_there_are():
    assert set(allowed(DistanceName)) == set(DISTANCES)


def test_an_unknown_name_is_told_with_the_known():
    with pytest.raises(ValueError, match="expected one of euclidean, cosine, received 'manhattan'"):
        distance("manhattan")
