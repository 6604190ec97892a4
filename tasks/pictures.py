"""The report's pictures of maps, embeddings and mistaken modes, small enough to be inlined.

No text from the dataset enters a picture: names stand in the page beside it, where they are escaped,
wrap, and are set in a font that has their letters.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imsave

from tasks.evidence import Example

# Okabe and Ito's colours, which the colour-blind can tell apart; their yellow is too pale for paper.
BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY, BLACK = (
    "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#000000",
)  # fmt: skip
COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY, BLACK)
GREY = "#8a8a8a"
STYLE = {
    "svg.hashsalt": "kensa",  # else every drawing gets other ids
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that every machine draws the same
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "hatch.linewidth": 0.6,
}
MOST_POINTS = 1200  # of the projection; more hide one another
MOST_MARKED = 10


@dataclass(frozen=True)
class Picture:
    """A data URI, its alternative text, and its size in CSS pixels."""

    uri: str
    alt: str
    width: int
    height: int


def chart(draw: Callable[[Figure], None], alt: str, size: tuple[float, float] = (4.9, 3.2)) -> Picture:
    """What `draw` puts into a figure of `size` (inches), as an SVG that is the same byte for byte every time."""
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return Picture(_uri("svg+xml", buffer), alt, round(size[0] * 96), round(size[1] * 96))


def _uri(kind: str, buffer: io.BytesIO) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _pixels(shares: np.ndarray, alt: str, across: int = 240) -> Picture:
    """A map of shares 0..1 in cividis, enlarged without smoothing or thinned to about `across` pixels."""
    thin = -(-max(shares.shape) // (2 * across))
    shares = shares[::thin, ::thin]
    large = max(1, across // max(shares.shape))
    buffer = io.BytesIO()
    colours = mpl.colormaps["cividis"](shares, bytes=True)
    imsave(buffer, colours.repeat(large, axis=0).repeat(large, axis=1), format="png")
    return Picture(_uri("png", buffer), alt, shares.shape[1] * large, shares.shape[0] * large)


@dataclass(frozen=True)
class HeatMaps:
    """One triplet: the pictures of anchor, positive and negative, their colour bar, and its values from the top down.

    `rooted` says that the colour follows the value's square root.
    """

    maps: tuple[Picture, ...]
    bar: Picture
    ticks: list[float]
    rooted: bool
    example: Example


def heat_maps(example: Example) -> HeatMaps:
    """The three maps of a triplet on one scale.

    Maps without negative values are shown by their square root: a mean map is far weaker than a
    single record's peak, and would be a dark field beside it.
    """
    values = example.anchor, example.positive, example.negative
    low, high = float(min(map(np.min, values))), float(max(map(np.max, values)))
    power, span = 0.5 if low >= 0 else 1.0, (high - low) or 1.0
    alts = (
        f"heat map of the anchor, the mean map of mode {example.anchor_mode}",
        f"heat map of a record of mode {example.anchor_mode}",
        f"heat map of a record of mode {example.negative_mode}",
    )
    maps = tuple(_pixels(((one - low) / span) ** power, alt) for one, alt in zip(values, alts, strict=True))
    bar = _pixels(np.linspace(1, 0, 120)[:, None].repeat(4, axis=1), f"colour bar from {low:.3g} to {high:.3g}", 120)
    ticks = [low + span * place ** (1 / power) for place in (1.0, 0.5, 0.0)]
    return HeatMaps(maps, bar, ticks, power != 1, example)


def _shape(corners: int, turn: float, inner: float = 1.0) -> np.ndarray:
    """A polygon, or with `inner` below 1 a star, of radius 1: (points, 2)."""
    points = corners * (1 if inner == 1 else 2)
    angle = np.radians(turn) + 2 * np.pi * np.arange(points) / points
    radius = np.where(np.arange(points) % 2, inner, 1.0)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]).round(3)


def _shapes() -> list[np.ndarray]:
    triangles = [_shape(3, turn) for turn in (90, 270, 0, 180)]
    stars = [_shape(5, 90, 0.42), _shape(4, 0, 0.32), _shape(4, 45, 0.32)]
    circle, square, diamond = _shape(24, 0) * 0.85, _shape(4, 45), _shape(4, 0)
    return [circle, triangles[0], square, stars[1], diamond, triangles[1], stars[0], stars[2], *triangles[2:]]


@dataclass(frozen=True)
class Mark:
    """How a mode is drawn in the projection: its code, the colour, and an SVG path in −1..1, y down."""

    code: int
    colour: str
    path: str


@dataclass(frozen=True)
class Projection:
    """The embeddings on their two principal axes; `explained` is the axes' share of the variance."""

    picture: Picture
    marks: list[Mark]
    explained: tuple[float, float]
    points: int


def projection(embeddings: np.ndarray, mode: np.ndarray, accuracy: dict[int, float]) -> Projection:
    """PCA of embeddings (n, d) by mode (n,); where modes are many, those least accurate are marked."""
    rows = np.unique(np.linspace(0, len(mode) - 1, min(MOST_POINTS, len(mode))).astype(int))
    points, explained = _principal(np.asarray(embeddings, np.float64), rows)
    found = [int(code) for code in np.unique(mode)]
    if len(found) > MOST_MARKED:
        found = sorted(sorted(found, key=lambda code: (accuracy.get(code, 1.0), code))[: MOST_MARKED - 2])
    shapes = _shapes()
    marks = [Mark(code, COLOURS[i % len(COLOURS)], _path(shapes[i])) for i, code in enumerate(found)]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        rest = ~np.isin(mode[rows], found)
        axes.scatter(*points[rest].T, s=7, color="#c4c4c4", linewidths=0)
        for i, mark in enumerate(marks):
            own = points[mode[rows] == mark.code]
            axes.scatter(*own.T, s=24, marker=shapes[i], color=mark.colour, alpha=0.8, edgecolor="white", linewidth=0.3)
        axes.set_xlabel(f"first axis ({explained[0]:.0%} of the variance)")
        axes.set_ylabel(f"second axis ({explained[1]:.0%})")
        axes.set(xticks=[], yticks=[])  # the axes' units mean nothing

    alt = f"scatter of {len(rows)} test records on the two principal axes of their embeddings, by mode"
    return Projection(chart(draw, alt, (5.2, 4.4)), marks, explained, len(rows))


def _principal(embeddings: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """The rows on the two first principal axes of all, each axis with its largest entry positive."""
    centred = embeddings - embeddings.mean(axis=0)
    variance, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    points = centred[rows] @ axes
    total = max(float(variance.sum()), 1e-12)
    shares = [max(float(value), 0.0) / total for value in variance[::-1][:2]]
    if len(shares) < 2:  # an embedding of one value has no second axis
        return np.column_stack([points, np.zeros(len(points))]), (shares[0], 0.0)
    return points, (shares[0], shares[1])


def _path(shape: np.ndarray) -> str:
    return "M" + "L".join(f"{x:g} {-y:g}" for x, y in shape) + "Z"
