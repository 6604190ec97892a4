"""The confusion matrix of the modes, and the embeddings projected on two axes."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from tasks.report.pictures import COLOURS, Picture, chart

MOST_NUMBERED = 25  # modes whose confusions are written as numbers
MOST_POINTS = 1200  # of the projection; more hide one another
MOST_MARKED = 10  # modes that can be told apart in the projection


@dataclass(frozen=True)
class Confusion:
    """The confusion matrix.

    cells: row, column, share of the row (0..1), colour, ink; mistakes: mode, predicted mode, count, n
    of the mode, the most frequent first; `size` is a cell's side in CSS pixels. `numbered` says whether cells are
    written in, `by_number` whether names are too long to head the columns.
    """

    names: list[str]
    cells: list[tuple[int, int, float, str, str]]
    mistakes: list[tuple[int, int, int, int]]
    size: int
    numbered: bool
    by_number: bool


def confusion(names: list[str], mode: np.ndarray, distances: np.ndarray, most: int = 8) -> Confusion:
    """The nearest prototype of every test record, row-normalised: rows are the true modes.

    names: of the m modes; mode: (n,) each record's own code; distances: (n, m) to the modes' prototypes.
    """
    count = len(names)
    table = np.zeros((count, count), np.int64)
    np.add.at(table, (mode, distances.argmin(axis=1)), 1)
    total = table.sum(axis=1)
    shades = mpl.colormaps["Blues"]
    cells = []
    for row, column in np.argwhere(table):
        share = float(table[row, column] / total[row])
        ink = "#fff" if share > 0.55 else "#1a1a1a"
        cells.append((int(row), int(column), share, mpl.colors.to_hex(shades(0.08 + 0.9 * share)), ink))
    wrong = [(int(r), int(c), int(table[r, c]), int(total[r])) for r, c in np.argwhere(table) if r != c]
    wrong.sort(key=lambda cell: (-cell[2], cell[3], cell[:2]))
    size = 36 if count <= 12 else 26 if count <= MOST_NUMBERED else max(6, 660 // count)
    long = count > MOST_NUMBERED or max(map(len, names)) > 4
    return Confusion(names, cells, wrong[:most], size, count <= MOST_NUMBERED, long)


def confusion_picture(table: Confusion) -> Picture:
    """The matrix as a picture of its own; modes by their number from 1, since no text of a dataset enters a picture."""
    count = len(table.names)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for row, column, share, colour, ink in table.cells:
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, color=colour, lw=0))
            if table.numbered:
                axes.text(column, row, f"{100 * share:.0f}", color=ink, ha="center", va="center", fontsize=7.5)
        places = range(0, count, -(-count // MOST_NUMBERED))
        axes.set(xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5), aspect="equal", xticks=places, yticks=places)
        axes.set(xlabel="mode of the nearest prototype", ylabel="true mode", title="Per cent of the row")
        axes.set(xticklabels=[place + 1 for place in places], yticklabels=[place + 1 for place in places])
        axes.grid(visible=False)

    right = sum(share for row, column, share, *_ in table.cells if row == column) / max(count, 1)
    return chart(draw, f"confusion matrix of {count} modes; correct, as a mean over the modes: {right:.0%}", (4.9, 4.9))


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
    marked = [int(code) for code in np.unique(mode)]
    if len(marked) > MOST_MARKED:
        marked = sorted(sorted(marked, key=lambda code: (accuracy.get(code, 1.0), code))[: MOST_MARKED - 2])
    shapes = _shapes()
    marks = [Mark(code, COLOURS[i % len(COLOURS)], _path(shapes[i])) for i, code in enumerate(marked)]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        rest = ~np.isin(mode[rows], marked)
        axes.scatter(*points[rest].T, s=7, color="#c4c4c4", linewidths=0)
        for i, mark in enumerate(marks):
            of_mode = points[mode[rows] == mark.code]
            axes.scatter(
                *of_mode.T, s=24, marker=shapes[i], color=mark.colour, alpha=0.8, edgecolor="white", linewidth=0.3
            )
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
