"""Brings photographs onto the mean good part: small shifts and turns, found by OpenCV's enhanced correlation.

RT compares each window with the same window of good parts, so that a part two pixels aside would be odd along
every edge. What cannot be brought back within the limits is said so, and never passed on as if it had been.

Source: G. D. Evangelidis, E. Z. Psarakis, *Parametric image alignment using enhanced correlation coefficient
maximization* (2008), as `cv2.findTransformECC`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

Motion = Literal["none", "shift", "rigid"]
ROUNDS, CLOSE, BLUR = 100, 1e-5, 5  # of the search; the last is the filter that widens its reach, in pixels
MIN_CORRELATION = 0.3  # below which the photograph shows something else


@dataclass(frozen=True)
class Alignment:
    """How a photograph was moved: pixels right and down, degrees, correlation with the mean, and whether it holds."""

    right: float
    down: float
    turn: float
    correlation: float
    registered: bool


def register(
    photo: np.ndarray, mean: np.ndarray, how: Motion, most_shift: float, most_turn: float
) -> tuple[np.ndarray, Alignment]:
    """The photograph (h, w) or (h, w, channels) as it lies on `mean` (of its shape), and how it was moved.

    Values 0..1; edges are repeated where the photograph ends. One that is not found, or lies beyond `most_shift`
    pixels of the middle or `most_turn` degrees, comes back as it was, with `registered` False.
    """
    import cv2

    if how == "none":
        return photo, Alignment(0.0, 0.0, 0.0, 1.0, True)
    kind = cv2.MOTION_EUCLIDEAN if how == "rigid" else cv2.MOTION_TRANSLATION
    until = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, ROUNDS, CLOSE)
    start = np.eye(2, 3, dtype=np.float32)
    try:
        found, warp = cv2.findTransformECC(_grey(mean), _grey(photo), start, kind, until, None, BLUR)
    except cv2.error:  # it did not converge, or one of the two is flat
        return photo, Alignment(0.0, 0.0, 0.0, 0.0, False)
    move = _align(warp, photo.shape, found, most_shift, most_turn)
    if not move.registered:
        return photo, move
    size = (photo.shape[1], photo.shape[0])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(photo, warp, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), move


def _align(warp: np.ndarray, shape: tuple[int, ...], found: float, most_shift: float, most_turn: float) -> Alignment:
    """The warp, which turns about the corner, as a shift of the middle and a turn."""
    middle = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2])
    right, down = (warp[:, :2] @ middle + warp[:, 2] - middle).tolist()
    turn = math.degrees(math.atan2(warp[1, 0], warp[0, 0]))
    near = math.hypot(right, down) <= most_shift and abs(turn) <= most_turn
    return Alignment(right, down, turn, float(found), near and found >= MIN_CORRELATION)


def _grey(photo: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(photo if photo.ndim == 2 else photo.mean(axis=2), np.float32)
