"""The towers: their size, what they do to raw maps, what they save, and one of one's own."""

from __future__ import annotations

import zipfile
from dataclasses import replace

import jax
import keras
import numpy as np
import pytest
from keras import ops

from tasks.config.model import TowerConfig
from tasks.config.run import RunConfig
from tasks.core.errors import BadSetting
from tasks.model.tower import build_tower, fit_scaling, reset_number_format, weights_digest

BEST, NOTEBOOK = (RunConfig(preset=name).resolved().tower for name in ("best", "notebook"))
RNG = np.random.default_rng(2)
MAPS = np.square(RNG.normal(size=(200, 20))).astype(np.float32)


def embedded(tower, maps):
    return ops.convert_to_numpy(tower(maps, training=False))


def test_the_convolutional_tower():
    """5·5·24 + 24; 9·24·16 + 16; 9·16·64 + 64; 36 × 39 → 18 × 20 → 9 × 10 → 5 × 5 cells of 64: 1600·128 + 128."""
    tower = build_tower(BEST, (36, 39))
    assert tower.count_params() == 624 + 3_472 + 9_280 + 204_928 == 218_304
    assert tower.output_shape == (None, 128)


def test_embeddings_have_length_one_where_asked():
    maps = RNG.normal(size=(5, 20)).astype(np.float32)
    np.testing.assert_allclose(np.linalg.norm(embedded(build_tower(BEST, (4, 5)), maps), axis=1), 1, rtol=1e-5)
    free = embedded(build_tower(replace(BEST, normalise=False), (4, 5)), maps)
    assert not np.allclose(np.linalg.norm(free, axis=1), 1)


def scaled(scaling, maps, x):
    """What the tower's body sees: the dense layer is made the identity."""
    tower = build_tower(replace(NOTEBOOK, widths="20", scaling=scaling), (4, 5), maps)
    tower.set_weights([np.eye(20, dtype=np.float32), np.zeros(20, np.float32)])
    return embedded(tower, x)


@pytest.mark.parametrize("scaling", ["auto", "root"])
def test_maps_without_negative_values_are_rooted(scaling):
    found = scaled(scaling, MAPS, MAPS)
    assert (found.mean(), found.std()) == pytest.approx((0, 1), abs=1e-3)
    expected = np.sqrt(MAPS / np.quantile(MAPS, 0.99) + 1e-6)
    np.testing.assert_allclose(found, (expected - expected.mean()) / expected.std(), rtol=1e-3, atol=1e-4)
    assert np.isfinite(scaled(scaling, MAPS, -MAPS)).all()  # a negative value that training never saw


def test_the_zero_of_sparse_maps_stays_one():
    """One cell in ten is not empty: the others are nothing, before and after."""
    maps = np.where(RNG.random((200, 20)) < 0.1, MAPS, 0).astype(np.float32)
    assert fit_scaling(maps, "auto").sparse
    assert not fit_scaling(MAPS, "auto").sparse
    found = scaled("auto", maps, maps)
    assert found.std() == pytest.approx(1, rel=1e-3)
    assert np.abs(found[maps == 0]).max() < 0.01


@pytest.mark.parametrize("scaling", ["auto", "standard"])
def test_signed_maps_are_centred(scaling):
    maps = (RNG.normal(size=(100, 20)) * 3 + 1).astype(np.float32)
    found = scaled(scaling, maps, maps)
    assert (found.mean(), found.std()) == pytest.approx((0, 1), abs=1e-3)
    assert not fit_scaling(maps, scaling).sparse


@pytest.mark.parametrize("maps", [np.zeros((4, 20)), np.full((4, 20), 7.0)])
def test_maps_that_do_not_vary_give_numbers(maps):
    assert np.isfinite(scaled("auto", maps.astype(np.float32), maps.astype(np.float32))).all()


def test_the_scaling_is_learnt_from_what_is_given_and_none_is_none():
    assert np.array_equal(scaled("none", MAPS, MAPS), MAPS)
    assert not np.allclose(scaled("auto", MAPS, MAPS), scaled("auto", MAPS * 2, MAPS))


def test_a_saved_tower_takes_raw_maps_and_loads_in_safe_mode(tmp_path):
    tower = build_tower(BEST, (4, 5), MAPS, noise=0.1)
    tower.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    assert weights_digest(loaded) == weights_digest(tower)
    np.testing.assert_allclose(embedded(loaded, MAPS), embedded(tower, MAPS), rtol=1e-5, atol=1e-6)
    with zipfile.ZipFile(tmp_path / "model.keras") as packed:
        config = packed.read("config.json").decode()
    assert "Lambda" not in config
    assert "tasks." not in config  # no class of ours: any Keras reads it


def test_noise_and_dropout_are_of_training_alone():
    tower = build_tower(BEST, (4, 5), MAPS, noise=0.5)
    assert np.array_equal(embedded(tower, MAPS), embedded(tower, MAPS))
    noisy = [ops.convert_to_numpy(tower(MAPS, training=True)) for _ in range(2)]
    assert not np.allclose(*noisy)


@pytest.mark.parametrize("settings", [NOTEBOOK, BEST, replace(BEST, kind="support.custom_models:seeded")])
def test_the_seed_alone_decides_a_tower(monkeypatch, settings):
    """Other threads draw from Python's random, too: Prefect's do, while a tower is built."""
    first = build_tower(settings, (4, 5), MAPS, noise=0.5, seed=3)
    monkeypatch.setattr("random.randint", lambda low, high: low)
    again = build_tower(settings, (4, 5), MAPS, noise=0.5, seed=3)
    other = build_tower(settings, (4, 5), MAPS, noise=0.5, seed=4)
    assert weights_digest(first) == weights_digest(again) != weights_digest(other)
    noisy = [ops.convert_to_numpy(tower(MAPS, training=True)) for tower in (first, again, other)]
    np.testing.assert_allclose(noisy[0], noisy[1], rtol=1e-5, atol=1e-6)
    assert not np.allclose(noisy[0], noisy[2])


def test_a_tower_of_ones_own():
    tower = build_tower(replace(BEST, kind="support.custom_models:pooled", widths="8-6"), (4, 5), MAPS)
    assert tower.output_shape == (None, 6)
    assert tower.count_params() == 9 * 8 + 8 + 16 * 6 + 6


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("support.custom_models:nobody", "expected 'nobody' in .*custom_models.py, found none of that name"),
        ("no_such_module:tower", "no_such_module: expected a module that Python finds"),
        ("support.custom_models:__doc__", "tower.kind: expected module:function, received"),
    ],
)
def test_a_tower_that_is_not_to_be_had(kind, message):
    with pytest.raises(BadSetting, match=message):
        build_tower(replace(BEST, kind=kind), (4, 5), MAPS)


def test_a_convolutional_tower_needs_filters():
    with pytest.raises(BadSetting, match="expected filters and the embedding, such as 24-16-64-128, found '64'"):
        RunConfig(tower=TowerConfig(widths="64"))


def test_somebody_s_settings_of_keras_do_not_change_a_tower():
    """Another precision or order of axes would train other weights under the same digest."""
    keras.config.set_floatx("float64")
    keras.config.set_epsilon(0.1)
    keras.config.set_image_data_format("channels_first")
    try:
        tower = build_tower(BEST, (4, 5), MAPS)
        assert (keras.config.floatx(), keras.config.epsilon()) == ("float32", 1e-7)
        assert {weights.dtype for weights in tower.weights} == {"float32"}
        assert {layer.data_format for layer in tower.layers if hasattr(layer, "data_format")} == {"channels_last"}
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_epsilon(1e-7)
        keras.config.set_image_data_format("channels_last")


def test_the_precision_of_jax_is_its_default_whatever_the_program_around_says(monkeypatch):
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    jax.config.update("jax_enable_x64", True)
    try:
        reset_number_format()
        assert jax.numpy.ones(1, float).dtype == "float32"
    finally:
        jax.config.update("jax_enable_x64", False)
