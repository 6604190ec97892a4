"""The gate of an export from photograph to verdict: its own program must measure a photograph as `kensa maps` does.

A release keeps no photographs. They are drawn from its standard: the mean good part, with noise and spots, shifted and
turned, within the limits of the registration and beyond, in every form of file that the program reads.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tasks.core.errors import ParityLost
from tasks.imaging.photos import Photo
from tasks.imaging.standard import Standard
from tasks.registry.loading import LoadedRelease
from tasks.scoring.export_parity import Run, SetParity, compare

MAP_TOLERANCE = 1e-6  # of a value of a map: relative, or absolute below 1
SEED = 42
DRAWN_PHOTOGRAPHS = 36
FORMS = ((".png", 8), (".png", 16), (".tif", 8), (".tif", 16), (".bmp", 8), (".jpg", 8))


def photograph_gate(release: LoadedRelease, run: Run, standard: Standard, file: Path, scratch: Path) -> SetParity:
    """Compare maps and verdicts of drawn photographs; raises ParityLost.

    run: the exported model, from maps (n, values); file: the export's standard; scratch: a folder for the photographs.
    """
    from tasks.scoring.standalone_photographs import Standard as Standalone  # it imports OpenCV, which is an extra

    standalone = Standalone(file)
    photos = [Photo(path, path.name) for path in draw_photographs(standard, scratch)]
    expected = [standard.to_map(photo) for photo in photos]
    try:
        found = [standalone.measure(photo.path.read_bytes()) for photo in photos]
    except ValueError as error:
        raise ParityLost(f"export: expected photographs to be measured, found: {error}; nothing was exported") from None
    maps, own = (np.stack([measured.map.ravel() for measured in each]) for each in (expected, found))
    same = np.abs(own - maps) <= MAP_TOLERANCE * np.maximum(np.abs(maps), 1)
    registered = [measured.alignment.registered for measured in expected] == [one.registered for one in found]
    if not (same.all() and registered):
        raise ParityLost(
            f"export: expected the maps of photographs as kensa maps measures them within {MAP_TOLERANCE:g}, found "
            f"others, by {np.abs(own - maps).max():.2g} at most; nothing was exported"
        )
    return compare(release, maps, lambda asked: run(own[: len(asked)]), "photographs")


def draw_photographs(standard: Standard, folder: Path) -> Iterator[Path]:
    """Write photographs of parts like those of the standard, and of others, into a folder; their paths."""
    import cv2

    rng, mean = np.random.default_rng(SEED), standard.mean.astype(np.float32)
    whole = cv2.resize(mean, standard.original[::-1], interpolation=cv2.INTER_LINEAR)
    scale, level = whole.shape[0] / mean.shape[0], float(mean.max())
    for number, (suffix, bits) in zip(range(DRAWN_PHOTOGRAPHS), itertools.cycle(FORMS), strict=False):
        part = whole + rng.normal(0, 0.01 * level, whole.shape).astype(np.float32)
        if number % 3 == 1:
            _spot(part, 0.4 * level, rng)
        limits = (0.0, 0.5, 3.0)[number // 6 % 3]  # none, within the limits of the registration, beyond them
        shift = min(limits * standard.options.most_shift * scale, min(part.shape[:2]) / 4)  # most stays in the picture
        part = _move(part, shift, limits * standard.options.most_turn, rng)
        top = 2**bits - 1
        path = folder / f"{number:02d}{suffix}"
        cv2.imwrite(str(path), np.round(np.clip(part, 0, 1) * top).astype(np.uint8 if bits == 8 else np.uint16))
        yield path


def _spot(part: np.ndarray, depth: float, rng: np.random.Generator) -> None:
    """Darken or brighten a patch of the photograph."""
    height, width = part.shape[:2]
    row, col = rng.integers(height), rng.integers(width)
    part[row : row + max(2, height // 8), col : col + max(2, width // 8)] += rng.choice((-depth, depth))


def _move(part: np.ndarray, shift: float, turn: float, rng: np.random.Generator) -> np.ndarray:
    import cv2

    height, width = part.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), float(rng.uniform(-turn, turn)), 1)
    angle = rng.uniform(0, 2 * np.pi)
    matrix[:, 2] += shift * np.cos(angle), shift * np.sin(angle)
    return cv2.warpAffine(part, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
