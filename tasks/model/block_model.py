"""Blocks of batches in one compiled call, on any Keras backend: the loop over the batches then costs nothing.

Keras trains a batch a call, and between two calls the machine waits for Python: for a small tower that is half of
the time. Here `train_step` and `test_step` run a block of batches themselves. Keras' own `steps_per_execution` is
compared with it in docs/speed.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tasks.model.batches import EpochBatches
from tasks.model.device_maps import DeviceMaps

Step = Callable[..., Any]


class BlockModel(keras.Model):
    """A tower on rows of a record bank, trained block by block. A subclass gives `call` and `compute_loss`.

    `compute_loss` gets a batch's rows as `x` and its weights as `sample_weight`, and calls `record_loss`.
    """

    def __init__(self, tower: keras.Model, maps: DeviceMaps) -> None:
        super().__init__()
        self.tower, self.maps = tower, maps
        self.bank = self.add_weight(shape=maps.shape, initializer="zeros", trainable=False, name="bank")
        if maps.resident:
            self.bank.assign(maps.all_maps())
        self.mean, self.active = keras.metrics.Mean(name="mean"), keras.metrics.Mean(name="active")

    def record_loss(self, loss: Any, active: Any, weight: Any = 1.0) -> None:
        """Add a batch's mean loss and the share of its items that still have one to the epoch's log."""
        self.mean.update_state(loss, sample_weight=weight)
        self.active.update_state(active, sample_weight=weight)

    def build_once(self, batches: EpochBatches) -> None:
        """Build model and optimizer on the shape of one batch; Keras would take a block for a batch."""
        self(np.zeros_like(batches.rows[0]))
        self.optimizer.build(self.trainable_variables)

    def run_epoch(
        self, batches: EpochBatches, training: bool, report: Callable[[int, float], None] | None = None
    ) -> dict[str, float]:
        """Train on an epoch's batches, or only compute their loss: the `mean` loss and the `active` share.

        `report` is called after each block with the number of batches done and the mean loss so far.
        """
        run, done, sums = self.train_on_batch if training else self.test_on_batch, 0, np.zeros(3)
        for block, count in batches.blocks(self.maps.batches_per_block(batches.rows)):
            rows, maps = self.maps.load_block(block.rows)
            if maps is not None:
                self.bank.assign(maps)
            metrics = run((rows, block.weights, np.array(count, np.int32)), return_dict=True)
            done += count
            sums += np.array([metrics["mean"], metrics["active"], 1.0]) * block.weights[:count].sum()
            if report:
                report(done, sums[0] / sums[2])
        return {"mean": float(sums[0] / sums[2]), "active": float(sums[1] / sums[2])}

    def train_step(self, *arguments: Any) -> Any:
        """Train on a block; Keras passes (data) on TensorFlow and (state, data) on JAX."""
        return _LOOPS.get(keras.backend.backend(), _in_python)(super().train_step, self, *arguments)

    def test_step(self, *arguments: Any) -> Any:
        """Compute the loss of a block, with the arguments of `train_step`."""
        return _LOOPS.get(keras.backend.backend(), _in_python)(super().test_step, self, *arguments)


def _in_tensorflow(step: Step, model: BlockModel, data: Any) -> Any:
    import tensorflow as tf

    rows, weights, count = data[0]

    def run(i: Any) -> Any:
        step((rows[i], None, weights[i]))
        return i + 1

    tf.while_loop(lambda i: i < count, run, [tf.constant(0)], parallel_iterations=1)
    return model.get_metrics_result()


def _in_jax(step: Step, model: BlockModel, state: Any, data: Any) -> Any:
    import jax

    rows, weights, count = data[0]

    def run(i: Any, carry: Any) -> Any:
        return step(carry[1], (rows[i], None, weights[i]))

    return jax.lax.fori_loop(1, count, run, step(state, (rows[0], None, weights[0])))


def _in_python(step: Step, model: BlockModel, data: Any) -> Any:
    rows, weights, count = data[0]
    return [step((rows[i], None, weights[i])) for i in range(int(count))][-1]


_LOOPS: dict[str, Callable[..., Any]] = {"tensorflow": _in_tensorflow, "jax": _in_jax}
