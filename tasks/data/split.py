"""Splits records into train, stop, calibrate and test before anything else is done with them.

What must stay together (a group: lot, board, part; or a component of linked records) is one unit.
Units are ordered within their mode by a hash of their own name, not shuffled, so that a record keeps
its side when the next dataset version brings more: the champion has then not trained on the test.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

PARTS = ("train", "stop", "calibrate", "test")


def split_units(units: np.ndarray, modes: np.ndarray, shares: Sequence[float], seed: int) -> np.ndarray:
    """The part (index into PARTS) of every record.

    units: (n,) names; records with the same name stay together. modes: (n,) int codes, by which the
    split is stratified (a unit counts for its commonest mode). shares: of the four parts, in order.
    A part with a share gets one unit at least, and two modes, as long as there are that many to spare.
    """
    names, inverse, weight = np.unique(units, return_inverse=True, return_counts=True)
    held = _records_of(inverse, modes, len(names))
    stratum = held.argmax(axis=1)
    place = np.array([_place(name, seed) for name in names])
    sides = np.empty(len(names), np.int8)
    edges = np.cumsum(shares) / np.sum(shares)
    for mode in np.unique(stratum):
        members = np.flatnonzero(stratum == mode)
        members = members[np.argsort(place[members], kind="stable")]
        middle = (np.cumsum(weight[members]) - weight[members] / 2) / weight[members].sum()
        sides[members] = np.searchsorted(edges[:-1], middle, side="right")
    _fill_poor(sides, held > 0, np.lexsort((place, weight)), np.asarray(shares))
    return sides[inverse]


def _place(name: str | bytes, seed: int) -> float:
    """A number in [0, 1) that depends on nothing but the unit's name and the seed."""
    raw = name if isinstance(name, bytes) else str(name).encode()
    digest = hashlib.blake2b(raw, digest_size=8, key=str(seed).encode()).digest()
    return int.from_bytes(digest, "big") / 2**64


def _records_of(inverse: np.ndarray, modes: np.ndarray, count: int) -> np.ndarray:
    """How many records of each mode every unit holds, (units, modes)."""
    table = np.zeros((count, int(modes.max()) + 1), np.int64)
    np.add.at(table, (inverse, modes), 1)
    return table


def _fill_poor(sides: np.ndarray, held: np.ndarray, smallest: np.ndarray, shares: np.ndarray) -> None:
    """Give every part a unit, and then a second mode: no triplet can be made of one.

    Each comes from the part that has the most units, the smallest first, and never a mode's last unit
    there unless the part would stay empty. held: (units, modes) bool; smallest: the order of giving.
    """
    for part in (0, 3, 2, 1) * 2:
        known = held[sides == part].any(axis=0)
        counts = np.bincount(sides, minlength=len(shares))
        counts[part] = 0
        if not shares[part] or known.sum() > 1 or counts.max() < 2:
            continue
        giver = sides == counts.argmax()
        wanted = ~known & (held[giver].sum(axis=0) > 1) if known.any() else ~known
        offered = smallest[(giver & held[:, wanted].any(axis=1))[smallest]]
        sides[offered[:1]] = part


def components(count: int, edges: np.ndarray) -> np.ndarray:
    """The connected component (n,) of each of `count` records linked by `edges` (m, 2)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(edges), np.int8)
    graph = coo_array((ones, (edges[:, 0], edges[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1]
