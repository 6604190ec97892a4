"""The Siamese models: one tower over triplets or over balanced batches of records, their losses, the optimizer."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from tasks.config.model import TrainingConfig
from tasks.model.block_model import BlockModel
from tasks.model.device_maps import DeviceMaps
from tasks.model.distances import Distance, trained_distance
from tasks.model.losses import MININGS, cross_entropy, hinge, pair_indices, prototype_logits


class TripletModel(BlockModel):
    """Embeds rows (batch, 3) of the record bank with one tower in one pass: (batch, 3, d).

    Where a batch has more triplets than there are anchors, each anchor is embedded once.
    """

    def __init__(self, tower: keras.Model, maps: DeviceMaps, distance: Distance, margin: float) -> None:
        super().__init__(tower, maps)
        self.distance, self.margin, self.anchors = distance, margin, len(maps.anchors)

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
        """Mean triplet hinge, weighted: a triplet that only fills the batch has weight 0."""
        losses, count = hinge(self.distance, self.margin, y_pred), ops.sum(sample_weight)
        loss = ops.sum(losses * sample_weight) / count
        self.record_loss(loss, ops.sum(ops.cast(losses > 0, losses.dtype) * sample_weight) / count, count)
        return loss


class Adam(keras.optimizers.Adam):
    """Adam on one device, where a gradient's sum over all devices is itself.

    TensorFlow's sum registers a function for ever, which holds the training's graph and with it the record bank:
    a process that trains again and again would keep the records of each training. Other backends have no such sum.
    """

    def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> Any:
        return grads_and_vars


class BalancedModel(BlockModel):
    """Embeds rows of the record bank, each moved by a step of its own; its loss is that of losses.py.

    size: rows and columns of a map; batch: (P, K) of a batch; copies: whether a batch may hold a record twice, as some
    mode has fewer than K.
    """

    def __init__(
        self,
        tower: keras.Model,
        maps: DeviceMaps,
        size: tuple[int, int],
        settings: TrainingConfig,
        batch: tuple[int, int],
        copies: bool = False,
    ) -> None:
        super().__init__(tower, maps)
        self.copies = copies
        self.distance, self.settings, self.moves = trained_distance(settings), settings, shift_indices(*size)
        self.batch = batch
        self.scale = self.add_weight(  # s of −eˢd²: the temperature is e⁻ˢ
            shape=(),
            initializer=keras.initializers.Constant(-math.log(settings.temperature)),
            trainable=settings.learn_temperature,
            name="scale",
        )

    def call(self, rows: Any, training: bool | None = None) -> Any:
        """Embeddings (B, d) of rows (B, 3): the record, the step it is moved by, the record laid over it."""
        maps = ops.take(self.bank, rows[:, 0], axis=0)
        if training:
            maps = ops.maximum(maps, ops.take(self.bank, rows[:, 2], axis=0))
            maps = ops.take_along_axis(maps, ops.take(self.moves, rows[:, 1], axis=0), axis=1)
        return self.tower(maps, training=training)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The mined triplets and the prototype term, each with its weight."""
        total, active, settings, batch = 0.0, None, self.settings, self.batch
        y_pred = ops.reshape(y_pred, (math.prod(batch), y_pred.shape[-1]))  # a batch's size is known here
        if settings.triplet_weight:
            matrix = self.distance.matrix(y_pred, y_pred, ops)  # [x, anchor]
            positive, negative = (
                ops.take_along_axis(ops.transpose(matrix), place, axis=1) for place in pair_indices(*batch)
            )
            loss, active = MININGS[settings.mining](positive, negative, settings.margin)
            total += settings.triplet_weight * loss
        if settings.prototype_weight:
            rows = ops.reshape(x[:, 0], (math.prod(batch),)) if self.copies else None
            logits = ops.exp(self.scale) * prototype_logits(self.distance, y_pred, *batch, rows)
            total += settings.prototype_weight * cross_entropy(logits, *batch)
            if not settings.triplet_weight:
                active = _uncertain(logits, *batch)
        self.record_loss(total, active)
        return total


def _uncertain(logits: Any, modes: int, records: int) -> Any:
    """The share of records that give their own mode a probability below .9: what is left to learn."""
    mode = np.repeat(np.arange(modes, dtype=np.int32), records)
    probability = ops.take_along_axis(ops.softmax(logits, axis=1), mode[:, None], axis=1)
    return ops.mean(ops.cast(probability < 0.9, logits.dtype))


def shift_indices(rows: int, cols: int) -> np.ndarray:
    """Where each value comes from when a map is moved by one of nine steps, edges repeated: (9, rows·cols) int32.

    The first step moves nothing.
    """
    down, right = ([np.clip(np.arange(n) + d, 0, n - 1) for d in (0, -1, 1)] for n in (rows, cols))
    return np.stack([(y[:, None] * cols + x).ravel() for y in down for x in right]).astype(np.int32)
