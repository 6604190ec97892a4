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
    A part with a share gets one unit at least, as long as there are that many units.
    """
    names, inverse, weight = np.unique(units, return_inverse=True, return_counts=True)
    stratum = _commonest(inverse, modes, len(names))
    place = np.array([_place(name, seed) for name in names])
    sides = np.empty(len(names), np.int8)
    edges = np.cumsum(shares) / np.sum(shares)
    for mode in np.unique(stratum):
        members = np.flatnonzero(stratum == mode)
        members = members[np.argsort(place[members], kind="stable")]
        middle = (np.cumsum(weight[members]) - weight[members] / 2) / weight[members].sum()
        sides[members] = np.searchsorted(edges[:-1], middle, side="right")
    _fill_empty(sides, weight, place, np.asarray(shares))
    return sides[inverse]


def _place(name: str | bytes, seed: int) -> float:
    """A number in [0, 1) that depends on nothing but the unit's name and the seed."""
    raw = name if isinstance(name, bytes) else str(name).encode()
    digest = hashlib.blake2b(raw, digest_size=8, key=str(seed).encode()).digest()
    return int.from_bytes(digest, "big") / 2**64


def _commonest(inverse: np.ndarray, modes: np.ndarray, count: int) -> np.ndarray:
    table = np.zeros((count, int(modes.max()) + 1), np.int64)
    np.add.at(table, (inverse, modes), 1)
    return table.argmax(axis=1)


def _fill_empty(sides: np.ndarray, weight: np.ndarray, place: np.ndarray, shares: np.ndarray) -> None:
    """Give every empty part the smallest unit of the part that has the most units to spare."""
    for part in (0, 3, 2, 1):
        counts = np.bincount(sides, minlength=len(shares))
        if counts[part] or not shares[part] or counts.max() < 2:
            continue
        donors = np.flatnonzero(sides == counts.argmax())
        sides[donors[np.lexsort((place[donors], weight[donors]))[0]]] = part


def components(count: int, edges: np.ndarray) -> np.ndarray:
    """The connected component (n,) of each of `count` records linked by `edges` (m, 2)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(edges), np.int8)
    graph = coo_array((ones, (edges[:, 0], edges[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1]
