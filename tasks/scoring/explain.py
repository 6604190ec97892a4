"""Why a map got its verdict: level or shape, where the tower looks, and what it is like.

Three answers that need no trust in one another. RT's decomposition compares the raw map x with the mean
map m of the nearest mode: |x − m|² = (β − 1)² r + S_e, the level's part and the shape's, cell by cell.
Revealing asks the tower: a small window of the part is laid on an otherwise usual map, and where that
alone raises the score most, there lies what the verdict rests on. The nearest training records show what
the part is like.

Revealing finds the place of a defect more often than hiding does, or than the gradient times the
difference (300 defects on boards never seen: .91 against .80 and .88, docs/verdicts.md): what one
window hides, another still shows, and a score far beyond the threshold hardly moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from tasks.registry.loading import LoadedRelease
from tasks.scoring.examples import ScoredRecord
from tasks.scoring.verdicts import anomaly_score

WINDOW_DIVISOR = (
    6  # of the map's side is a window's; a third of that lies between two, so that a map takes 300 looks at most
)
HALF_MAXIMUM = 0.5  # of the largest rise of the score: the cells around it that are as hot belong to the place
SHOWN_NEIGHBOURS = 3


@dataclass(frozen=True)
class Region:
    """A part of the map: first and last row and column, from 1, and where that lies, such as `upper left`."""

    rows: tuple[int, int]
    cols: tuple[int, int]
    where: str


@dataclass(frozen=True)
class Neighbour:
    """A training record that the release keeps: its map (rows, cols), its distance, its mode and group."""

    map: np.ndarray
    distance: float
    mode: str
    group: str


@dataclass(frozen=True)
class Explanation:
    """Of one case; maps are (rows, cols), in the map's unit.

    map, anchor: the record, and the mean map of the nearest mode. level: (β − 1)·m, what the change of level
    is in each cell; shape: x − βm, the rest. level_share: the level's part of |x − m|², 0..1. revealed: by
    how much the score rises, in its own unit, where a window around the cell is all that a usual map has of
    the part. place: where it rises most, None where it rises nowhere. neighbours: nearest first; none where the
    release keeps no training records.
    """

    case: ScoredRecord
    map: np.ndarray
    anchor: np.ndarray
    level: np.ndarray
    shape: np.ndarray
    level_share: float
    revealed: np.ndarray
    place: Region | None
    neighbours: tuple[Neighbour, ...]


def explain(opened: LoadedRelease, cases: list[ScoredRecord]) -> list[Explanation]:
    """The reasons for each case, in order."""
    return [_explain(opened, case) for case in cases]


def _explain(opened: LoadedRelease, case: ScoredRecord) -> Explanation:
    size = opened.data.rows, opened.data.cols
    x, m = case.map.astype(np.float64), opened.anchors[case.nearest]
    level, shape = (case.beta - 1) * m, x - case.beta * m
    squares = float(np.square(level).sum()), float(np.square(shape).sum())
    heat = insertion_heatmap(opened, case)
    return Explanation(
        case,
        *(values.reshape(size) for values in (x, m, level, shape)),
        level_share=squares[0] / sum(squares) if any(squares) else 0.0,
        revealed=heat,
        place=hottest_region(heat),
        neighbours=_neighbours(opened, case),
    )


def reference_map(opened: LoadedRelease, case: ScoredRecord) -> np.ndarray:
    """The usual map (values,): the mean good one, or that of the nearest mode without good ones.

    The mean of the good training records that the release keeps; a release from before keeps none.
    """
    gallery = opened.gallery
    if opened.judge.good is None or gallery is None or not gallery.good.any():
        return opened.anchors[case.nearest].astype(np.float32)
    return gallery.maps[gallery.good].mean(axis=0)


def insertion_heatmap(opened: LoadedRelease, case: ScoredRecord) -> np.ndarray:
    """By how much each cell's windows (rows, cols), laid on the usual map, raise its score; below zero, they lower it.

    A cell has the mean of the windows that hold it. Without a good prototype the distance to the nearest
    mode stands for the score, and what is far from its mean map is found.
    """
    size = opened.data.rows, opened.data.cols
    windows = [(r, c) for r in _windows(size[0]) for c in _windows(size[1])]
    part, blank = case.map.reshape(size), reference_map(opened, case).reshape(size)
    shown = np.repeat(blank[None], len(windows) + 1, axis=0)
    for one, window in zip(shown, windows, strict=False):  # the last shows nothing
        one[window] = part[window]
    *scores, nothing = _anomaly_score(opened, shown.reshape(len(shown), -1), case.nearest)
    total, covered = np.zeros(size), np.zeros(size)
    for score, window in zip(scores, windows, strict=True):
        total[window] += score - nothing
        covered[window] += 1
    return total / covered


def _windows(cells: int) -> list[slice]:
    """Overlapping windows over one side, the last at its end."""
    long = max(1, cells // WINDOW_DIVISOR)
    starts = [*range(0, cells - long, max(1, long // 3)), cells - long]
    return [slice(start, start + long) for start in starts]


def _anomaly_score(opened: LoadedRelease, maps: np.ndarray, nearest: int) -> np.ndarray:
    embedded = opened.judge.embed(maps)
    if opened.judge.good is not None:
        return anomaly_score(opened, embedded, maps)
    return opened.judge.distance.to_prototypes(embedded, opened.judge.prototypes)[:, nearest]


def hottest_region(heat: np.ndarray) -> Region | None:
    """The connected cells around the hottest that are at least half as hot; None where none is above zero."""
    top = float(heat.max())
    if not top > 0:
        return None
    parts, _ = ndimage.label(heat >= HALF_MAXIMUM * top)
    hottest = np.unravel_index(int(heat.argmax()), heat.shape)
    rows, cols = ndimage.find_objects(parts)[parts[hottest] - 1]
    middle = ((rows.start + rows.stop) / 2 / heat.shape[0], (cols.start + cols.stop) / 2 / heat.shape[1])
    return Region((rows.start + 1, rows.stop), (cols.start + 1, cols.stop), _where(*middle))


def _where(down: float, across: float) -> str:
    """Where a point lies, by thirds of the map: shares 0..1 from the top and from the left."""
    vertical = ("upper", "middle", "lower")[min(int(3 * down), 2)]
    horizontal = ("left", "middle", "right")[min(int(3 * across), 2)]
    if vertical == horizontal:
        return "centre"
    return f"{vertical} {horizontal}"


def _neighbours(opened: LoadedRelease, case: ScoredRecord) -> tuple[Neighbour, ...]:
    gallery = opened.gallery
    if gallery is None or not len(gallery):
        return ()
    (rows,), (distances,) = gallery.nearest(opened.judge.distance, case.embedded[None], SHOWN_NEIGHBOURS)
    size, modes = (opened.data.rows, opened.data.cols), opened.judge.modes
    return tuple(
        Neighbour(gallery.maps[row].reshape(size), float(far), modes[gallery.mode[row]], str(gallery.group[row]))
        for row, far in zip(rows, distances, strict=True)
    )
