"""The network that embeds a map. Plain Keras layers only, so that a release loads in safe mode."""

from __future__ import annotations

import hashlib

import keras
import numpy as np

from tasks.config import Tower, parse_widths


def build_tower(settings: Tower, values: int) -> keras.Model:
    """An untrained tower from raw maps (batch, values) to embeddings (batch, dimensions), float32.

    `settings` must be resolved.
    """
    widths = parse_widths(settings.widths)
    layers = [keras.layers.Dense(width, activation="relu") for width in widths[:-1]]
    embedding = keras.layers.Dense(widths[-1], name="embedding")
    return keras.Sequential([keras.Input((values,), name="map"), *layers, embedding], name="tower")


def weights_digest(tower: keras.Model) -> str:
    """SHA-256 (hex) of a tower's weights: shapes, types and bytes, in order."""
    digest = hashlib.sha256()
    for weight in tower.get_weights():
        digest.update(f"{weight.shape}{weight.dtype}".encode())
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()
