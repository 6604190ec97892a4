"""Training on records: batches of P modes × K records, moved a little, with their loss in the model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from tasks.blocks import BlockModel, Drawn
from tasks.config import Fit
from tasks.distance import Distance
from tasks.mining import MININGS, cross_entropy, places, prototype_logits
from tasks.shelf import Shelf


class BalancedModel(BlockModel):
    """Embeds rows of a resident record bank, each moved by a step of its own; its loss is that of tasks/mining.py.

    size: rows and columns of a map; trained and checked: (P, K) of the batches that are trained on and that
    validate.
    """

    def __init__(
        self,
        tower: keras.Model,
        shelf: Shelf,
        size: tuple[int, int],
        measure: Distance,
        fit: Fit,
        trained: tuple[int, int],
        checked: tuple[int, int],
    ) -> None:
        super().__init__(tower, shelf)
        self.measure, self.settings, self.moves = measure, fit, moved(*size)
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
            positive, negative = (ops.take_along_axis(ops.transpose(matrix), place, axis=1) for place in places(*batch))
            loss, active = MININGS[fit.mining](positive, negative, fit.margin)
            total += fit.triplet_weight * loss
        if fit.prototype_weight:
            logits = ops.exp(self.scale) * prototype_logits(self.measure, y_pred, *batch)
            total += fit.prototype_weight * cross_entropy(logits, *batch)
            if not fit.triplet_weight:
                active = _unsure(logits, *batch)
        self.tell(total, active)
        return total


def _unsure(logits: Any, modes: int, records: int) -> Any:
    """The share of records that give their own mode less than nine tenths: what there is left to learn."""
    truth = np.repeat(np.arange(modes, dtype=np.int32), records)
    own = ops.take_along_axis(ops.softmax(logits, axis=1), truth[:, None], axis=1)
    return ops.mean(ops.cast(own < 0.9, logits.dtype))


def moved(rows: int, cols: int) -> np.ndarray:
    """Where each value comes from when a map is moved by one of nine steps, edges repeated: (9, rows·cols) int32."""
    down, right = np.arange(rows), np.arange(cols)
    steps = [(dy, dx) for dy in (0, -1, 1) for dx in (0, -1, 1)]  # the first is none
    found = [np.clip(down + dy, 0, rows - 1)[:, None] * cols + np.clip(right + dx, 0, cols - 1) for dy, dx in steps]
    return np.stack([one.ravel() for one in found]).astype(np.int32)


@dataclass(frozen=True)
class Change:
    """How records are changed in training: moved by up to a cell, and with a share `overlay` under a good one.

    good: rows of the good training records. Of a record and the good one laid over it the larger value
    stands: what is no defect lies elsewhere on every part, and a model that has seen it everywhere
    does not take it for one on parts it has never seen.
    """

    move: bool
    overlay: float
    good: np.ndarray


class BalancedBatches:
    """`steps` batches an epoch, (P·K, 3) int32, in an order that depends on seed and epoch alone.

    rows: of each mode, as rows of the bank. Modes take turns, so that none is starved; a mode with
    fewer than K records gives some of them twice. `change` says how records are changed; without it
    every epoch is the same, and no record is changed.
    """

    def __init__(
        self, rows: list[np.ndarray], batch: tuple[int, int], steps: int, seed: int, change: Change | None = None
    ) -> None:
        self.rows, self.batch, self.steps, self.seed, self.change = rows, batch, steps, seed, change

    def __len__(self) -> int:
        return self.steps

    def epoch(self, number: int) -> Drawn:
        """Draw that epoch, counted from 0."""
        modes, records = self.batch
        rng = np.random.default_rng([self.seed, number if self.change else 0])
        turns = -(-self.steps * modes // len(self.rows)) + 1
        order = np.concatenate([rng.permutation(len(self.rows)) for _ in range(turns)])
        chosen = (_distinct(order[: (i + 2) * modes + 2 * len(self.rows)], i * modes, modes) for i in range(self.steps))
        rows = np.stack([self._batch(one, records, rng) for one in chosen])
        return Drawn(rows, np.ones(rows.shape[:2], np.float32))

    def _batch(self, chosen: np.ndarray, records: int, rng: np.random.Generator) -> np.ndarray:
        picked = [rng.choice(self.rows[mode], records, replace=len(self.rows[mode]) < records) for mode in chosen]
        rows = np.concatenate(picked)
        moves, over = np.zeros(len(rows), int), rows  # no step, and itself over itself
        if self.change and self.change.move:
            moves = rng.integers(0, 9, len(rows))
        if self.change and self.change.overlay and len(self.change.good):
            over = np.where(rng.random(len(rows)) < self.change.overlay, rng.choice(self.change.good, len(rows)), rows)
        return np.column_stack([rows, moves, over]).astype(np.int32)


def _distinct(order: np.ndarray, start: int, count: int) -> np.ndarray:
    """The next `count` different modes from `start` on; where two turns meet, one may stand twice."""
    return order[start:][np.sort(np.unique(order[start:], return_index=True)[1])[:count]]
