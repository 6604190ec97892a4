"""Photographs as files, for the tests of what reads them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from support.releases import reseal

from tasks.imaging.demo import good_photographs


def write_photographs(folder: Path, photos: Iterable[np.ndarray], names: list[str] | None = None) -> Path:
    """Values 0..1, grey or blue, green and red, as PNG files of 8 bits, named 000.png, … where no names are given."""
    import cv2

    for i, photo in enumerate(photos):
        path = folder / (names[i] if names else f"{i:03d}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.round(photo * 255).astype(np.uint8))
    return folder


def small_standard(folder: Path, rows: int = 4, cols: int = 5, colour: bool = False, **options: Any) -> Path:
    """A folder with a standard.npz for maps of that size, made of eight good photographs of 144 × 156 pixels."""
    from tasks.imaging.photos import list_photos
    from tasks.imaging.standard import MapOptions, make_standard, write_standard

    photos = good_photographs(8)
    photos = np.stack([photos, photos**1.2, photos * 0.9], axis=-1) if colour else photos
    good = write_photographs(folder / "good", photos)
    write_standard(make_standard(list_photos(good), MapOptions(rows, cols, **options)), folder)
    return folder


def carry_standard(artifacts: Path, standard: Path, version: str = "v1") -> None:
    """Put a standard into a release, as if its training maps had come with it."""
    release = artifacts / "releases" / version
    shutil.copyfile(standard / "standard.npz", release / "standard.npz")
    reseal(release)


def move(photo: np.ndarray, right: float, down: float, turn: float = 0) -> np.ndarray:
    """The photograph shifted by pixels and turned by degrees about its middle, edges repeated."""
    import cv2

    height, width = photo.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn, 1)
    matrix[:, 2] += (right, down)
    return cv2.warpAffine(photo, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
