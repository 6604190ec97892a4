"""Splits records into train, validation, calibration and test before anything else is done with them.

Records that must stay together (a group: lot, board, part; or a component of linked records) are one unit. Units are
ordered within their mode by a hash of their name, not shuffled, so that few records change their part when the next
dataset version brings more: those on which the champion was trained are left out of the comparison with it. With
fixed limits none changes its part, and the shares and modes of the parts vary more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

PARTS = ("train", "stop", "calibrate", "test")  # as they are stored
FITTED_PARTS = PARTS[:3]  # that training and calibration read
PART_TITLES = {"train": "train", "stop": "validation", "calibrate": "calibration", "test": "test"}  # as people read


def split_units(
    units: np.ndarray, modes: np.ndarray, shares: Sequence[float], seed: int, fixed: bool = False
) -> np.ndarray:
    """The part (index into PARTS) of every record, (n,) int8.

    units: (n,) names; records with the same name stay together. modes: (n,) int codes, by which the split is
    stratified (a unit counts for its most frequent mode). shares: of the four parts, in order. A part with a share
    gets at least one unit, and two modes, as long as there are enough. fixed: a unit's part depends on its name and the
    seed alone, and nothing is stratified, but where a part would lack units or a second mode.
    """
    names, inverse, weight = np.unique(units, return_inverse=True, return_counts=True)
    counts = _mode_counts(inverse, modes, len(names))
    stratum = counts.argmax(axis=1)
    place = np.array([place_of_unit(name, seed) for name in names])
    edges = np.cumsum(shares) / np.sum(shares)
    parts = np.searchsorted(edges[:-1], place, side="right").astype(np.int8)
    for mode in [] if fixed else np.unique(stratum):
        members = np.flatnonzero(stratum == mode)
        members = members[np.argsort(place[members], kind="stable")]
        middle = (np.cumsum(weight[members]) - weight[members] / 2) / weight[members].sum()
        parts[members] = np.searchsorted(edges[:-1], middle, side="right")
    _fill_poor_parts(parts, counts > 0, np.lexsort((place, weight)), np.asarray(shares))
    return parts[inverse]


def place_of_unit(name: str | bytes, seed: int) -> float:
    """A number in [0, 1) that depends only on the unit's name and the seed."""
    raw = name if isinstance(name, bytes) else str(name).encode()
    digest = hashlib.blake2b(raw, digest_size=8, key=str(seed).encode()).digest()
    return int.from_bytes(digest, "big") / 2**64


def _mode_counts(inverse: np.ndarray, modes: np.ndarray, units: int) -> np.ndarray:
    """The number of records of each mode in every unit, (units, modes)."""
    table = np.zeros((units, int(modes.max()) + 1), np.int64)
    np.add.at(table, (inverse, modes), 1)
    return table


def _fill_poor_parts(parts: np.ndarray, holds: np.ndarray, smallest: np.ndarray, shares: np.ndarray) -> None:
    """Give every part a unit, and then a second mode: a single mode gives no triplet.

    Each unit comes from the part that has the most units, the smallest first; never the last unit of its mode there,
    unless the part would stay empty. holds: (units, modes) bool; smallest: unit numbers by size.
    """
    for part in (0, 3, 2, 1) * 2:
        present = holds[parts == part].any(axis=0)
        counts = np.bincount(parts, minlength=len(shares))
        counts[part] = 0
        if not shares[part] or present.sum() > 1 or counts.max() < 2:
            continue
        giver = parts == counts.argmax()
        wanted = ~present & (holds[giver].sum(axis=0) > 1) if present.any() else ~present
        candidates = smallest[(giver & holds[:, wanted].any(axis=1))[smallest]]
        parts[candidates[:1]] = part


def linked_components(count: int, edges: np.ndarray) -> np.ndarray:
    """The connected component (n,) of each of `count` records linked by `edges` (m, 2)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(edges), np.int8)
    graph = coo_array((ones, (edges[:, 0], edges[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1]
