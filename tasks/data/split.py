"""Splits records into train, validation, calibration and test before anything else is done with them.

Records that must stay together (a group: lot, board, part; or a component of linked records) are one unit. Units are
ordered within their mode by a hash of their name, not shuffled, so that few records change their part when the next
dataset version brings more: those on which the champion was trained are left out of the comparison with it. With
fixed limits none changes its part, and the shares and modes of the parts vary more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

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
    kinds = int(modes.max()) + 1
    pairs, counts = np.unique(inverse * kinds + modes, return_counts=True)
    unit, mode = np.divmod(pairs, kinds)
    order = np.lexsort((mode, -counts, unit))
    stratum = mode[order[np.unique(unit[order], return_index=True)[1]]]  # the most frequent, of equal ones the first
    place = _places(names, seed)
    return _split(place, weight, stratum, (unit, mode), shares, fixed)[inverse]


def split_records(
    hashes: Iterable[np.ndarray], modes: np.ndarray, shares: Sequence[float], seed: int, fixed: bool = False
) -> np.ndarray:
    """The same where each record is a unit; hashes: of all records, block by block, (rows,) S32."""
    place = np.concatenate([_places(block, seed) for block in hashes])
    every = np.arange(len(place), dtype=np.int32)
    return _split(place, np.ones(len(place), np.int8), modes, (every, modes), shares, fixed)


def _places(names: np.ndarray, seed: int) -> np.ndarray:
    return np.fromiter((place_of_unit(name, seed) for name in names.tolist()), np.float64, len(names))


def _split(
    place: np.ndarray,
    weight: np.ndarray,
    stratum: np.ndarray,
    holds: tuple[np.ndarray, np.ndarray],
    shares: Sequence[float],
    fixed: bool,
) -> np.ndarray:
    """The part of each unit, from its place, its number of records, its mode, and all pairs of unit and mode."""
    edges = np.cumsum(shares) / np.sum(shares)
    parts = np.searchsorted(edges[:-1], place, side="right").astype(np.int8)
    for mode in [] if fixed else np.unique(stratum):
        members = np.flatnonzero(stratum == mode)
        members = members[np.argsort(place[members], kind="stable")]
        middle = (np.cumsum(weight[members], dtype=np.int64) - weight[members] / 2) / weight[members].sum(
            dtype=np.int64
        )
        parts[members] = np.searchsorted(edges[:-1], middle, side="right")
    _fill_poor_parts(parts, holds, np.lexsort((place, weight)), np.asarray(shares))
    return parts


def place_of_unit(name: str | bytes, seed: int) -> float:
    """A number in [0, 1) that depends only on the unit's name and the seed."""
    raw = name if isinstance(name, bytes) else str(name).encode()
    digest = hashlib.blake2b(raw, digest_size=8, key=str(seed).encode()).digest()
    return int.from_bytes(digest, "big") / 2**64


def _fill_poor_parts(
    parts: np.ndarray, holds: tuple[np.ndarray, np.ndarray], smallest: np.ndarray, shares: np.ndarray
) -> None:
    """Give every part a unit, and then a second mode: a single mode gives no triplet.

    Each unit comes from the part that has the most units, the smallest first; never the last unit of its mode there,
    unless the part would stay empty. holds: unit and mode (pairs,) of all records; smallest: unit numbers by size.
    """
    unit, mode = holds
    for part in (0, 3, 2, 1) * 2:
        units_of_modes = np.bincount(mode[parts[unit] == part], minlength=int(mode.max()) + 1)
        counts = np.bincount(parts, minlength=len(shares))
        counts[part] = 0
        present = units_of_modes > 0
        if not shares[part] or present.sum() > 1 or counts.max() < 2:
            continue
        giver = parts == counts.argmax()
        given = np.bincount(mode[giver[unit]], minlength=len(present))
        wanted = ~present & (given > 1) if present.any() else ~present
        has_wanted = np.zeros(len(parts), bool)
        has_wanted[unit[wanted[mode]]] = True
        candidates = smallest[(giver & has_wanted)[smallest]]
        parts[candidates[:1]] = part


def linked_components(count: int, edges: np.ndarray) -> np.ndarray:
    """The connected component (n,) of each of `count` records linked by `edges` (m, 2)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(edges), np.int8)
    graph = coo_array((ones, (edges[:, 0], edges[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1]
