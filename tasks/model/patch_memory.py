"""A memory of good places: how far the strangest place of a part lies from every place of good parts.

A tower looks at a map place by place, and only then sees it as a whole. A defect of an untrained kind may be embedded
near good parts, because the tower never learnt to separate it; yet one of its places resembles no place of a good part.
After K. Roth et al., "Towards Total Recall in Industrial Anomaly Detection" (PatchCore), CVPR 2022, on the features of
the trained tower, with places drawn at random: choosing them to cover the space gained nothing (docs/tried.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.core.errors import BadSetting
from tasks.data.bank import Bank, evenly_spread

if TYPE_CHECKING:  # a list of releases must not wait for TensorFlow
    import keras

MEMORY_SIZE = 1000  # places that are remembered
MAX_RECORDS = 2000  # good training records whose places are drawn from
ROWS_PER_BLOCK = 4096  # places whose distances are computed at once


@dataclass(frozen=True)
class PatchMemory:
    """Places of good training records: vectors (m, channels) float32, of the output of the tower's layer `layer`."""

    layer: str
    vectors: np.ndarray

    def __call__(self, places: Any, xp: Any = np) -> Any:
        """The largest distance (n,) float64 of a place of each map from the nearest place of the memory.

        places: (n, rows, columns, channels), the layer's output; xp: numpy, or keras.ops within a graph.
        """
        channels = self.vectors.shape[1]
        grid = int(np.prod(places.shape[1:3]))
        rows = xp.reshape(xp.cast(places, "float64") if xp is not np else places.astype(np.float64), (-1, channels))
        nearest = self._nearest(rows, xp) if xp is not np else self._nearest_in_blocks(rows)
        return xp.sqrt(xp.max(xp.reshape(nearest, (-1, grid)), axis=1))

    def _nearest_in_blocks(self, rows: np.ndarray) -> np.ndarray:
        blocks = [rows[start : start + ROWS_PER_BLOCK] for start in range(0, len(rows), ROWS_PER_BLOCK)]
        return np.concatenate([np.empty(0), *(self._nearest(block, np) for block in blocks)])

    def _nearest(self, rows: Any, xp: Any) -> Any:
        """The squared distance (k,) of each row (k, channels) from the nearest vector."""
        memory = self.vectors.astype(np.float64)
        products = xp.matmul(rows, xp.convert_to_tensor(memory.T) if xp is not np else memory.T)
        squared = xp.sum(xp.square(rows), axis=1)[:, None] + np.square(memory).sum(axis=1)[None] - 2 * products
        return xp.maximum(xp.min(squared, axis=1), 0.0)


def places_model(tower: keras.Model, layer: str) -> keras.Model:
    """The model from maps (n, values) to that layer's output (n, rows, columns, channels)."""
    import keras

    return keras.Model(tower.inputs, tower.get_layer(layer).output, name="places")


def fit_patch_memory(tower: keras.Model, bank: Bank, seed: int) -> PatchMemory | None:
    """The memory of the bank's good training records; None where there are none.

    Raises BadSetting for a tower without a layer that keeps rows and columns.
    """
    train = bank.rows("train")
    good = evenly_spread(train[bank.good[train]], MAX_RECORDS)
    if not len(good):
        return None
    layer = _last_grid_layer(tower)
    places = places_model(tower, layer).predict(np.asarray(bank.maps[good]), verbose=0)
    vectors = places.reshape(-1, places.shape[-1])
    size = min(MEMORY_SIZE, len(vectors))
    drawn = np.sort(np.random.default_rng(seed).choice(len(vectors), size, replace=False))
    return PatchMemory(layer, vectors[drawn].astype(np.float32))


def _last_grid_layer(tower: keras.Model) -> str:
    """The name of the last layer whose output has rows, columns and channels."""
    names = [layer.name for layer in tower.layers if len(getattr(layer, "output", np.empty(0)).shape) == 4]
    if not names:
        raise BadSetting(
            "evaluate.score: expected a tower with a layer that keeps rows and columns for patches "
            "(tower.kind=conv), found none; use fused or distance"
        )
    return names[-1]
