"""Photographs in a folder: their files, their labels, and their values 0..1.

Labels come from `labels.csv` (file, label, fmode, and optionally group), or from subfolders with the names of the
modes, or there are none. Photographs are reduced to whole windows by area means, which keep the mean brightness.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.core.errors import MissingExtra, UnfitStandard, UnreadablePhotos
from tasks.core.text import one_line
from tasks.imaging.labels_table import LABELS_FILE, plain_name, read_labels

PHOTO_SUFFIXES = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".bmp", ".webp"}
OTHER_IMAGES = {
    ".gif",
    ".heic",
    ".heif",
    ".avif",
    ".jp2",
    ".jxl",
    ".dng",
    ".raw",
    ".cr2",
    ".cr3",
    ".nef",
    ".arw",
    ".psd",
}
OTHER_IMAGES |= {".svg", ".pdf", ".eps", ".exr", ".hdr", ".dcm", ".npy", ".pgm", ".ppm"}
MAX_PIXELS = 100_000_000  # of one photograph: a larger one is no photograph of a part, or an attack
MAX_VALUE = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0}
SPLIT_FOLDERS = {"train", "test", "val", "validation"}  # of the layout of MVTec AD: train/good, test/good, test/scratch
MASK_FOLDERS = {"ground_truth", "ground-truth", "mask", "masks", "mask_dir"}
LFS_POINTER = b"version https://git-lfs"
NO_GOOD = "none"  # for photographs of defects alone
ORIENTATION_TAG = 0x0112


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
        raise MissingExtra("photographs", "opencv-python-headless", "photos") from None


def list_photos(folder: Path, good: str = "good") -> list[Photo]:
    """Every photograph below a folder, sorted by name; `good` is the subfolder of good parts, "none" without any.

    Raises UnreadablePhotos for a folder that is none or has no photograph, for labels that do not fit, and for
    subfolders of which none is `good`.
    """
    if not folder.is_dir():
        raise UnreadablePhotos(f"{folder}: expected a folder of photographs, found none")
    by_name = {name: folder / name for name in _names(folder, PHOTO_SUFFIXES) if not _is_mask(name)}
    if not by_name:
        raise UnreadablePhotos(f"{folder}: expected photographs ({', '.join(sorted(PHOTO_SUFFIXES))}), found none")
    if (folder / LABELS_FILE).exists():
        rows = read_labels(folder / LABELS_FILE, by_name)
        return [Photo(by_name[row.file], row.file, row.label, row.mode, row.group) for row in rows]
    loose = [name for name in by_name if "/" not in name]
    if loose and len(loose) < len(by_name):
        raise UnreadablePhotos(
            f"{folder}: expected all photographs in subfolders named for their mode, found {loose[0]} beside them; "
            f"move it, or give {LABELS_FILE}"
        )
    if loose:
        return [Photo(path, name) for name, path in by_name.items()]
    return _photos_in_folders(folder, by_name, good)


def unread_images(folder: Path) -> tuple[str, ...]:
    """The images below a folder that are no photographs of parts, or of a kind that is not read."""
    masks = (name for name in _names(folder, PHOTO_SUFFIXES) if _is_mask(name))
    return tuple(sorted([*_names(folder, OTHER_IMAGES), *masks]))


def _names(folder: Path, suffixes: set[str]) -> list[str]:
    """The names of files with these endings that are not hidden, sorted."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes and path.is_file())
    names = (path.relative_to(folder).as_posix() for path in paths)
    return [name for name in names if not any(part.startswith(".") for part in name.split("/"))]


def _is_mask(name: str) -> bool:
    return name.split("/", maxsplit=1)[0].lower() in MASK_FOLDERS and "/" in name


def _photos_in_folders(folder: Path, by_name: dict[str, Path], good: str) -> list[Photo]:
    """The photographs of folders that are modes, or hold the modes as those of MVTec AD do."""
    parts = {name: name.split("/") for name in by_name}
    in_splits = all(len(names) > 2 and names[0].lower() in SPLIT_FOLDERS for names in parts.values())
    modes = {name: plain_name(names[1 if in_splits else 0]) for name, names in parts.items()}
    mode_names = sorted(set(modes.values()))
    good_mode = next((mode for mode in mode_names if mode == plain_name(good)), None)
    good_mode = good_mode or next((mode for mode in mode_names if mode.casefold() == plain_name(good).casefold()), None)
    if good_mode is None and good != NO_GOOD:
        raise UnreadablePhotos(
            f"{folder}: expected a subfolder {good} with the good parts, found {', '.join(mode_names)}; name it with "
            f"--good, or --good {NO_GOOD} where all parts are defective"
        )
    return [Photo(by_name[name], name, "0" if mode == good_mode else "1", mode) for name, mode in modes.items()]


def list_standard(folder: Path, good: str = "good") -> list[Photo]:
    """The photographs of good parts for a standard: all of a folder, or those of its subfolder `good`.

    Of MVTec AD's layout only those to train on. Raises UnfitStandard for a photograph, and for subfolders of which none
    is `good`, and UnreadablePhotos as `list_photos`.
    """
    if folder.is_file() and folder.suffix.lower() in PHOTO_SUFFIXES:
        raise UnfitStandard(f"{folder.name} is a photograph; --standard takes a folder of good ones, or a standard.npz")
    try:
        photos = list_photos(folder, good)
    except UnreadablePhotos as error:
        if "expected a subfolder" not in str(error):
            raise
        raise UnfitStandard(f"--standard: {error}") from None
    if all(photo.mode is None for photo in photos):
        return photos
    usable = [photo for photo in photos if photo.label == "0" or photo.mode == good]
    training = [photo for photo in usable if photo.name.lower().startswith("train/")]
    if not usable:
        raise UnfitStandard(
            f"--standard: {folder}: expected good parts, found none with the label 0 or the mode {good}"
        )
    return training or usable


def content_digest(photo: Photo) -> str:
    """SHA-256 (hex) of the file, which recognises the same photograph under another name."""
    with photo.path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_photo(photo: Photo) -> np.ndarray:
    """The values 0..1 (h, w) or (h, w, 3), float32, in the order blue, green, red; upright, without transparency.

    Raises UnreadablePhotos for what is no whole photograph, has several pages, or has more than MAX_PIXELS.
    """
    values = decode_photo(photo)
    return np.ascontiguousarray(values.astype(np.float32) / np.float32(MAX_VALUE[values.dtype]))


def decode_photo(photo: Photo) -> np.ndarray:
    """As `read_photo`, in the file's own numbers of 8 or 16 bits."""
    import cv2

    head = _read_head(photo)
    values = cv2.imdecode(np.frombuffer(photo.path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype not in MAX_VALUE:
        raise UnreadablePhotos(
            f"{photo.name}: expected a whole photograph of 8 or 16 bits, found none; repair or remove it"
        )
    if values.ndim == 3:
        values = values[:, :, 0] if values.shape[2] < 3 else values[:, :, :3]
    if values.ndim == 3 and head.may_be_grey and (values == values[:, :, :1]).all():
        values = values[:, :, 0]  # OpenCV makes colours of grey with transparency, of palettes and of WebP
    return _upright(values, head.orientation)


@dataclass(frozen=True)
class _Head:
    """What a file says of itself: EXIF's orientation, and whether its colours may all be grey."""

    orientation: int
    may_be_grey: bool


def _read_head(photo: Photo) -> _Head:
    """Raise UnreadablePhotos for what is no photograph, several, or too large a one, by the file's head alone."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(photo.path) as image:
            pixels, pages = image.width * image.height, getattr(image, "n_frames", 1)
            several = pages > 1 and image.format != "MPO"  # a phone's second picture is made for its own screen
            turned = image.format != "TIFF"  # which OpenCV turns itself
            orientation = image.getexif().get(ORIENTATION_TAG, 1) if turned else 1
            if image.format in ("JPEG", "MPO"):  # OpenCV fills the end of a truncated one with grey
                image.draft(None, (image.width // 8, image.height // 8))
                image.load()
            head = _Head(orientation, image.mode in ("P", "PA", "LA", "La") or image.format == "WEBP")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        problem = f"none: {one_line(error)}; repair or remove it"
        with photo.path.open("rb") as file:
            if file.read(len(LFS_POINTER)) == LFS_POINTER:
                problem = "a pointer of Git LFS; run git lfs pull there"
        raise UnreadablePhotos(f"{photo.name}: expected a photograph, found {problem}") from None
    if several:
        raise UnreadablePhotos(
            f"{photo.name}: expected one photograph, found {pages} pages; save each page as a file of its own"
        )
    if pixels > MAX_PIXELS:
        raise UnreadablePhotos(
            f"{photo.name}: expected at most {MAX_PIXELS:,} pixels, found {pixels:,}; make it smaller"
        )
    return head


def _upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """The values turned as EXIF says that the camera was held (TIFF 6.0, tag 274)."""
    values = values.swapaxes(0, 1) if orientation in (5, 6, 7, 8) else values
    values = values[::-1] if orientation in (3, 4, 7, 8) else values
    return values[:, ::-1] if orientation in (2, 3, 6, 7) else values


def resize(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The photograph resized to `size` (height, width) by area means."""
    import cv2

    return values if values.shape[:2] == size else cv2.resize(values, size[::-1], interpolation=cv2.INTER_AREA)
