"""A distance and a tower of one's own, as docs/models.md shows them: small, and importable by path."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from tasks.model.distances import Distance


class City(Distance):
    """Sum of the absolute differences."""

    name = "city"

    def pair(self, x, anchor, xp=np):
        """See Distance.pair."""
        return xp.sum(xp.abs(x - anchor), axis=-1)


def pooled(values, size, widths, dropout):
    """One convolution, its mean and its largest value by filter: knows what there is, not where."""
    values = layers.Conv2D(widths[0], 3, activation="relu")(layers.Reshape((*size, 1))(values))
    both = [layers.GlobalAveragePooling2D()(values), layers.GlobalMaxPooling2D()(values)]
    return layers.Dense(widths[-1])(layers.Dropout(dropout)(layers.Concatenate()(both)))


def seeded(values, size, widths, dropout, seeds):
    """One dense layer that starts as the run's seed says."""
    kernel = keras.initializers.GlorotUniform(seed=next(seeds))
    return layers.Dense(widths[-1], kernel_initializer=kernel)(layers.Dropout(dropout, seed=next(seeds))(values))
