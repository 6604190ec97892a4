"""Photographs of parts to RT maps: the distance of each small window from the same window of good parts.

A photograph is cut into rows × columns windows (144 × 156 pixels into 36 × 39 windows of 4 × 4). The good photographs
give each window its own unit space; the map holds the RT distance D of every window from it. On good parts the mean
of D² is about 1, a defect reaches tens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.imaging import rt

ROWS, COLS = 36, 39
PEDESTAL = 8 / 255  # added to all values: a window below a few grey levels counts as dark
MIN_PIXEL_DEVIATION = 1 / 255  # standard deviation of a pixel: one grey level
CHUNK_PHOTOS = 64  # at once: 64 × 144 × 156 pixels in float64 are 11 MB, with a few copies


@dataclass(frozen=True)
class WindowGrid:
    """The fitted unit spaces of all windows, row-major, for photographs of `height` × `width` pixels.

    `unit.m` (rows·cols, k) mean windows in grey values with the pedestal, k pixels each; `unit.r`
    (rows·cols,); `unit.mean_y` (rows·cols, 2); `unit.precision` (rows·cols, 2, 2), V⁻¹ with its ridge.
    """

    rows: int
    cols: int
    height: int
    width: int
    unit: rt.UnitSpace


def windows(photos: NDArray, rows: int = ROWS, cols: int = COLS) -> NDArray:
    """`photos` (n, h, w) or (n, h, w, channels) cut into windows (n, rows·cols, k) of all their pixels' values.

    k is h/rows × w/cols × channels: a change of colour with the same brightness is seen, too.
    Raises ValueError where the photographs do not divide into whole windows of two pixels or more.
    """
    if photos.ndim not in (3, 4):
        raise ValueError(f"expected photographs of shape (n, height, width[, channels]), received {photos.shape}")
    count, height, width = photos.shape[:3]
    if rows < 1 or cols < 1 or height % rows or width % cols or height * width < 2 * rows * cols:
        raise ValueError(
            f"expected a height that is a multiple of {rows} and a width that is a multiple of {cols} "
            f"(windows of two pixels or more), received {height} × {width}"
        )
    cut = photos.reshape(count, rows, height // rows, cols, width // cols, -1)
    return cut.transpose(0, 1, 3, 2, 4, 5).reshape(count, rows * cols, -1)


def fit_windows(good: NDArray, rows: int = ROWS, cols: int = COLS) -> WindowGrid:
    """The unit spaces of all windows from photographs of good parts (g, h, w), grey values 0..1, g ≥ 3.

    Raises ValueError for too few photographs or a size that does not divide.
    """
    # β is a ratio to the mean window: where that is black, every speck would be an infinite change of level.
    # A pedestal of a few grey levels keeps r away from zero and hardly changes bright windows.
    items = windows(good, rows, cols) + PEDESTAL
    # A flat window (saturated, or background without noise) has V near 0, and D would measure the camera's
    # last bit. The ridge is what one grey level of noise per pixel adds to (β, √V_e).
    mean = items.mean(axis=0, dtype=np.float64)
    unit = rt.fit(items, ridge=MIN_PIXEL_DEVIATION**2 / np.square(mean).sum(axis=-1))
    return WindowGrid(rows, cols, *good.shape[1:3], unit)


def rt_maps(photos: NDArray, grid: WindowGrid) -> NDArray[np.float32]:
    """RT maps (n, rows, cols) float32 of `photos` (n, h, w), grey values 0..1; D has no unit.

    Raises ValueError for another size than that of the good photographs on which the grid was fitted.
    """
    if photos.shape[1:3] != (grid.height, grid.width):
        raise ValueError(f"expected photographs of {grid.height} × {grid.width} pixels, received {photos.shape}")
    maps = np.empty((len(photos), grid.rows, grid.cols), dtype=np.float32)
    for start in range(0, len(photos), CHUNK_PHOTOS):
        items = windows(photos[start : start + CHUNK_PHOTOS], grid.rows, grid.cols) + PEDESTAL
        maps[start : start + CHUNK_PHOTOS] = rt.distance(items, grid.unit).reshape(-1, grid.rows, grid.cols)
    return maps
