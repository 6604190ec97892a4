"""Photographs in a folder: which there are, what they are labelled, and their values 0..1.

Labels come from `labels.csv` (file, label, fmode, and group at will), or from subfolders named for the mode, or
there are none. Every photograph is reduced to whole windows by area means, which lose no light.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.core.errors import MissingExtra, UnreadablePhotos

PHOTO_SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"}
MAX_PIXELS = 100_000_000  # of one photograph: larger is no photograph of a part, or an attack
LABELS_FILE = "labels.csv"
MAX_VALUE = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0}


@dataclass(frozen=True)
class Photo:
    """One file, its name below the folder, and what it is labelled; None where nothing says so."""

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
    """Every photograph below a folder, in order of name; `good` is the subfolder of good parts.

    Raises UnreadablePhotos for a folder that is none or has no photograph, and for labels that do not fit.
    """
    if not folder.is_dir():
        raise UnreadablePhotos(f"{folder}: expected a folder of photographs, found none")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES and path.is_file())
    if not found:
        raise UnreadablePhotos(f"{folder}: expected photographs ({', '.join(sorted(PHOTO_SUFFIXES))}), found none")
    names = [path.relative_to(folder).as_posix() for path in found]
    if (folder / LABELS_FILE).exists():
        return _listed(folder, dict(zip(names, found, strict=True)))
    inside = ["/" in name for name in names]
    if any(inside) and not all(inside):
        loose = names[inside.index(False)]
        raise UnreadablePhotos(
            f"{folder}: expected all photographs in subfolders named for their mode, found {loose} beside them; "
            f"move it, or give {LABELS_FILE}"
        )
    modes = [name.split("/")[0] if within else None for name, within in zip(names, inside, strict=True)]
    return [
        Photo(path, name, None if mode is None else "0" if mode == good else "1", mode)
        for path, name, mode in zip(found, names, modes, strict=True)
    ]


def _listed(folder: Path, found: dict[str, Path]) -> list[Photo]:
    """The photographs of labels.csv, each once, and no other."""
    table = folder / LABELS_FILE
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadablePhotos(f"{table}: cannot be read as a table: {error}") from None
    missing = {"file", "label", "fmode"} - set(rows[0] if rows else ())
    if missing:
        raise UnreadablePhotos(
            f"{table}: expected columns file, label and fmode, found no {', '.join(sorted(missing))}"
        )
    listed = [row["file"] for row in rows]
    if unknown := [name for name in listed if name not in found]:
        raise UnreadablePhotos(f"{table}: expected files of {folder}, found {unknown[0]!r}, which is not there")
    if twice := next((name for name in set(listed) if listed.count(name) > 1), None):
        raise UnreadablePhotos(f"{table}: expected each file once, found {twice!r} twice")
    if left := sorted(set(found) - set(listed)):
        raise UnreadablePhotos(f"{table}: expected every photograph of {folder}, found no row for {left[0]!r}")
    return [
        Photo(found[row["file"]], row["file"], row["label"], row["fmode"], row.get("group") or None) for row in rows
    ]


def content_digest(photo: Photo) -> str:
    """SHA-256 (hex) of the file: the same photograph under another name."""
    with photo.path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_photo(photo: Photo) -> np.ndarray:
    """The values 0..1 (h, w) or (h, w, 3), float32, blue first; a channel of transparency is dropped.

    Raises UnreadablePhotos for what is no whole photograph, or has more than MOST_PIXELS.
    """
    import cv2
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(photo.path) as head:
            pixels = head.width * head.height
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError) as error:
        raise UnreadablePhotos(f"{photo.name}: expected a photograph, found none: {error}; mend or remove it") from None
    if pixels > MAX_PIXELS:
        raise UnreadablePhotos(
            f"{photo.name}: expected at most {MAX_PIXELS:,} pixels, found {pixels:,}; make it smaller"
        )
    values = cv2.imdecode(np.frombuffer(photo.path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype not in MAX_VALUE:
        raise UnreadablePhotos(
            f"{photo.name}: expected a whole photograph of 8 or 16 bits, found none; mend or remove it"
        )
    scaled = values.astype(np.float32) / np.float32(MAX_VALUE[values.dtype])
    if scaled.ndim == 3:
        scaled = scaled[:, :, 0] if scaled.shape[2] < 3 else scaled[:, :, :3]
    return np.ascontiguousarray(scaled)


def reduce_to_grey(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The photograph brought to `size` (height, width) by area means."""
    import cv2

    return values if values.shape[:2] == size else cv2.resize(values, size[::-1], interpolation=cv2.INTER_AREA)
