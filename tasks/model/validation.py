"""How well a tower tells the modes of the validation part apart after an epoch, by prototypes of training records.

The loss of a batch is no measure of this: it is a mean over the triplets that are still active, so it can rise while
the tower gets better.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from tasks.config.run import RunConfig
from tasks.data.bank import Bank, evenly_spread
from tasks.model.distances import trained_distance

MAX_RECORDS = 512  # of the validation part, and of the training part


@dataclass(frozen=True)
class ValidationMetrics:
    """Of the validation records' embeddings.

    loss: the margin loss over all pairs of a record's own mode and another; auroc: verification AUROC over the same
    pairs; mode_accuracy: share of records nearest to their own mode. norm: mean length of the embeddings; spread: their
    root mean square distance from their mean. All are NaN where an embedding is not finite.
    """

    loss: float
    auroc: float
    mode_accuracy: float
    norm: float
    spread: float


class Validation:
    """The validation records, evenly spread where they are many, and what the prototypes of the modes are made of.

    Like the prototypes of a release, they are the embedded mean maps, or come from embeddings of training records.
    Row numbers are in files in `folder`.
    """

    def __init__(self, bank: Bank, config: RunConfig, folder: Path | None = None) -> None:
        self.distance, self.margin = trained_distance(config.fit), config.fit.margin
        train, stop = (bank.rows_on_disk((part,), folder) for part in ("train", "stop"))
        of_modes = bank.places_by_mode(train, folder)
        self.modes = np.flatnonzero([len(places) for places in of_modes])
        rows = evenly_spread(stop[np.isin(bank.mode[stop], self.modes)], MAX_RECORDS)
        self.maps, self.mode = np.array(bank.maps[rows]), bank.mode[rows]
        if config.fit.prototype == "mean-map":
            self.points, self.points_mode = bank.anchors[self.modes], self.modes
        else:
            each = max(1, MAX_RECORDS // len(self.modes))
            rows = np.concatenate([train[evenly_spread(of_modes[code], each)] for code in self.modes])
            self.points, self.points_mode = np.array(bank.maps[rows]), bank.mode[rows]

    def measure(self, tower: Any) -> ValidationMetrics:
        """The metrics of a Keras tower from maps (n, values) to embeddings (n, d)."""
        vectors, points = (self._embed(tower, maps) for maps in (self.maps, self.points))
        if not (np.isfinite(vectors).all() and np.isfinite(points).all()):
            return ValidationMetrics(*[math.nan] * 5)
        norm = float(np.linalg.norm(vectors, axis=1).mean())
        spread = float(np.sqrt(np.square(vectors - vectors.mean(axis=0)).sum(axis=1).mean()))
        prototypes = self.distance.prototypes([points[self.points_mode == code] for code in self.modes])
        distances = self.distance.to_prototypes(vectors, prototypes)
        same_mode = self.mode[:, None] == self.modes
        near, far = distances[same_mode], distances[~same_mode].reshape(len(distances), -1)
        loss = float(np.maximum(near[:, None] - far + self.margin, 0).mean())
        return ValidationMetrics(loss, _auroc(near, far), float((near < far.min(axis=1)).mean()), norm, spread)

    def _embed(self, tower: Any, maps: np.ndarray) -> np.ndarray:
        return ops.convert_to_numpy(tower(maps, training=False)).astype(np.float64)


def _auroc(near: np.ndarray, far: np.ndarray) -> float:
    """The share of pairs in which a record's own mode is nearer than another; ties count half."""
    near, far = np.sort(near), far.ravel()
    below, upto = (np.searchsorted(near, far, side) for side in ("left", "right"))
    return float((below + upto).mean() / (2 * len(near)))
