"""The one distance: one formula in numpy and in Keras, pair by pair, as a matrix, and from prototypes."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from tasks.config.model import DISTANCES, TrainingConfig
from tasks.config.run import RunConfig
from tasks.core.errors import BadSetting
from tasks.model.distances import Distance, distance, trained_distance

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(40, 8)).astype(np.float32), RNG.normal(size=(30, 8)).astype(np.float32)
GROUPS = (RNG.normal(size=(5, 12, 8)) + RNG.normal(size=(5, 1, 8))).astype(np.float32)
NAMES = pytest.mark.parametrize("name", DISTANCES)
SYMMETRIC = pytest.mark.parametrize("name", ["euclidean", "squared-euclidean", "cosine"])


def as_numpy(value):
    return ops.convert_to_numpy(value)


@NAMES
@pytest.mark.parametrize("scale", [1e-2, 1.0, 1e2])
def test_numpy_and_keras_agree(name, scale):
    """To 1e-5, relative and absolute; RT's epsilons are shares of the level, so a scale changes little."""
    one, a, b = distance(name), A * np.float32(scale), B * np.float32(scale)
    np.testing.assert_allclose(as_numpy(one.pair(a[:30], b, ops)), one.pair(a[:30], b), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(as_numpy(one.matrix(a, b, ops)), one.matrix(a, b), rtol=1e-5, atol=1e-5)
    same = np.diag(as_numpy(one.matrix(a, a, ops)))
    np.testing.assert_allclose(same, np.diag(one.matrix(a, a)), atol=1e-5)


@NAMES
def test_prototypes_agree_in_numpy_and_keras(name):
    one = distance(name)
    inside = one.prototype(ops.convert_to_tensor(GROUPS), ops)
    inside = one.pooled(inside, inside, ops)
    outside = one.prototypes(list(GROUPS))
    assert inside.keys() == outside.keys()
    for key, value in outside.items():
        np.testing.assert_allclose(as_numpy(inside[key]), value, rtol=1e-4, atol=1e-5)
    found = as_numpy(one.to_prototypes(ops.convert_to_tensor(A), inside, ops))
    np.testing.assert_allclose(found, one.to_prototypes(A, outside), rtol=1e-4, atol=1e-5)


@NAMES
def test_the_matrix_is_all_pairs(name):
    one = distance(name)
    matrix = one.matrix(A, B)
    assert matrix.shape == (40, 30)
    np.testing.assert_allclose(matrix, one.pair(A[:, None].astype(float), B[None].astype(float)), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(matrix, Distance.to_prototypes(one, A, {"mean": B}), rtol=1e-6, atol=1e-9)


@NAMES
def test_the_contract(name):
    """At least 0, nearly 0 for the same vector; smaller means more alike."""
    one = distance(name)
    matrix = one.matrix(A, A)
    assert matrix.min() >= -1e-12
    np.testing.assert_allclose(np.diag(matrix), 0, atol=1e-3)
    assert one.symmetric == np.allclose(matrix, matrix.T)
    assert one.pair(A[0] + 0.1, A[0]) < one.pair(-A[0], A[0])


def test_by_hand():
    """(3, 4) from 0: 5, squared 25. cos of a right angle 0, of opposite vectors −1, of a multiple 1.

    SNR of (3, 1) from (1, −1): the difference (2, 2) does not vary: 0; of (2, −2): it is the anchor itself: 1;
    of (0, 0): Var(−1, 1) / Var(1, −1) = 1. RT of (2, 0) from (1, 0): β 2, no error: √(½·1²) = .7071; of (1, 1):
    β 1, S_e/r = 1: the same.
    """
    there, zero = np.array([3.0, 4.0]), np.zeros(2)
    assert distance("euclidean").pair(there, zero) == pytest.approx(5)
    assert distance("squared-euclidean").pair(there, zero) == pytest.approx(25)
    cosine = distance("cosine")
    assert cosine.pair(np.array([1.0, 0.0]), np.array([0.0, 5.0])) == pytest.approx(1)
    assert cosine.pair(np.array([1.0, 2.0]), np.array([-2.0, -4.0])) == pytest.approx(2)
    assert cosine.pair(np.array([1.0, 2.0]), np.array([10.0, 20.0])) == pytest.approx(0)
    found = distance("snr").matrix(np.array([[3.0, 1.0], [2.0, -2.0], [0.0, 0.0]]), np.array([[1.0, -1.0]]))
    np.testing.assert_allclose(found[:, 0], [0, 1, 1], atol=1e-9)
    found = distance("rt").matrix(np.array([[2.0, 0.0], [1.0, 1.0]]), np.array([[1.0, 0.0]]))
    np.testing.assert_allclose(found[:, 0], np.sqrt(0.5), rtol=1e-5)


@NAMES
def test_zero_vectors_have_a_distance(name):
    one, zero = distance(name), np.zeros((1, 8), np.float32)
    for found in (one.matrix(zero, B), one.matrix(zero, zero), one.pair(zero, B), one.pair(zero, B, ops)):
        assert np.isfinite(as_numpy(found)).all()


def test_cosine_has_no_angle_at_zero():
    zero = np.zeros((1, 8), np.float32)
    assert distance("cosine").pair(zero, zero)[0] == pytest.approx(1)


def test_euclidean_keeps_the_digits_of_close_points_far_from_zero():
    """a² + b² − 2ab of points 0.5 apart at 10⁴ has lost them in float32; in float64 it has not."""
    far = np.full((1, 8), 1e4, np.float32)
    near = far + np.float32(0.5)
    assert distance("euclidean").matrix(far, near)[0, 0] == pytest.approx(np.sqrt(8) / 2, rel=1e-6)


def gradient(function, value):
    """The gradient of a backend's own."""
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.grad(lambda given: ops.sum(function(given)))(ops.convert_to_tensor(value)))
    import tensorflow as tf

    variable = tf.Variable(value)
    with tf.GradientTape() as tape:
        found = function(variable)
    return tape.gradient(found, variable).numpy()


@NAMES
@pytest.mark.parametrize("vector", [np.ones((1, 4), np.float32), np.zeros((1, 4), np.float32)])
def test_the_gradient_is_finite_where_both_are_one(name, vector):
    found = gradient(lambda given: distance(name).pair(given, ops.convert_to_tensor(vector), ops), vector)
    assert np.isfinite(found).all()


@NAMES
def test_it_names_itself(name):
    one = distance(name)
    config = one.get_config()
    assert config["name"] == name
    again = distance(**config)
    assert type(again) is type(one)
    assert again.get_config() == config


def test_options_travel_with_the_name():
    one = distance("rt", blocks=2, shrink=0.1)
    np.testing.assert_array_equal(distance(**one.get_config()).matrix(A, B), one.matrix(A, B))
    assert trained_distance(RunConfig(preset="rt", fit=TrainingConfig(blocks=2)).resolved().fit).blocks == 2


def test_ones_own_distance_is_taken_by_its_path():
    own = distance("support.custom_models:City")
    assert own.matrix(np.array([[1.0, 2.0]]), np.array([[0.0, 0.0], [1.0, 1.0]])).tolist() == [[3.0, 1.0]]
    assert type(distance(**own.get_config())).__name__ == "City"
    assert TrainingConfig(distance="support.custom_models:City").distance == "support.custom_models:City"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("manhattan", r"expected one of euclidean, .*, rt, or module:Class of a Distance, received 'manhattan'"),
        ("json:dumps", r"or module:Class of a Distance, received 'json:dumps'"),
        ("support.custom_models:Nobody", r"expected 'Nobody' in .*custom_models.py, found none of that name"),
        ("no_such_module:City", "no_such_module: expected a module that Python finds, found none"),
        (":", "expected a module that Python finds"),
        ("json:", "expected '' in .*json.__init__.py, found none"),
    ],
)
def test_what_is_no_distance_is_told_with_the_known(name, message):
    with pytest.raises(BadSetting, match=message):
        distance(name)


def test_a_matrix_of_many_rows_has_all_of_them():
    """It is made block by block."""
    x = RNG.normal(size=(1100, 3))
    matrix = distance("squared-euclidean").to_prototypes(x, {"mean": x[:2]})
    np.testing.assert_allclose(matrix, np.square(x[:, None] - x[None, :2]).sum(axis=-1), atol=1e-9)


def test_small_distances_far_from_zero_keep_their_digits():
    near = RNG.normal(size=(5, 4))
    far = distance("euclidean").matrix(near + 1e6, near[:3] + 1e6)
    np.testing.assert_allclose(far, np.linalg.norm(near[:, None] - near[None, :3], axis=-1), rtol=1e-6, atol=2e-6)
