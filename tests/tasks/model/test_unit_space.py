"""The raw map as a tower without weights."""

from __future__ import annotations

import keras
import numpy as np

from tasks.model.unit_space import raw_map_tower


def test_a_window_is_a_block_of_the_embedding():
    """A map of 4 × 5 cells in windows of 3 × 3: two down, two across, filled up with zeros."""
    map_ = np.arange(1, 21, dtype=np.float32).reshape(4, 5)
    scale = float(np.sqrt(np.square(map_).mean()))
    filled = np.zeros((6, 6))
    filled[:4, :5] = map_
    expected = [filled[:3, :3], filled[:3, 3:], filled[3:, :3], filled[3:, 3:]]
    embedded = np.asarray(raw_map_tower((4, 5), map_.reshape(1, -1)).predict_on_batch(map_.reshape(1, -1)))
    np.testing.assert_allclose(embedded[0] * scale, np.concatenate([one.ravel() for one in expected]), rtol=1e-6)


def test_the_unit_of_the_maps_does_not_matter(tmp_path):
    """The good records' root mean square is 1, also after the tower was stored."""
    maps = np.random.default_rng(0).normal(size=(50, 20)).astype(np.float32)
    towers = [raw_map_tower((4, 5), maps * factor) for factor in (1, 1e-6, 1e6)]
    towers[0].save(tmp_path / "model.keras")
    stored = keras.saving.load_model(tmp_path / "model.keras")
    plain, small, large, again = (
        np.asarray(tower.predict_on_batch(maps * factor))
        for tower, factor in zip([*towers, stored], (1, 1e-6, 1e6, 1), strict=True)
    )
    np.testing.assert_allclose(small, plain, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(large, plain, rtol=1e-4, atol=1e-6)
    assert np.array_equal(again, plain)
    assert np.isclose(np.square(plain).sum() / maps.size, 1)
    assert not stored.get_weights()


def test_maps_of_zeros_have_an_embedding_too():
    zeros = np.zeros((3, 20), np.float32)
    assert np.array_equal(raw_map_tower((4, 5), zeros).predict_on_batch(zeros), np.zeros((3, 36)))
