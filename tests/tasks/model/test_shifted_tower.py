"""The mean embedding of a map and its shifts: what a loop over padded maps gives, in training's backend."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from keras import ops

from tasks.config.run import RunConfig
from tasks.model.embeddings import make_encoder
from tasks.model.shifted_tower import STEPS, shifted_tower
from tasks.model.siamese import shift_indices
from tasks.model.tower import build_tower

TOWER = RunConfig(preset="best").resolved().tower
MAPS = np.random.default_rng(3).gamma(2.0, size=(7, 6 * 8)).astype(np.float32)


def expected(tower, shifts):
    """The shifts of training's own table: the first moves nothing, each other one by a cell down, right, or both."""
    moves = shift_indices(6, 8)
    chosen = {1: [0], 5: [0, 1, 2, 3, 6], 9: range(9)}[shifts]
    return np.mean([ops.convert_to_numpy(tower(MAPS[:, moves[i]], training=False)) for i in chosen], axis=0)


@pytest.mark.parametrize("shifts", STEPS)
def test_the_embedding_is_the_mean_over_the_shifts_that_training_uses(shifts):
    tower = build_tower(replace(TOWER, normalise=False), (6, 8), MAPS)
    found = make_encoder(shifted_tower(tower, (6, 8), shifts))(MAPS)
    np.testing.assert_allclose(found, expected(tower, shifts), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shifts", [5, 9])
def test_a_mean_of_embeddings_of_length_one_has_length_one(shifts):
    tower = build_tower(TOWER, (6, 8), MAPS)
    mean = expected(tower, shifts)
    assert np.linalg.norm(mean, axis=1).max() < 1 - 1e-5  # so the test can tell
    found = make_encoder(shifted_tower(tower, (6, 8), shifts))(MAPS)
    np.testing.assert_allclose(found, mean / np.linalg.norm(mean, axis=1, keepdims=True), rtol=1e-4, atol=1e-5)


def test_without_shifts_it_is_the_tower_itself():
    tower = build_tower(TOWER, (6, 8), MAPS)
    assert shifted_tower(tower, (6, 8), 1) is tower
