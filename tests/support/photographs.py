"""Photographs as files, for the tests of what reads them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np


def write_photographs(folder: Path, photos: Iterable[np.ndarray], names: list[str] | None = None) -> Path:
    """Grey values 0..1 as PNG files of 8 bits, named 000.png, 001.png, … where no names are given."""
    import cv2

    for i, photo in enumerate(photos):
        path = folder / (names[i] if names else f"{i:03d}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.round(photo * 255).astype(np.uint8))
    return folder


def move(photo: np.ndarray, right: float, down: float, turn: float = 0) -> np.ndarray:
    """The photograph shifted by pixels and turned by degrees about its middle, edges repeated."""
    import cv2

    height, width = photo.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn, 1)
    matrix[:, 2] += (right, down)
    return cv2.warpAffine(photo, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
