"""Whole blocks of batches in one compiled call, on any Keras backend: the loop over them then costs nothing.

Keras trains a batch a call, and between two calls the machine waits for Python: for a small tower that is
half of the time. Here `train_step` and `test_step` walk a block of batches themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tasks.model.batches import EpochBatches
from tasks.model.device_maps import DeviceMaps

Step = Callable[..., Any]


class MultiStepModel(keras.Model):
    """A tower on rows of a resident record bank, trained block by block. A subclass gives `call` and `compute_loss`.

    `compute_loss` gets a batch's rows as `x` and its weights as `sample_weight`, and says what it found to `tell`.
    """

    def __init__(self, tower: keras.Model, shelf: DeviceMaps) -> None:
        super().__init__()
        self.tower, self.shelf = tower, shelf
        self.bank = self.add_weight(shape=shelf.shape, initializer="zeros", trainable=False, name="bank")
        if shelf.resident:
            self.bank.assign(shelf.all_maps())
        self.mean, self.active = keras.metrics.Mean(name="mean"), keras.metrics.Mean(name="active")

    def record_loss(self, loss: Any, active: Any, weight: Any = 1.0) -> None:
        """Note a batch's loss and its share of what still has one, for the epoch's log."""
        self.mean.update_state(loss, sample_weight=weight)
        self.active.update_state(active, sample_weight=weight)

    def build_once(self, drawn: EpochBatches) -> None:
        """Build model and optimizer on one batch's shape; a whole block's would be taken for a batch.

        Its rows may name maps that are not in the bank yet.
        """
        self(np.zeros_like(drawn.rows[0]))
        self.optimizer.build(self.trainable_variables)

    def run_epoch(
        self, drawn: EpochBatches, learn: bool, told: Callable[[int, float], None] | None = None
    ) -> dict[str, float]:
        """Train on an epoch's batches, or judge them: the `mean` loss and the `active` share.

        `told` is called after each block with the batches done and the mean loss so far.
        """
        run, done, sums = self.train_on_batch if learn else self.test_on_batch, 0, np.zeros(3)
        for block, count in drawn.blocks(self.shelf.batches_per_block(drawn.rows)):
            rows, maps = self.shelf.load_block(block.rows)
            if maps is not None:
                self.bank.assign(maps)
            found = run((rows, block.weights, np.array(count, np.int32)), return_dict=True)
            done += count
            sums += np.array([found["mean"], found["active"], 1.0]) * block.weights[:count].sum()
            if told:
                told(done, sums[0] / sums[2])
        return {"mean": float(sums[0] / sums[2]), "active": float(sums[1] / sums[2])}

    def train_step(self, *given: Any) -> Any:
        """Train on a block; Keras hands over (data) on TensorFlow and (state, data) on JAX."""
        return _LOOPS.get(keras.backend.backend(), _in_python)(super().train_step, self, *given)

    def test_step(self, *given: Any) -> Any:
        """Judge a block, as `train_step` trains on it."""
        return _LOOPS.get(keras.backend.backend(), _in_python)(super().test_step, self, *given)


def _in_tensorflow(step: Step, model: MultiStepModel, data: Any) -> Any:
    import tensorflow as tf

    rows, weights, count = data[0]

    def one(i: Any) -> Any:
        step((rows[i], None, weights[i]))
        return i + 1

    tf.while_loop(lambda i: i < count, one, [tf.constant(0)], parallel_iterations=1)
    return model.get_metrics_result()


def _in_jax(step: Step, model: MultiStepModel, state: Any, data: Any) -> Any:
    import jax

    rows, weights, count = data[0]

    def one(i: Any, held: Any) -> Any:
        return step(held[1], (rows[i], None, weights[i]))

    return jax.lax.fori_loop(1, count, one, step(state, (rows[0], None, weights[0])))


def _in_python(step: Step, model: MultiStepModel, data: Any) -> Any:
    rows, weights, count = data[0]
    return [step((rows[i], None, weights[i])) for i in range(int(count))][-1]


_LOOPS: dict[str, Callable[..., Any]] = {"tensorflow": _in_tensorflow, "jax": _in_jax}
