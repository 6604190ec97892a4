"""The standard: the good parts' windows as unit spaces, and how photographs are registered and measured against it.

standard.npz    format, rows, cols, original (2,) height and width of the photographs, mean (h, w[, 3]), register,
                most_shift (pixels of the reduced photograph), most_turn (degrees), photos (n,) SHA-256 of each,
                and the unit spaces: m, r, mean_y, V, precision
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np

from tasks.config.fields import ValidatedConfig, setting
from tasks.core.errors import UnfitStandard, UnreadablePhotos
from tasks.core.text import one_line
from tasks.imaging import rt
from tasks.imaging.photos import Photo, content_digest, decode_photo, read_photo, resize
from tasks.imaging.registration import Alignment, Motion, register
from tasks.imaging.windows import WindowGrid, fit_windows, rt_maps

STANDARD_FILE, STANDARD_FORMAT = "standard.npz", 1
MAX_WINDOW_SIDE = 8  # pixels after reduction: 64 values describe a window
MAX_STANDARD_PHOTOS = 1000
DARK, DARKER, DEPTH_RATIO = 1 / 4, 1 / 15.9, 3.5  # of its range, what 14 and 12 bits in a file of 16 reach
FLAT_DEVIATION = 1e-6  # of the values 0..1 of a photograph that shows nothing
MAX_STANDARD_BYTES = 2**30  # of its file, unpacked: a standard may come with a stranger's dataset
UNIT_ARRAYS = ("m", "r", "mean_y", "V", "precision")


@dataclass(frozen=True)
class MapOptions(ValidatedConfig):
    """The size of the maps, and how photographs are registered; the file of a standard holds these names."""

    rows: int = setting(36, "Rows of a map", 1, 4096)
    cols: int = setting(39, "Columns of a map", 1, 4096)
    register: Motion = setting("rigid", "What the registration corrects: shifts and turns (rigid), shifts, or nothing")
    most_shift: float = setting(12.0, "Maximum shift that is corrected, in pixels of the reduced photograph", 0, 1e4)
    most_turn: float = setting(6.0, "Maximum turn that is corrected, in degrees", 0, 180)


@dataclass(frozen=True)
class MeasuredPhoto:
    """A photograph's map (rows, cols) float32, its reduced values before and after registration, the alignment."""

    map: np.ndarray
    values: np.ndarray
    registered: np.ndarray
    alignment: Alignment


@dataclass(frozen=True)
class Standard:
    """See the module's docstring; `grid` holds the unit spaces, `photos` the digests of the photographs used."""

    grid: WindowGrid
    mean: np.ndarray
    original: tuple[int, int]
    options: MapOptions
    photos: frozenset[str]

    def to_map(self, photo: Photo) -> MeasuredPhoto:
        """The map of a photograph; UnreadablePhotos where it does not have the standard's size and channels."""
        values = _read_reduced(photo, self.original, self.mean.shape)
        _require_same_depth(photo, values, self.mean)
        registered, alignment = _register(values, self.mean, self.options)
        return MeasuredPhoto(rt_maps(registered[None], self.grid)[0], values, registered, alignment)


def make_standard(photos: list[Photo], options: MapOptions) -> Standard:
    """The standard of good photographs, registered twice: onto their median, then onto the mean of the registered.

    Raises UnfitStandard for fewer than three, for photographs too small for the maps, and for flat ones.
    """
    photos = photos[:MAX_STANDARD_PHOTOS]
    if len(photos) < rt.MIN_RECORDS:
        raise UnfitStandard(
            f"expected at least {rt.MIN_RECORDS} good photographs for a standard, found {len(photos)}; "
            "thirty are recommended"
        )
    first = read_photo(photos[0])
    original, shape = first.shape[:2], (*_reduced_size(first, options), *first.shape[2:])
    values = np.stack([_read_reduced(photo, original, shape) for photo in photos])
    median = np.median(values, axis=0).astype(np.float32)
    if not median.std() > FLAT_DEVIATION:
        raise UnfitStandard("expected good photographs that show a part, found flat ones; check the camera")
    rough, _ = _register_all(values, median, options)
    registered, is_registered = _register_all(values, rough.mean(axis=0), options)
    grid = fit_windows(registered, options.rows, options.cols)
    used = frozenset(content_digest(photo) for photo, used in zip(photos, is_registered, strict=True) if used)
    return Standard(grid, registered.mean(axis=0), original, options, used)


def _read_reduced(photo: Photo, original: tuple[int, int], shape: tuple[int, ...]) -> np.ndarray:
    """The photograph's values, of `original` height and width, reduced to `shape` (h, w) or (h, w, 3)."""
    values = read_photo(photo)
    if values.shape[:2] != original or values.ndim != len(shape):
        raise UnreadablePhotos(
            f"{photo.name}: expected {_describe(*original, len(shape))} as the standard, found "
            f"{_describe(*values.shape[:2], values.ndim)}; photograph it in the same way, or make another standard"
        )
    return resize(values, shape[:2])


def _require_same_depth(photo: Photo, values: np.ndarray, mean: np.ndarray) -> None:
    """Raise UnreadablePhotos for 12 bits in a file of 16 against a standard of its whole range, or the reverse."""
    brightest, expected = float(values.max()), float(mean.max())
    dark = brightest <= DARK and expected > DEPTH_RATIO * brightest
    bright = expected <= DARKER and brightest > DEPTH_RATIO * expected
    if (dark or bright) and (decode_photo(photo).dtype == np.uint16) == dark:
        raise UnreadablePhotos(
            f"{photo.name}: expected values up to about {expected:.2g} of the file's range, as the standard has, found "
            f"{brightest:.2g}; one of them may have 10 to 14 bits in a file of 16, or the light failed: save both alike"
        )


def _describe(height: int, width: int, dimensions: int) -> str:
    return f"{height}×{width} pixels in {'grey' if dimensions == 2 else 'colour'}"


def _register(values: np.ndarray, mean: np.ndarray, options: MapOptions) -> tuple[np.ndarray, Alignment]:
    return register(values, mean, options.register, options.most_shift, options.most_turn)


def _register_all(values: np.ndarray, mean: np.ndarray, options: MapOptions) -> tuple[np.ndarray, list[bool]]:
    """The photographs (n, h, w[, 3]) that can be registered onto the mean, and which they are."""
    results = [_register(photo, mean, options) for photo in values]
    is_registered = [alignment.registered for _, alignment in results]
    if sum(is_registered) < rt.MIN_RECORDS:
        raise UnfitStandard(
            f"expected at least {rt.MIN_RECORDS} good photographs that can be registered onto one another, found "
            f"{sum(is_registered)}; allow more with --max-shift and --max-turn, or photograph them in the same way"
        )
    return np.stack([photo for photo, alignment in results if alignment.registered]), is_registered


def _reduced_size(photo: np.ndarray, options: MapOptions) -> tuple[int, int]:
    """Height and width after reduction: whole windows of at most MAX_WINDOW_SIDE pixels a side."""
    height, width = (side // cells for side, cells in zip(photo.shape[:2], (options.rows, options.cols), strict=True))
    if min(height, width) < 1 or height * width < 2:
        raise UnfitStandard(
            f"expected photographs of two pixels a window or more for {options.rows}×{options.cols} maps, found "
            f"{_describe(*photo.shape[:2], photo.ndim)}; ask for fewer --rows and --cols"
        )
    return options.rows * min(height, MAX_WINDOW_SIDE), options.cols * min(width, MAX_WINDOW_SIDE)


def write_standard(standard: Standard, folder: Path) -> None:
    """Write `standard.npz` into a folder."""
    unit = standard.grid.unit
    np.savez(
        folder / STANDARD_FILE,
        format=STANDARD_FORMAT,
        mean=standard.mean,
        original=standard.original,
        photos=np.array(sorted(standard.photos)),
        n=unit.n,
        ddof=unit.ddof,
        **vars(standard.options),
        **{name: getattr(unit, name) for name in UNIT_ARRAYS},
    )


def read_standard(path: Path) -> Standard:
    """The standard of a file, or of a folder that holds one; UnfitStandard where it is none, or of a later Kensa."""
    file = path / STANDARD_FILE if path.is_dir() else path
    try:
        _require_small(file)
        with np.load(file, allow_pickle=False) as arrays:
            if int(arrays["format"]) > STANDARD_FORMAT:
                raise UnfitStandard(
                    f"{file}: expected a standard of form {STANDARD_FORMAT} at most; a later Kensa made it"
                )
            unit = rt.UnitSpace(*(arrays[name] for name in UNIT_ARRAYS), *(int(arrays[name]) for name in ("n", "ddof")))
            options = MapOptions(**{name: arrays[name].item() for name in vars(MapOptions())})
            mean, original = arrays["mean"], tuple(arrays["original"].tolist())
            photos = frozenset(arrays["photos"].tolist())
        _require_shapes(unit, options, mean, original)
    except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile, zlib.error, MemoryError) as error:
        raise UnfitStandard(
            f"{file}: expected a standard as kensa maps writes it, found none: {one_line(error)}"
        ) from None
    return Standard(WindowGrid(options.rows, options.cols, *mean.shape[:2], unit), mean, original, options, photos)


def _require_small(file: Path) -> None:
    """Raise ValueError for a file that would take too much memory."""
    with ZipFile(file) as packed:
        size = sum(info.file_size for info in packed.infolist())
    if size > MAX_STANDARD_BYTES:
        raise ValueError(f"it has {size:,} bytes, more than {MAX_STANDARD_BYTES:,}")


def _require_shapes(unit: rt.UnitSpace, options: MapOptions, mean: np.ndarray, original: tuple[int, ...]) -> None:
    """Raise ValueError where the arrays do not fit one another, or hold what is no finite number."""
    windows, height, width = options.rows * options.cols, *mean.shape[:2]
    values = mean.size // windows
    shapes = {"m": (windows, values), "r": (windows,), "mean_y": (windows, 2)}
    shapes |= dict.fromkeys(("V", "precision"), (windows, 2, 2))
    fits = all(getattr(unit, name).shape == shape for name, shape in shapes.items())
    whole = height % options.rows == width % options.cols == 0 and mean.shape[2:] in ((), (3,)) and len(original) == 2
    if not (fits and whole):
        raise ValueError("its arrays do not fit one another")
    if not all(np.isfinite(array).all() for array in (mean, *(getattr(unit, name) for name in UNIT_ARRAYS))):
        raise ValueError("it has values that are not finite")
