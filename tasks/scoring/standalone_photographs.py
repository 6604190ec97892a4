"""Photographs of parts to the maps of an exported Kensa model. It needs numpy and OpenCV, nothing else.

The folder of the model holds `standard.npz`: the good photographs' windows, and how photographs are registered. In
another Python program:

    from photographs import Standard
    from verdict import Inspector

    standard = Standard("standard.npz")
    measured = standard.measure(open("part.png", "rb").read())
    print(Inspector("model.onnx").verdicts(measured.map), measured.registered)

PNG, TIFF, BMP and JPEG files are read, of 8 or 16 bits, upright as EXIF says, one photograph in each.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")
STANDARD_FORMAT = 1
MAX_VALUE = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0}
MAX_ITERATIONS, EPSILON, BLUR_PIXELS, MIN_CORRELATION = 100, 1e-5, 5, 0.3  # of the registration
PEDESTAL = 8 / 255  # added to all values: a window below a few grey levels counts as dark
DARK, DARKER, DEPTH_RATIO = 1 / 4, 1 / 15.9, 3.5  # of its range, what 14 and 12 bits in a file of 16 reach
ORIENTATION, WIDTH, HEIGHT, PHOTOMETRIC, SAMPLES = 274, 256, 257, 262, 277  # tags of TIFF 6.0
PALETTE = 3
NOT_READ = (b"tiff:Orientation", b"Raw profile type exif")  # an orientation where only some programs find it


class Measured(NamedTuple):
    """The map (rows, cols) float32 of a photograph, and whether it was aligned with the standard."""

    map: np.ndarray
    registered: bool


class Head(NamedTuple):
    """What a file says of itself. may_be_grey: its colours may all be grey; turns: EXIF's orientation, 1 for none."""

    width: int
    height: int
    pages: int = 1
    turns: int = 1
    may_be_grey: bool = False


class Standard:
    """The good photographs that others are measured against; raises OSError, or ValueError where a file is none.

    height, width, channels: of the photographs; rows, cols: of the maps; digest: SHA-256 of the file.
    """

    def __init__(self, path: str | Path) -> None:
        content = Path(path).read_bytes()
        self.digest = hashlib.sha256(content).hexdigest()
        try:
            with np.load(path, allow_pickle=False) as arrays:
                stored = {name: arrays[name] for name in arrays.files}
            if int(stored["format"]) > STANDARD_FORMAT:
                raise ValueError("a later Kensa made it")
            self.mean, self.unit = stored["mean"], {name: stored[name] for name in ("m", "mean_y", "precision")}
            self.height, self.width = stored["original"].tolist()
            self.rows, self.cols = int(stored["rows"]), int(stored["cols"])
            self.register = str(stored["register"])
            self.most_shift, self.most_turn = float(stored["most_shift"]), float(stored["most_turn"])
        except (KeyError, ValueError, EOFError) as error:
            raise ValueError(f"{path}: expected a standard as kensa maps writes it, found none: {error}") from None
        self.channels = 1 if self.mean.ndim == 2 else 3

    def measure(self, content: bytes) -> Measured:
        """The map of a photograph, given as the bytes of its file; raises ValueError where it does not fit."""
        head = read_head(content)
        if head.pages != 1:
            raise ValueError(f"expected one photograph, found {head.pages} pages")
        if sorted((head.height, head.width)) != sorted((self.height, self.width)):  # before memory is taken for it
            raise ValueError(self._expected(f"{head.height}×{head.width} pixels"))
        numbers = decode(content, head)
        if numbers.shape[:2] != (self.height, self.width) or numbers.ndim != self.mean.ndim:
            kind = "grey" if numbers.ndim == 2 else "colour"
            raise ValueError(self._expected(f"{numbers.shape[0]}×{numbers.shape[1]} pixels in {kind}"))
        values = np.ascontiguousarray(numbers.astype(np.float32) / np.float32(MAX_VALUE[numbers.dtype]))
        size = self.mean.shape[:2]
        if values.shape[:2] != size:
            values = cv2.resize(values, size[::-1], interpolation=cv2.INTER_AREA)
        self._require_same_depth(values, numbers.dtype)
        aligned, registered = self._align(values)
        return Measured(self._distances(aligned), registered)

    def _expected(self, found: str) -> str:
        kind = "grey" if self.channels == 1 else "colour"
        return f"expected {self.height}×{self.width} pixels in {kind} as the standard, found {found}"

    def _require_same_depth(self, values: np.ndarray, dtype: np.dtype) -> None:
        """Raise ValueError for 12 bits in a file of 16 against a standard of its whole range, or the reverse."""
        brightest, expected = float(values.max()), float(self.mean.max())
        dark = brightest <= DARK and expected > DEPTH_RATIO * brightest
        bright = expected <= DARKER and brightest > DEPTH_RATIO * expected
        if (dark or bright) and (dtype == np.uint16) == dark:
            raise ValueError(
                f"expected values up to about {expected:.2g} of the file's range, as the standard has, found "
                f"{brightest:.2g}; one of them may have 10 to 14 bits in a file of 16, or the light failed"
            )

    def _align(self, values: np.ndarray) -> tuple[np.ndarray, bool]:
        """The photograph as it lies on the standard's mean; unchanged where no alignment within the limits is found."""
        if self.register == "none":
            return values, True
        motion = cv2.MOTION_EUCLIDEAN if self.register == "rigid" else cv2.MOTION_TRANSLATION
        criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, MAX_ITERATIONS, EPSILON)
        start = np.eye(2, 3, dtype=np.float32)
        try:
            found = cv2.findTransformECC(_grey(self.mean), _grey(values), start, motion, criteria, None, BLUR_PIXELS)
        except cv2.error:  # it did not converge, or the photograph is flat
            return values, False
        correlation, warp = found
        middle = np.array([(values.shape[1] - 1) / 2, (values.shape[0] - 1) / 2])
        shift = math.hypot(*(warp[:, :2] @ middle + warp[:, 2] - middle).tolist())
        turn = abs(math.degrees(math.atan2(warp[1, 0], warp[0, 0])))
        if not (shift <= self.most_shift and turn <= self.most_turn and correlation >= MIN_CORRELATION):
            return values, False
        size, flags = (values.shape[1], values.shape[0]), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(values, warp, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), True

    def _distances(self, values: np.ndarray) -> np.ndarray:
        """The RT distance of each window from the same window of good parts, (rows, cols) float32."""
        height, width = values.shape[:2]
        rows, cols = self.rows, self.cols
        cut = values.reshape(1, rows, height // rows, cols, width // cols, -1).transpose(0, 1, 3, 2, 4, 5)
        x, m = (cut.reshape(1, rows * cols, -1) + PEDESTAL).astype(np.float64), self.unit["m"]
        beta = np.einsum("n...k,...k->n...", x, m) / np.einsum("...k,...k->...", m, m)
        residual = x - beta[..., None] * m
        error_variance = np.einsum("n...k,n...k->n...", residual, residual) / (m.shape[-1] - 1)
        y = np.stack([beta, np.sqrt(error_variance)], axis=-1) - self.unit["mean_y"]
        squared = 0.5 * np.einsum("n...i,...ij,n...j->n...", y, self.unit["precision"], y)
        return np.sqrt(np.maximum(squared, 0)).reshape(rows, cols).astype(np.float32)


def _grey(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values if values.ndim == 2 else values.mean(axis=2), np.float32)


def decode(content: bytes, head: Head) -> np.ndarray:
    """The numbers (h, w) or (h, w, 3: blue, green, red) of a file, upright and without transparency, 8 or 16 bits.

    Raises ValueError for what is no whole photograph.
    """
    try:
        numbers = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        numbers = None
    if numbers is None or numbers.dtype not in MAX_VALUE:
        raise ValueError("expected a whole photograph of 8 or 16 bits, found none")
    if numbers.ndim == 3:
        numbers = numbers[:, :, 0] if numbers.shape[2] < 3 else numbers[:, :, :3]
    if numbers.ndim == 3 and head.may_be_grey and (numbers == numbers[:, :, :1]).all():
        numbers = numbers[:, :, 0]  # OpenCV makes colours of grey with transparency and of palettes
    numbers = numbers.swapaxes(0, 1) if head.turns in (5, 6, 7, 8) else numbers
    numbers = numbers[::-1] if head.turns in (3, 4, 7, 8) else numbers
    return numbers[:, ::-1] if head.turns in (2, 3, 6, 7) else numbers


def read_head(content: bytes) -> Head:
    """What a file says of itself, before its photograph is decoded; raises ValueError for another kind of file."""
    readers: dict[bytes, Callable[[bytes], Head]] = {
        b"\x89PNG\r\n\x1a\n": _read_png,
        b"BM": _read_bmp,
        b"II": _read_tiff,
        b"MM": _read_tiff,
        b"\xff\xd8": _read_jpeg,
    }
    for start, read in readers.items():
        if content.startswith(start):
            try:
                head = read(content)
            except (struct.error, IndexError):
                raise ValueError("expected a whole photograph, found the beginning of one") from None
            if head.turns == 1 and any(mark in content for mark in NOT_READ):
                raise ValueError("expected a photograph without XMP's orientation; save it upright, without it")
            return head
    raise ValueError("expected a PNG, TIFF, BMP or JPEG file, found another")


def _read_png(content: bytes) -> Head:
    width, height, _, colour = struct.unpack_from(">IIBB", content, 16)
    place, turns, pages, name = 8, 1, 1, b""
    while name != b"IEND":
        size, name = struct.unpack_from(">I4s", content, place)
        data = place + 8
        if name == b"acTL":
            pages = struct.unpack_from(">I", content, data)[0]
        if name == b"eXIf":
            turns = _turns(content[data : data + size])
        place = data + size + 4
    return Head(width, height, pages, turns, may_be_grey=colour in (3, 4))


def _read_bmp(content: bytes) -> Head:
    if struct.unpack_from("<I", content, 14)[0] == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", content, 18)
    else:
        width, height, _, bits = struct.unpack_from("<iiHH", content, 18)
    return Head(width, abs(height), may_be_grey=bits <= 8)


def _read_tiff(content: bytes) -> Head:
    """OpenCV turns it itself."""
    tags, following = _tags(content)
    pages = 1
    while following and pages < 100:  # a file may lead in a circle
        _, following = _tags(content, following)
        pages += 1
    may_be_grey = tags.get(PHOTOMETRIC) == PALETTE or tags.get(SAMPLES) == 2
    return Head(tags.get(WIDTH, 0), tags.get(HEIGHT, 0), pages, may_be_grey=may_be_grey)


def _read_jpeg(content: bytes) -> Head:
    place, turns, size = 2, 1, (0, 0)
    while True:
        mark, kind, length = struct.unpack_from(">BBH", content, place)
        if mark != 0xFF:
            raise IndexError
        data = content[place + 4 : place + 2 + length]
        if kind == 0xE1 and data.startswith(b"Exif\0\0"):
            turns = _turns(data[6:])
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            size = struct.unpack_from(">HH", data, 1)
        place += 2 + length
        if kind == 0xDA:
            break
    if content.find(b"\xff\xd9", place) < 0:  # OpenCV fills the end of a truncated one with grey
        raise IndexError
    return Head(size[1], size[0], turns=turns)


def _turns(exif: bytes) -> int:
    """EXIF's orientation."""
    return _tags(exif)[0].get(ORIENTATION, 1)


def _tags(content: bytes, place: int | None = None) -> tuple[dict[int, Any], int]:
    """The first number of each tag of a TIFF's directory, by tag, and where the next directory lies, 0 for none."""
    order = "<" if content[:1] == b"I" else ">"
    large = struct.unpack_from(f"{order}H", content, 2)[0] == 43
    offset, count, entry = ("Q", "Q", 20) if large else ("I", "H", 12)
    if place is None:
        place = struct.unpack_from(order + offset, content, 8 if large else 4)[0]
    entries = struct.unpack_from(order + count, content, place)[0]
    place += struct.calcsize(f"={count}")
    if place + entries * entry > len(content):
        raise IndexError
    tags = {}
    for start in range(place, place + entries * entry, entry):
        tag, kind = struct.unpack_from(f"{order}HH", content, start)
        if kind in (3, 4):
            place_of_value = start + entry - struct.calcsize(f"={offset}")
            tags[tag] = struct.unpack_from(order + {3: "H", 4: "I"}[kind], content, place_of_value)[0]
    return tags, struct.unpack_from(order + offset, content, place + entries * entry)[0]
