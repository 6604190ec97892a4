"""Photographs in a folder: their files, their labels, and their values 0..1.

Labels come from `labels.csv` (file, label, fmode, and optionally group), or from subfolders with the names of the
modes, or there are none. Photographs are reduced to whole windows by area means, which keep the mean brightness.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.core.errors import MissingExtra, UnreadablePhotos
from tasks.core.text import one_line

PHOTO_SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"}
MAX_PIXELS = 100_000_000  # of one photograph: a larger one is no photograph of a part, or an attack
LABELS_FILE = "labels.csv"
LABEL_COLUMNS = {"file", "label", "fmode"}
MAX_VALUE = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0}


@dataclass(frozen=True)
class Photo:
    """One file, its name below the folder, and its label, mode and group; None where nothing gives them."""

    path: Path
    name: str
    label: str | None = None
    mode: str | None = None
    group: str | None = None


def require_opencv() -> None:
    """Raise MissingExtra where OpenCV is not installed."""
    try:
        import cv2  # noqa: F401
    except ImportError:
        raise MissingExtra("photographs: needs opencv-python-headless; install kensa[photos]") from None


def list_photos(folder: Path, good: str = "good") -> list[Photo]:
    """Every photograph below a folder, sorted by name; `good` is the subfolder of good parts.

    Raises UnreadablePhotos for a folder that is none or has no photograph, and for labels that do not fit.
    """
    if not folder.is_dir():
        raise UnreadablePhotos(f"{folder}: expected a folder of photographs, found none")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES and path.is_file())
    if not paths:
        raise UnreadablePhotos(f"{folder}: expected photographs ({', '.join(sorted(PHOTO_SUFFIXES))}), found none")
    by_name = {path.relative_to(folder).as_posix(): path for path in paths}
    if (folder / LABELS_FILE).exists():
        return _photos_of_table(folder, by_name)
    loose = [name for name in by_name if "/" not in name]
    if loose and len(loose) < len(by_name):
        raise UnreadablePhotos(
            f"{folder}: expected all photographs in subfolders named for their mode, found {loose[0]} beside them; "
            f"move it, or give {LABELS_FILE}"
        )
    if loose:
        return [Photo(path, name) for name, path in by_name.items()]
    return [_photo_in_folder(path, name, good) for name, path in by_name.items()]


def _photo_in_folder(path: Path, name: str, good: str) -> Photo:
    mode = name.split("/", maxsplit=1)[0]
    return Photo(path, name, "0" if mode == good else "1", mode)


def _photos_of_table(folder: Path, by_name: dict[str, Path]) -> list[Photo]:
    """The photographs of labels.csv, which lists each of the folder exactly once."""
    table = folder / LABELS_FILE
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadablePhotos(f"{table}: cannot be read as a table: {one_line(error)}") from None
    if missing := LABEL_COLUMNS - set(rows[0] if rows else ()):
        raise UnreadablePhotos(
            f"{table}: expected columns file, label and fmode, found no {', '.join(sorted(missing))}"
        )
    _require_same_files(table, [row["file"] for row in rows], by_name)
    return [
        Photo(by_name[row["file"]], row["file"], row["label"], row["fmode"], row.get("group") or None) for row in rows
    ]


def _require_same_files(table: Path, names: list[str], photos: Iterable[str]) -> None:
    folder, photos = table.parent, set(photos)
    if unknown := next((name for name in names if name not in photos), None):
        raise UnreadablePhotos(f"{table}: expected files of {folder}, found {unknown!r}, which is not there")
    if repeated := next((name for name in set(names) if names.count(name) > 1), None):
        raise UnreadablePhotos(f"{table}: expected each file once, found {repeated!r} twice")
    if missing := min(photos - set(names), default=None):
        raise UnreadablePhotos(f"{table}: expected every photograph of {folder}, found no row for {missing!r}")


def content_digest(photo: Photo) -> str:
    """SHA-256 (hex) of the file, which recognises the same photograph under another name."""
    with photo.path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_photo(photo: Photo) -> np.ndarray:
    """The values 0..1 (h, w) or (h, w, 3), float32, in the order blue, green, red; without transparency.

    Raises UnreadablePhotos for what is no whole photograph, or has more than MAX_PIXELS.
    """
    import cv2

    _require_photo(photo)
    values = cv2.imdecode(np.frombuffer(photo.path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype not in MAX_VALUE:
        raise UnreadablePhotos(
            f"{photo.name}: expected a whole photograph of 8 or 16 bits, found none; repair or remove it"
        )
    scaled = values.astype(np.float32) / np.float32(MAX_VALUE[values.dtype])
    if scaled.ndim == 3:
        scaled = scaled[:, :, 0] if scaled.shape[2] < 3 else scaled[:, :, :3]
    return np.ascontiguousarray(scaled)


def _require_photo(photo: Photo) -> None:
    """Raise UnreadablePhotos for what is no photograph, or too large a one, by the file's head alone."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(photo.path) as head:
            pixels = head.width * head.height
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError) as error:
        raise UnreadablePhotos(
            f"{photo.name}: expected a photograph, found none: {one_line(error)}; repair or remove it"
        ) from None
    if pixels > MAX_PIXELS:
        raise UnreadablePhotos(
            f"{photo.name}: expected at most {MAX_PIXELS:,} pixels, found {pixels:,}; make it smaller"
        )


def resize(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The photograph resized to `size` (height, width) by area means."""
    import cv2

    return values if values.shape[:2] == size else cv2.resize(values, size[::-1], interpolation=cv2.INTER_AREA)
