"""Training on records: batches of P modes × K records, moved a little, with their loss in the model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from tasks.data.columns import on_disk, row_blocks


@dataclass(frozen=True)
class Augmentation:
    """How records are changed in training: shifted by up to a cell, and a share `overlay` of them overlaid.

    good: rows of the good training records. Each value of an overlaid record is the larger one of its own and a good
    record's: a texture that is no defect differs from part to part, and a model that has seen it everywhere does not
    take it for a defect on a new part.
    """

    shift: bool
    overlay: float
    good: np.ndarray


class BalancedBatches:
    """`steps` batches an epoch, (P·K, 3) int32, in an order that depends on seed and epoch alone.

    rows: those of each mode in the bank. Modes take turns, so each is seen equally often; of a mode with fewer than K
    records some come twice. A batch has three columns: the record, its shift 0..8, and the record laid over it.
    Without an augmentation every epoch is the same, and no record is changed.
    """

    def __init__(
        self,
        rows: list[np.ndarray],
        batch: tuple[int, int],
        steps: int,
        seed: int,
        augmentation: Augmentation | None = None,
    ) -> None:
        self.rows, self.batch, self.steps, self.seed, self.augmentation = rows, batch, steps, seed, augmentation

    def __len__(self) -> int:
        return self.steps

    def epoch(self, number: int) -> EpochBatches:
        """Draw that epoch, counted from 0."""
        modes, records = self.batch
        rng = np.random.default_rng([self.seed, number if self.augmentation else 0])
        turns = -(-self.steps * modes // len(self.rows)) + 1
        order = np.concatenate([rng.permutation(len(self.rows)) for _ in range(turns)])
        chosen = (_distinct(order[: (i + 2) * modes + 2 * len(self.rows)], i * modes, modes) for i in range(self.steps))
        rows = np.stack([self._batch(batch_modes, records, rng) for batch_modes in chosen])
        return EpochBatches(rows, np.ones(rows.shape[:2], np.float32))

    def _batch(self, chosen: np.ndarray, records: int, rng: np.random.Generator) -> np.ndarray:
        drawn = [rng.choice(self.rows[mode], records, replace=len(self.rows[mode]) < records) for mode in chosen]
        rows, augmentation = np.concatenate(drawn), self.augmentation
        shifts, over = np.zeros(len(rows), int), rows  # no shift, and each laid over itself
        if augmentation and augmentation.shift:
            shifts = rng.integers(0, 9, len(rows))
        if augmentation and augmentation.overlay and len(augmentation.good):
            overlaid = rng.random(len(rows)) < augmentation.overlay
            over = np.where(overlaid, rng.choice(augmentation.good, len(rows)), rows)
        return np.column_stack([rows, shifts, over]).astype(np.int32)


def _distinct(order: np.ndarray, start: int, count: int) -> np.ndarray:
    """The next `count` different modes from `start` on; `order` may name one twice where two turns meet."""
    return order[start:][np.sort(np.unique(order[start:], return_index=True)[1])[:count]]


class TripletBatches:
    """Rows of triplets in batches, in an order that depends on seed and epoch alone; in place without a seed.

    An epoch's rows are in files in `folder`.
    """

    def __init__(self, triplets: np.ndarray, size: int, seed: int | None, folder: Path | None = None) -> None:
        self.triplets, self.size, self.seed, self.folder = triplets, size, seed, folder

    def __len__(self) -> int:
        return math.ceil(len(self.triplets) / self.size)

    def epoch(self, number: int) -> EpochBatches:
        """Every triplet once, in the order of that epoch, counted from 0; the last batch is filled up with weight 0."""
        rows, shape = len(self.triplets), (len(self), self.size)
        missing = math.prod(shape) - rows
        blocks = [*row_blocks(rows)]
        order = on_disk((np.arange(block.start, block.stop) for block in blocks), np.int64, self.folder)
        if self.seed is not None:
            np.random.default_rng([self.seed, number]).shuffle(order)
        drawn = chain((self.triplets[order[block]] for block in blocks), [np.zeros((missing, 3))])
        weights = chain((np.ones(block.stop - block.start) for block in blocks), [np.zeros(missing)])
        return EpochBatches(
            on_disk(drawn, self.triplets.dtype, self.folder).reshape(*shape, 3),
            on_disk(weights, np.float32, self.folder).reshape(shape),
        )


@dataclass(frozen=True)
class EpochBatches:
    """An epoch's batches: rows (batches, B, k) int32, and the weight of each row (batches, B) float32.

    A row of weight 0 only fills up a batch; a batch's loss is the weighted mean.
    """

    rows: np.ndarray
    weights: np.ndarray

    def blocks(self, size: int) -> Iterator[tuple[EpochBatches, int]]:
        """Blocks of `size` batches, and how many of each count; the last is filled up to the same shape."""
        for start in range(0, len(self.rows), size):
            rows, weights = self.rows[start : start + size], self.weights[start : start + size]
            missing = min(size, len(self.rows)) - len(rows)
            filled = EpochBatches(
                *(np.pad(part, [(0, missing)] + [(0, 0)] * (part.ndim - 1)) for part in (rows, weights))
            )
            yield filled, len(rows)
