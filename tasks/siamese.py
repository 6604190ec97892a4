"""The Siamese model: one tower over anchor, positive and negative, its loss, its batches and its optimizer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from tasks.distance import Distance


class TripletModel(keras.Model):
    """Embeds rows (batch, 3) of a resident record bank with one tower in one pass: (batch, 3, d)."""

    def __init__(self, tower: keras.Model, bank: np.ndarray) -> None:
        super().__init__()
        self.tower = tower
        self.bank = self.add_weight(shape=bank.shape, initializer="zeros", trainable=False, name="bank")
        self.bank.assign(bank)

    def call(self, rows: Any, training: bool | None = None) -> Any:
        """The embeddings of anchor, positive and negative."""
        maps = ops.take(self.bank, ops.reshape(rows, (-1,)), axis=0)
        return ops.reshape(self.tower(maps, training=training), (-1, 3, self.tower.output_shape[-1]))


def hinge(measure: Distance, margin: float, embeddings: Any) -> Any:
    """max(d(a, p) − d(a, n) + margin, 0) for embeddings (batch, 3, d): (batch,)."""
    anchor, positive, negative = embeddings[:, 0], embeddings[:, 1], embeddings[:, 2]
    return ops.maximum(measure.pair(positive, anchor, ops) - measure.pair(negative, anchor, ops) + margin, 0.0)


class TripletLoss(keras.losses.Loss):
    """Mean triplet hinge over the batch; the targets are not used."""

    def __init__(self, measure: Distance, margin: float) -> None:
        super().__init__(name="triplet_loss")
        self.measure = measure
        self.margin = margin

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The hinge of every triplet (batch,)."""
        return hinge(self.measure, self.margin, y_pred)


def active_share(measure: Distance, margin: float) -> Callable[[Any, Any], Any]:
    """The metric `active`: the share of triplets that still have a loss, and so a gradient."""

    def active(y_true: Any, y_pred: Any) -> Any:
        return ops.cast(hinge(measure, margin, y_pred) > 0, "float32")

    return active


class Batches(keras.utils.PyDataset):
    """Rows of triplets in batches, in an order that depends on seed and epoch alone; in place without a seed."""

    def __init__(self, triplets: np.ndarray, size: int, seed: int | None) -> None:
        super().__init__()
        self.triplets, self.size, self.seed = triplets, size, seed
        self.start_at(0)

    def start_at(self, epoch: int) -> None:
        """Take the order of that epoch, counted from 0."""
        self.epoch = epoch
        rows = len(self.triplets)
        self.order = (
            np.arange(rows) if self.seed is None else np.random.default_rng([self.seed, epoch]).permutation(rows)
        )

    def __len__(self) -> int:
        return math.ceil(len(self.triplets) / self.size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self.triplets[self.order[index * self.size : (index + 1) * self.size]]
        return rows, np.zeros(len(rows), np.float32)

    def on_epoch_end(self) -> None:
        """Take the next epoch's order."""
        self.start_at(self.epoch + 1)


class Adam(keras.optimizers.Adam):
    """Adam on one device, where a gradient's sum over all devices is itself.

    TensorFlow's sum registers a function for ever, which holds the training's graph and with it the whole record
    bank: a process that trains again and again would keep the records of each training. Other backends have none.
    """

    def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> Any:
        return grads_and_vars
