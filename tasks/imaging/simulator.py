"""Draws photographs of a simulated ring terminal: a bright stamped ring with a crimp barrel on a dark ground.

`u` runs right and `v` down, in pixels from the photograph's centre.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

HEIGHT, WIDTH = 144, 156  # pixels; the part's own coordinates (u right, v down) are pixels from the centre

RING_V, RING, HOLE = -18.0, 48.0, 18.0  # centre of the ring, its radius, the radius of its hole
BARREL_V, BARREL_U, BARREL_HALF = 44.0, 31.0, 22.0  # centre of the crimp barrel, half its width, half its height
LEFT, TOP, CELL_U, CELL_V = -48.0, -66.0, 32.0, 44.0  # the 3 × 3 grid over the part
MODES = 10  # good, and a defect in each of nine cells
GROUND, METAL = 0.07, 0.60  # grey values
CONTOUR, SURFACE = ("nick", "dent"), ("pit", "scratch", "stain")  # kinds of defect

Pixels = NDArray[np.float32]


class Setup(NamedTuple):
    """How one part differs from the nominal one: pixels, degrees, shares of the brightness."""

    shift_u: float
    shift_v: float
    turn: float
    ring: float
    hole: float
    crimp: float
    light: float
    slope_u: float
    slope_v: float


DEVIATION = Setup(0.5, 0.5, 0.5, 0.25, 0.2, 0.6, 0.04, 0.05, 0.05)  # from part to part
LOT_SHARE = 0.5  # of that from lot to lot


class Defect(NamedTuple):
    """One defect at (u, v); `size` and `strength` are factors around 2 and 1.2."""

    kind: str
    u: float
    v: float
    angle: float
    size: float
    strength: float


def perturb_setup(rng: Generator, about: Setup, share: float = 1.0) -> Setup:
    """A setup near `about`, with normal deviations of `share` times DEVIATION."""
    return Setup(*(np.array(about) + share * np.array(DEVIATION) * rng.standard_normal(len(about))).tolist())


def render_photograph(rng: Generator, lot: Setup, mode: int) -> Pixels:
    """One part of `lot` (144, 156): its outline and surface, a defect of either, the light, the camera."""
    if not 0 <= mode < MODES:
        raise ValueError(f"expected a mode of 0 to {MODES - 1}, received {mode}")
    part = perturb_setup(rng, lot)
    defect = _defect(rng, mode, part) if mode else None
    u, v = _part_coordinates(part)
    depth = _depth(u, v, part)
    depth = _deform(depth, u, v, defect) if defect and defect.kind in CONTOUR else depth
    metal = _surface(u, v, depth, part, rng)
    metal = _blemish(metal, u, v, defect) if defect and defect.kind not in CONTOUR else metal
    cover = np.clip(depth / 1.6 + 0.5, 0, 1)  # the lens spreads the edge over 1.6 pixels
    light = 1 + part.light + (part.slope_u * u + part.slope_v * v) / 60
    image = (GROUND + cover * (metal - GROUND)) * light
    # Read noise and shot noise, of about two grey levels on the ground and three on the metal; then 8 bits.
    image += rng.standard_normal(image.shape, dtype=np.float32) * np.sqrt(4e-5 + 2e-4 * np.maximum(image, 0))
    return np.rint(np.clip(image, 0, 1) * 255) / np.float32(255)


def _part_coordinates(part: Setup) -> tuple[Pixels, Pixels]:
    """u and v (144, 156) of every pixel, for a part that lies turned and shifted."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    x, y = x - ((WIDTH - 1) / 2 + part.shift_u), y - ((HEIGHT - 1) / 2 + part.shift_v)
    cos, sin = float(np.cos(np.deg2rad(part.turn))), float(np.sin(np.deg2rad(part.turn)))
    return cos * x + sin * y, cos * y - sin * x


def _depth(u: NDArray, v: NDArray, part: Setup) -> NDArray:
    """The depth of the points inside the metal in pixels, negative outside: a signed distance."""
    radius = np.hypot(u, v - RING_V)
    ring = radius - (RING + part.ring)
    beside, beyond = np.abs(u) - (BARREL_U + part.crimp - 5), np.abs(v - BARREL_V) - (BARREL_HALF - 5)
    barrel = np.hypot(np.maximum(beside, 0), np.maximum(beyond, 0)) + np.minimum(np.maximum(beside, beyond), 0) - 5
    neck = np.maximum(12 - np.abs(ring - barrel), 0)  # rounds the two into one another
    return -np.maximum(np.minimum(ring, barrel) - neck * neck / 48, HOLE + part.hole - radius)


def _surface(u: Pixels, v: Pixels, depth: Pixels, part: Setup, rng: Generator) -> Pixels:
    """Brightness of metal without a defect, lit from the upper left: bevelled edges, rolling traces, rolled barrel."""
    down, right = np.gradient(depth)
    bevel = np.exp(-np.square((depth - 1.5) / 2.2)) * (0.26 * right + 0.20 * down)
    trace = np.convolve(rng.normal(0, 0.03, WIDTH + 8), np.ones(3) / 3, "same").astype(np.float32)
    flat = METAL + np.take(trace, (u + (WIDTH / 2 + 4)).astype(np.int32), mode="clip") + bevel
    across = u / (BARREL_U + part.crimp)
    rolled = 0.02 + 0.75 * np.sqrt(np.maximum(1 - across * across, 0.02)) + 0.4 * bevel
    rolled += 0.28 * np.exp(-np.square((across + 0.42) / 0.15))  # the highlight
    rolled -= 0.34 * np.exp(-np.square(u / 1.8))  # the seam
    rolled -= 0.14 * np.exp(-np.square((np.abs(v - BARREL_V) - 9) / 1.6))  # two crimp grooves
    barrel = _sigmoid((v - (BARREL_V - BARREL_HALF + 1)) / 1.3)
    return flat + barrel * (rolled - flat)


def _sigmoid(x: Pixels) -> Pixels:
    return 1 / (1 + np.exp(-np.clip(x, -20, 20)))


def _defect(rng: Generator, mode: int, part: Setup) -> Defect:
    """A defect in the cell of `mode`: nick and dent on the contour, the others on the metal."""
    kind = (CONTOUR + SURFACE)[rng.integers(5)]
    row, col = divmod(mode - 1, 3)
    u = LEFT + (col + rng.beta(8, 8, 48)) * CELL_U
    v = TOP + (row + rng.beta(8, 8, 48)) * CELL_V
    depth = _depth(u, v, part)
    place = np.abs(depth).argmin() if kind in CONTOUR else (depth > 2.5).argmax()
    angle, size, strength = rng.uniform(-np.pi, np.pi), 2 * rng.lognormal(0, 0.25), 1.2 * rng.lognormal(0, 0.7)
    return Defect(kind, float(u[place]), float(v[place]), float(angle), float(size), float(strength))


def _deform(depth: Pixels, u: Pixels, v: Pixels, defect: Defect) -> Pixels:
    """The outline with its nick (metal torn out) or dent (metal pushed in or out)."""
    away = np.hypot(u - defect.u, v - defect.v)
    if defect.kind == "nick":
        return np.minimum(depth, away - min(2.8 * defect.size * defect.strength, 11.0))
    push = float(np.sign(defect.angle)) * min(2.2 * defect.strength, 6.0)
    return depth - push * np.exp(-np.square(away / (6 * defect.size)))


def _blemish(metal: Pixels, u: Pixels, v: Pixels, defect: Defect) -> Pixels:
    """The surface with its scratch (bright or dark), stain or pit (dark, with a faint lip)."""
    cos, sin = float(np.cos(defect.angle)), float(np.sin(defect.angle))
    along, across = cos * (u - defect.u) + sin * (v - defect.v), cos * (v - defect.v) - sin * (u - defect.u)
    if defect.kind == "scratch":
        end = np.maximum(np.abs(along) - 8 * defect.size, 0)
        bright = 0.2 * float(np.sign(defect.angle)) * min(defect.strength, 2.5)
        return metal + bright * np.exp(-np.square(across / 1.1) - np.square(end))
    if defect.kind == "stain":
        away = np.hypot(along / 1.4, across) * (1 + 0.2 * np.sin(3 * np.arctan2(across, along)))
        return metal * (1 - min(0.17 * defect.strength, 0.7) * _sigmoid(7 * defect.size - away))
    away = np.hypot(along, across) / (4 * defect.size)
    return metal * (1 - min(0.45 * defect.strength, 0.9) * np.exp(-np.square(away)) * (1 - 0.6 * away))
