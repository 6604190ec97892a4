"""Maps that lie in the model and maps that each block loads give the same training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.inspected_parts import banked, configured, inspected
from support.trainings import device_maps

from tasks.config.model import TrainingConfig
from tasks.model.tower import weights_digest
from tasks.train import fit


@pytest.mark.parametrize(("most", "size"), [(2, 2), (3, 3), (4, 4), (5, 4), (256, 7)])
def test_blocks_are_equally_long_whether_maps_are_resident_or_not(monkeypatch, most, size):
    monkeypatch.setattr("tasks.model.device_maps.MAX_BLOCK_BATCHES", most)
    rows, maps = np.zeros((7, 2, 3), np.int32), np.zeros((6, 20), np.float32)
    assert device_maps(maps).batches_per_block(rows) == size
    monkeypatch.setattr("tasks.model.device_maps.MAX_RESIDENT_BYTES", 0)
    assert device_maps(maps).batches_per_block(rows) == size
    assert device_maps(maps).shape == (2 * 3 * most if most < 7 else 2 * 3 * 7, 20)
    monkeypatch.setattr("tasks.model.device_maps.MAX_BLOCK_BYTES", 0)  # a batch has room all the same
    assert (device_maps(maps).batches_per_block(rows), device_maps(maps).shape) == (1, (6, 20))


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["notebook", "best"])
def test_maps_brought_block_by_block_train_to_the_same_bits(monkeypatch, preset):
    """Where the maps are too many to lie in the model; a block's room is for one batch here."""
    bank = banked(inspected(modes=3, each=60))
    config = configured(Path(), preset=preset, fit=TrainingConfig(epochs=2, batch=18, steps=9, modes_per_batch=3))
    monkeypatch.setattr("tasks.model.device_maps.MAX_BLOCK_BATCHES", 1)
    resident = fit(bank, config.resolved())
    monkeypatch.setattr("tasks.model.device_maps.MAX_RESIDENT_BYTES", 0)
    monkeypatch.setattr("tasks.model.device_maps.MAX_BLOCK_BYTES", 0)
    assert weights_digest(fit(bank, config.resolved())[0]) == weights_digest(resident[0])
