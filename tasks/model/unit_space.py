"""The raw map, cut into windows, as a tower without weights: the unit space of good parts lies in it.

It is a Keras model as every release has one, so that whatever reads a release reads this one, too.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from tasks.config.good_parts import window_side, windows
from tasks.model.tower import reset_number_format


def raw_map_tower(size: tuple[int, int], maps: np.ndarray) -> keras.Model:
    """A tower from maps (batch, rows·cols) to their cells (batch, windows·side²), window by window, float32.

    maps: (n, rows·cols) good records; their root mean square becomes 1. A map that the windows do not divide is filled
    up with zeros, at the end of its rows and columns.
    """
    reset_number_format()
    side = window_side(size)
    down, across = windows(size, side)
    inputs = keras.Input((size[0] * size[1],), name="map")
    scale = float(np.sqrt(np.square(np.asarray(maps, np.float64)).mean())) or 1.0
    values = layers.Rescaling(1 / scale, name="unit_mean_square")(inputs)
    values = layers.Reshape((*size, 1), name="rows_and_columns")(values)
    filled = ((0, down * side - size[0]), (0, across * side - size[1]))
    values = layers.ZeroPadding2D(filled, name="whole_windows")(values)
    values = layers.Reshape((down, side, across, side), name="windows")(values)
    values = layers.Permute((1, 3, 2, 4), name="window_by_window")(values)
    return keras.Model(inputs, layers.Reshape((down * across * side * side,), name="cells")(values), name="raw_map")
