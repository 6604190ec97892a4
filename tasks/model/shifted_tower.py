"""A tower whose embedding is the mean over a map and its shifts by one cell: several looks in place of one.

A tower is trained on shifted maps, and yet its embeddings of two shifts differ a little. Their mean lies nearer to the
mode's prototype than one of them does. It costs as many passes through the tower as there are shifts.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

STEPS = {  # rows down and columns right, 0..2, of a map in its frame of repeated edges
    1: [(1, 1)],
    5: [(1, 1), (0, 1), (2, 1), (1, 0), (1, 2)],
    9: [(down, right) for down in range(3) for right in range(3)],
}


def shifted_tower(tower: keras.Model, size: tuple[int, int], shifts: int) -> keras.Model:
    """The tower (n, rows·cols) → (n, d) over the mean of its embeddings of `shifts` shifts of each map.

    size: rows and columns of a map; shifts: one of STEPS, 1 gives the tower itself. Where the tower normalises its
    embeddings to length 1, so does the mean. Plain Keras operations only: it is exported as the tower is.
    """
    if shifts == 1:
        return tower
    rows, cols = size
    maps = keras.Input((rows * cols,), name="map")
    framed = _with_repeated_edges(ops.reshape(maps, (-1, rows, cols)))
    moved = [framed[:, down : down + rows, right : right + cols] for down, right in STEPS[shifts]]
    embedded = tower(ops.reshape(ops.concatenate(moved, axis=0), (-1, rows * cols)))
    mean = ops.mean(ops.reshape(embedded, (shifts, -1, tower.output_shape[-1])), axis=0)
    if isinstance(tower.layers[-1], layers.UnitNormalization):
        mean = layers.UnitNormalization(name="length")(mean)
    return keras.Model(maps, mean, name="shifted_tower")


def _with_repeated_edges(maps: Any) -> Any:
    """Maps (n, rows, cols) with their edges repeated around them: (n, rows + 2, cols + 2)."""
    tall = ops.concatenate([maps[:, :1], maps, maps[:, -1:]], axis=1)
    return ops.concatenate([tall[:, :, :1], tall, tall[:, :, -1:]], axis=2)
