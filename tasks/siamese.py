"""The Siamese model: one tower over anchor, positive and negative, its loss, its batches and its optimizer."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from tasks.blocks import BlockModel, Drawn
from tasks.distance import Distance
from tasks.shelf import Shelf


class TripletModel(BlockModel):
    """Embeds rows (batch, 3) of a resident record bank with one tower in one pass: (batch, 3, d).

    Where a batch has more triplets than there are anchors, each anchor is embedded once.
    """

    def __init__(self, tower: keras.Model, shelf: Shelf, measure: Distance, margin: float) -> None:
        super().__init__(tower, shelf)
        self.measure, self.margin, self.anchors = measure, margin, len(shelf.first)

    def call(self, rows: Any, training: bool | None = None) -> Any:
        """The embeddings of anchor, positive and negative."""
        if rows.shape[0] is None or self.anchors >= rows.shape[0]:
            maps = ops.take(self.bank, ops.reshape(rows, (-1,)), axis=0)
            return ops.reshape(self.tower(maps, training=training), (-1, 3, self.tower.output_shape[-1]))
        others = ops.take(self.bank, ops.reshape(rows[:, 1:], (-1,)), axis=0)
        embedded = self.tower(ops.concatenate([self.bank[: self.anchors], others]), training=training)
        pairs = ops.reshape(embedded[self.anchors :], (-1, 2, embedded.shape[-1]))
        return ops.concatenate([ops.take(embedded, rows[:, :1], axis=0), pairs], axis=1)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Mean triplet hinge over the triplets that count."""
        each, count = hinge(self.measure, self.margin, y_pred), ops.sum(sample_weight)
        loss = ops.sum(each * sample_weight) / count
        self.tell(loss, ops.sum(ops.cast(each > 0, each.dtype) * sample_weight) / count, count)
        return loss


def hinge(measure: Distance, margin: float, embeddings: Any) -> Any:
    """max(d(a, p) − d(a, n) + margin, 0) for embeddings (batch, 3, d): (batch,)."""
    anchor, positive, negative = embeddings[:, 0], embeddings[:, 1], embeddings[:, 2]
    return ops.maximum(measure.pair(positive, anchor, ops) - measure.pair(negative, anchor, ops) + margin, 0.0)


class Batches:
    """Rows of triplets in batches, in an order that depends on seed and epoch alone; in place without a seed."""

    def __init__(self, triplets: np.ndarray, size: int, seed: int | None) -> None:
        self.triplets, self.size, self.seed = triplets, size, seed

    def __len__(self) -> int:
        return math.ceil(len(self.triplets) / self.size)

    def epoch(self, number: int) -> Drawn:
        """Every triplet once, in the order of that epoch, counted from 0; the last batch is filled up with weight 0."""
        rows = len(self.triplets)
        order = np.arange(rows) if self.seed is None else np.random.default_rng([self.seed, number]).permutation(rows)
        missing = len(self) * self.size - rows
        drawn = np.pad(self.triplets[order], [(0, missing), (0, 0)])
        weights = (np.arange(len(drawn)) < rows).astype(np.float32)
        return Drawn(drawn.reshape(len(self), self.size, 3), weights.reshape(len(self), self.size))


class Adam(keras.optimizers.Adam):
    """Adam on one device, where a gradient's sum over all devices is itself.

    TensorFlow's sum registers a function for ever, which holds the training's graph and with it the whole record
    bank: a process that trains again and again would keep the records of each training. Other backends have none.
    """

    def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> Any:
        return grads_and_vars
