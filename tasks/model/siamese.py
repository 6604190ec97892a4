"""The Siamese model: one tower over anchor, positive and negative, its loss, its batches and its optimizer."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from tasks.config.model import TrainingConfig
from tasks.model.block_model import MultiStepModel
from tasks.model.device_maps import DeviceMaps
from tasks.model.distances import Distance
from tasks.model.losses import MININGS, cross_entropy, hinge, pair_indices, prototype_logits


class TripletModel(MultiStepModel):
    """Embeds rows (batch, 3) of a resident record bank with one tower in one pass: (batch, 3, d).

    Where a batch has more triplets than there are anchors, each anchor is embedded once.
    """

    def __init__(self, tower: keras.Model, shelf: DeviceMaps, measure: Distance, margin: float) -> None:
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
        self.record_loss(loss, ops.sum(ops.cast(each > 0, each.dtype) * sample_weight) / count, count)
        return loss


class Adam(keras.optimizers.Adam):
    """Adam on one device, where a gradient's sum over all devices is itself.

    TensorFlow's sum registers a function for ever, which holds the training's graph and with it the whole record
    bank: a process that trains again and again would keep the records of each training. Other backends have none.
    """

    def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> Any:
        return grads_and_vars


class BalancedModel(MultiStepModel):
    """Embeds rows of a resident record bank, each moved by a step of its own; its loss is that of losses.py.

    size: rows and columns of a map; trained and checked: (P, K) of the batches that are trained on and that
    validate.
    """

    def __init__(
        self,
        tower: keras.Model,
        shelf: DeviceMaps,
        size: tuple[int, int],
        measure: Distance,
        fit: TrainingConfig,
        trained: tuple[int, int],
        checked: tuple[int, int],
    ) -> None:
        super().__init__(tower, shelf)
        self.measure, self.settings, self.moves = measure, fit, shift_indices(*size)
        self.batch = {True: trained, False: checked}
        self.scale = self.add_weight(  # s of −eˢd²: what the distance is worth is learnt, if at all
            shape=(),
            initializer=keras.initializers.Constant(-math.log(fit.temperature)),
            trainable=fit.learn_temperature,
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
        total, active, fit, batch = 0.0, None, self.settings, self.batch[bool(training)]
        y_pred = ops.reshape(y_pred, (math.prod(batch), y_pred.shape[-1]))  # a batch's size is known here
        if fit.triplet_weight:
            matrix = self.measure.matrix(y_pred, y_pred, ops)  # [x, anchor]
            positive, negative = (
                ops.take_along_axis(ops.transpose(matrix), place, axis=1) for place in pair_indices(*batch)
            )
            loss, active = MININGS[fit.mining](positive, negative, fit.margin)
            total += fit.triplet_weight * loss
        if fit.prototype_weight:
            logits = ops.exp(self.scale) * prototype_logits(self.measure, y_pred, *batch)
            total += fit.prototype_weight * cross_entropy(logits, *batch)
            if not fit.triplet_weight:
                active = _uncertain(logits, *batch)
        self.record_loss(total, active)
        return total


def _uncertain(logits: Any, modes: int, records: int) -> Any:
    """The share of records that give their own mode less than nine tenths: what there is left to learn."""
    truth = np.repeat(np.arange(modes, dtype=np.int32), records)
    own = ops.take_along_axis(ops.softmax(logits, axis=1), truth[:, None], axis=1)
    return ops.mean(ops.cast(own < 0.9, logits.dtype))


def shift_indices(rows: int, cols: int) -> np.ndarray:
    """Where each value comes from when a map is moved by one of nine steps, edges repeated: (9, rows·cols) int32."""
    down, right = np.arange(rows), np.arange(cols)
    steps = [(dy, dx) for dy in (0, -1, 1) for dx in (0, -1, 1)]  # the first is none
    found = [np.clip(down + dy, 0, rows - 1)[:, None] * cols + np.clip(right + dx, 0, cols - 1) for dy, dx in steps]
    return np.stack([one.ravel() for one in found]).astype(np.int32)
