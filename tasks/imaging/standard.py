"""The standard: what good parts look like, window by window, and how photographs are brought onto it.

standard.npz    format, rows, cols, original (2,) height and width of the photographs, mean (h, w[, 3]), register,
                most_shift (pixels of the reduced photograph), most_turn (degrees), photos (n,) SHA-256 of each,
                and the unit spaces: m, r, mean_y, V, precision
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.core.errors import UnfitStandard, UnreadablePhotos
from tasks.imaging import rt
from tasks.imaging.photos import Photo, content_digest, read_photo, reduce_to_grey
from tasks.imaging.registration import Alignment, Motion, register
from tasks.imaging.windows import WindowGrid, fit_windows, rt_maps

FILE, FORMAT = "standard.npz", 1
MAX_SIDE = 8  # pixels of a window's side after reduction: 64 values say what a window is like
MAX_PHOTOS = 1000
SPACES = ("m", "r", "mean_y", "V", "precision")


@dataclass(frozen=True)
class MapOptions:
    """Rows and columns of the maps, and how photographs are registered: shift in windows' pixels, turn in degrees."""

    rows: int = 36
    cols: int = 39
    register: Motion = "rigid"
    most_shift: float = 12.0
    most_turn: float = 6.0


@dataclass(frozen=True)
class Standard:
    """See the module's docstring; `grid` holds the unit spaces, `photos` the contents it was made from."""

    grid: WindowGrid
    mean: np.ndarray
    original: tuple[int, int]
    asked: MapOptions
    photos: frozenset[str]

    def to_map(self, photo: Photo) -> tuple[np.ndarray, np.ndarray, np.ndarray, Alignment]:
        """The map (rows, cols) float32 of a photograph, with itself reduced, registered, and how it was moved."""
        seen = self.prepared(photo)
        registered, move = register(seen, self.mean, self.asked.register, self.asked.most_shift, self.asked.most_turn)
        return rt_maps(registered[None], self.grid)[0], seen, registered, move

    def prepared(self, photo: Photo) -> np.ndarray:
        """The photograph's values, reduced; UnreadablePhotos where it has not the standard's size and channels."""
        values = read_photo(photo)
        if values.shape[:2] != self.original or values.ndim != self.mean.ndim:
            raise UnreadablePhotos(
                f"{photo.name}: expected {_shape(*self.original, self.mean.ndim)} as the standard, found "
                f"{_shape(*values.shape[:2], values.ndim)}; photograph it alike, or make another standard"
            )
        return reduce_to_grey(values, self.mean.shape[:2])


def _shape(height: int, width: int, dimensions: int) -> str:
    return f"{height}×{width} pixels in {'grey' if dimensions == 2 else 'colour'}"


def make_standard(photos: list[Photo], asked: MapOptions) -> Standard:
    """The standard that good photographs make; their mean is taken twice, the second time of registered ones.

    Raises UnfitStandard for fewer than three, for photographs too small for the maps, and for flat ones.
    """
    chosen = photos[:MAX_PHOTOS]
    if len(chosen) < rt.LEAST_RECORDS:
        raise UnfitStandard(
            f"expected at least {rt.LEAST_RECORDS} good photographs for a standard, found {len(chosen)}; "
            "thirty are good to have"
        )
    first = read_photo(chosen[0])
    empty = Standard(None, np.empty((*_size(first, asked), *first.shape[2:])), first.shape[:2], asked, frozenset())
    values = np.stack([empty.prepared(photo) for photo in chosen])
    middle = np.median(values, axis=0).astype(np.float32)
    if not middle.std() > 1e-6:
        raise UnfitStandard("expected good photographs that show a part, found flat ones; check the camera")
    rough, _ = _place_onto(values, middle, asked)
    registered, held = _place_onto(values, rough.mean(axis=0), asked)
    grid = fit_windows(registered, asked.rows, asked.cols)
    used = frozenset(content_digest(photo) for photo, holds in zip(chosen, held, strict=True) if holds)
    return Standard(grid, registered.mean(axis=0), first.shape[:2], asked, used)


def _place_onto(values: np.ndarray, mean: np.ndarray, asked: MapOptions) -> tuple[np.ndarray, list[bool]]:
    """Those of the good photographs that can be brought onto the mean, and which they are."""
    moved = [register(one, mean, asked.register, asked.most_shift, asked.most_turn) for one in values]
    held = [move.registered for _, move in moved]
    if sum(held) < rt.LEAST_RECORDS:
        raise UnfitStandard(
            f"expected at least {rt.LEAST_RECORDS} good photographs that can be brought onto one another, found "
            f"{sum(held)}; allow more with --max-shift and --max-turn, or photograph them alike"
        )
    return np.stack([one for one, move in moved if move.registered]), held


def _size(photo: np.ndarray, asked: MapOptions) -> tuple[int, int]:
    """Height and width after reduction: whole windows, MOST_SIDE pixels a side at most."""
    sides = [side // cells for side, cells in zip(photo.shape[:2], (asked.rows, asked.cols), strict=True)]
    if min(sides) < 1 or sides[0] * sides[1] < 2:
        raise UnfitStandard(
            f"expected photographs of two pixels a window or more for {asked.rows}×{asked.cols} maps, found "
            f"{_shape(*photo.shape[:2], photo.ndim)}; ask for fewer --rows and --cols"
        )
    high, wide = (min(side, MAX_SIDE) for side in sides)
    return asked.rows * high, asked.cols * wide


def write_standard(standard: Standard, folder: Path) -> None:
    """Write `standard.npz` into a folder."""
    spaces = {name: getattr(standard.grid.unit, name) for name in SPACES}
    asked = vars(standard.asked)
    counts = {"n": standard.grid.unit.n, "ddof": standard.grid.unit.ddof, "format": FORMAT}
    photos = np.array(sorted(standard.photos))
    np.savez(folder / FILE, mean=standard.mean, original=standard.original, photos=photos, **asked, **counts, **spaces)


def read_standard(path: Path) -> Standard:
    """The standard of a file, or of a folder that holds one; UnfitStandard where it is none, or of a later Kensa."""
    file = path / FILE if path.is_dir() else path
    try:
        with np.load(file, allow_pickle=False) as told:
            if int(told["format"]) > FORMAT:
                raise UnfitStandard(f"{file}: expected a standard of form {FORMAT} at most; a later Kensa made it")
            unit = rt.UnitSpace(*(told[name] for name in SPACES), n=int(told["n"]), ddof=int(told["ddof"]))
            size, limits = (int(told["rows"]), int(told["cols"])), (float(told["most_shift"]), float(told["most_turn"]))
            asked = MapOptions(*size, str(told["register"]), *limits)
            mean, original = told["mean"], tuple(told["original"].tolist())
            photos = frozenset(told["photos"].tolist())
    except (OSError, ValueError, KeyError) as error:
        raise UnfitStandard(f"{file}: expected a standard as kensa maps writes it, found none: {error}") from None
    return Standard(WindowGrid(asked.rows, asked.cols, *mean.shape[:2], unit), mean, original, asked, photos)
