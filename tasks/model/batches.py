"""Training on records: batches of P modes × K records, moved a little, with their loss in the model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Augmentation:
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
        self, rows: list[np.ndarray], batch: tuple[int, int], steps: int, seed: int, change: Augmentation | None = None
    ) -> None:
        self.rows, self.batch, self.steps, self.seed, self.change = rows, batch, steps, seed, change

    def __len__(self) -> int:
        return self.steps

    def epoch(self, number: int) -> EpochBatches:
        """Draw that epoch, counted from 0."""
        modes, records = self.batch
        rng = np.random.default_rng([self.seed, number if self.change else 0])
        turns = -(-self.steps * modes // len(self.rows)) + 1
        order = np.concatenate([rng.permutation(len(self.rows)) for _ in range(turns)])
        chosen = (_distinct(order[: (i + 2) * modes + 2 * len(self.rows)], i * modes, modes) for i in range(self.steps))
        rows = np.stack([self._batch(one, records, rng) for one in chosen])
        return EpochBatches(rows, np.ones(rows.shape[:2], np.float32))

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


class TripletBatches:
    """Rows of triplets in batches, in an order that depends on seed and epoch alone; in place without a seed."""

    def __init__(self, triplets: np.ndarray, size: int, seed: int | None) -> None:
        self.triplets, self.size, self.seed = triplets, size, seed

    def __len__(self) -> int:
        return math.ceil(len(self.triplets) / self.size)

    def epoch(self, number: int) -> EpochBatches:
        """Every triplet once, in the order of that epoch, counted from 0; the last batch is filled up with weight 0."""
        rows = len(self.triplets)
        order = np.arange(rows) if self.seed is None else np.random.default_rng([self.seed, number]).permutation(rows)
        missing = len(self) * self.size - rows
        drawn = np.pad(self.triplets[order], [(0, missing), (0, 0)])
        weights = (np.arange(len(drawn)) < rows).astype(np.float32)
        return EpochBatches(drawn.reshape(len(self), self.size, 3), weights.reshape(len(self), self.size))


@dataclass(frozen=True)
class EpochBatches:
    """An epoch's batches: rows (batches, B, k) int32, and the weight of each place (batches, B) float32.

    A weight of 0 fills up a batch; each batch's loss is the mean over its weights.
    """

    rows: np.ndarray
    weights: np.ndarray

    def blocks(self, size: int) -> Iterator[tuple[EpochBatches, int]]:
        """Blocks of `size` batches and how many of them count; the last is filled up, so that all have one shape."""
        for start in range(0, len(self.rows), size):
            rows, weights = self.rows[start : start + size], self.weights[start : start + size]
            missing = min(size, len(self.rows)) - len(rows)
            filled = EpochBatches(
                *(np.pad(part, [(0, missing)] + [(0, 0)] * (part.ndim - 1)) for part in (rows, weights))
            )
            yield filled, len(rows)
