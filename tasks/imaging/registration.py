"""Registers photographs onto the mean good part: small shifts and turns, found by OpenCV's enhanced correlation.

RT compares each window with the same window of good parts, so that a part that is two pixels off would be odd along
every edge. A photograph that cannot be registered within the limits is reported as such, and is left as it is.

Source: G. D. Evangelidis, E. Z. Psarakis, *Parametric image alignment using enhanced correlation coefficient
maximization* (2008), as `cv2.findTransformECC`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

Motion = Literal["none", "shift", "rigid"]
MAX_ITERATIONS, EPSILON = 100, 1e-5  # of the search
BLUR_PIXELS = 5  # of the Gaussian filter that lets the search find larger shifts
MIN_CORRELATION = 0.3  # a photograph with less shows something else


@dataclass(frozen=True)
class Alignment:
    """How a photograph was aligned: pixels right and down, degrees, correlation with the mean.

    `registered` is False where no alignment within the limits was found.
    """

    right: float
    down: float
    turn: float
    correlation: float
    registered: bool


def register(
    photo: np.ndarray, mean: np.ndarray, motion: Motion, max_shift: float, max_turn: float
) -> tuple[np.ndarray, Alignment]:
    """The photograph (h, w) or (h, w, channels) aligned with `mean` (of its shape), and the alignment.

    Values 0..1; edges are repeated where the photograph ends. A photograph without an alignment, or with one beyond
    `max_shift` pixels or `max_turn` degrees, is returned unchanged, with `registered` False.
    """
    import cv2

    if motion == "none":
        return photo, Alignment(0.0, 0.0, 0.0, 1.0, True)
    model = cv2.MOTION_EUCLIDEAN if motion == "rigid" else cv2.MOTION_TRANSLATION
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, MAX_ITERATIONS, EPSILON)
    start = np.eye(2, 3, dtype=np.float32)
    try:
        correlation, warp = cv2.findTransformECC(_grey(mean), _grey(photo), start, model, criteria, None, BLUR_PIXELS)
    except cv2.error:  # it did not converge, or one of the two is flat
        return photo, Alignment(0.0, 0.0, 0.0, 0.0, False)
    alignment = _alignment(warp, photo.shape, correlation, max_shift, max_turn)
    if not alignment.registered:
        return photo, alignment
    size = (photo.shape[1], photo.shape[0])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(photo, warp, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), alignment


def _alignment(
    warp: np.ndarray, shape: tuple[int, ...], correlation: float, max_shift: float, max_turn: float
) -> Alignment:
    """The warp (2, 3), which turns about the corner, as a shift of the middle and a turn."""
    middle = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2])
    right, down = (warp[:, :2] @ middle + warp[:, 2] - middle).tolist()
    turn = math.degrees(math.atan2(warp[1, 0], warp[0, 0]))
    within_limits = math.hypot(right, down) <= max_shift and abs(turn) <= max_turn
    return Alignment(right, down, turn, float(correlation), within_limits and correlation >= MIN_CORRELATION)


def _grey(photo: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(photo if photo.ndim == 2 else photo.mean(axis=2), np.float32)
