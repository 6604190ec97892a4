"""A block of batches trains as its batches one by one, and leaves nothing in memory."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from support.inspected_parts import banked, inspected
from support.trainings import notebook_run

from tasks.train import fit


@pytest.fixture(scope="module")
def bank():
    return banked(inspected(modes=3, each=60))


@pytest.fixture(scope="module")
def quick(bank):
    """A training of three epochs: tower, log, and the best epoch."""
    return fit(bank, notebook_run())


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1, 5])
def test_blocks_are_the_batches_one_by_one(bank, quick, monkeypatch, limit):
    """Also blocks of one batch, as `train_on_batch` takes it, and where the last block is filled up."""
    tower, log, _ = quick
    monkeypatch.setattr("tasks.model.device_maps.MAX_BLOCK_BATCHES", limit)
    other, other_log, _ = fit(bank, notebook_run())
    np.testing.assert_allclose([line.loss for line in other_log], [line.loss for line in log], atol=1e-5)
    for weight, other_weight in zip(tower.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(weight, other_weight, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("batches", ["triplets", "records"])
def test_a_training_leaves_no_graph_behind(bank, batches):
    """A graph holds what it was traced with, the record bank first of all: the next training would add its own."""

    def graphs() -> int:
        fit(bank, notebook_run(batches=batches, epochs=1))
        return sum(type(one).__name__ == "FuncGraph" for one in gc.get_objects())

    assert graphs() == graphs()
