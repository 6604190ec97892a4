"""Splits records into train, validation, calibration and test before anything else is done with them.

Records that must stay together (a group: lot, board, part; or a component of linked records) are one unit. Units are
ordered within their mode by a hash of their name, not shuffled, so that few records change their part when the next
dataset version brings more: those on which the champion was trained are left out of the comparison with it. With
fixed limits none changes its part, and the shares and modes of the parts vary more.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.data.columns import count_codes, count_distinct, count_pairs, on_disk, row_blocks, sort_by_code, take

Units = tuple[np.ndarray, Iterable[np.ndarray]]  # the code (n,) of each record's unit, and the names of all codes
Pairs = Iterable[tuple[np.ndarray, np.ndarray]]  # of units and modes (rows,)
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
    names, codes = np.unique(units, return_inverse=True)
    return split_coded_units(codes, [names], modes, shares, seed, fixed)


def split_coded_units(
    codes: np.ndarray,
    names: Iterable[np.ndarray],
    modes: np.ndarray,
    shares: Sequence[float],
    seed: int,
    fixed: bool = False,
) -> np.ndarray:
    """The same from the code (n,) of each record's unit; names: of all codes, block by block; some may be of no record.

    What is in memory is the place, the size and the modes of every unit.
    """
    place = np.concatenate([_places(block, seed) for block in names])
    weight = count_codes(codes, len(place))
    used = weight > 0
    number, kinds = np.cumsum(used) - 1, int(modes.max()) + 1
    pairs, counts = count_distinct(number[codes[rows]] * kinds + modes[rows] for rows in row_blocks(len(codes)))
    unit, mode = np.divmod(pairs, kinds)
    order = np.lexsort((mode, -counts, unit))
    stratum = mode[order[np.unique(unit[order], return_index=True)[1]]]  # the most frequent, of equal ones the first
    parts = np.zeros(len(place), np.int8)
    parts[used] = _Units(place[used], weight[used], stratum, kinds, lambda: [(unit, mode)]).split(shares, fixed)
    return take(parts, codes)


def split_records(
    hashes: Iterable[np.ndarray],
    modes: np.ndarray,
    shares: Sequence[float],
    seed: int,
    fixed: bool = False,
    folder: Path | None = None,
) -> np.ndarray:
    """The same where each record is a unit; hashes: of all records, block by block, (rows,) S32.

    The records' places are in files in `folder`.
    """
    place = on_disk((_places(block, seed) for block in hashes), np.float64, folder)

    def pairs() -> Pairs:
        return ((np.arange(rows.start, rows.stop), modes[rows]) for rows in row_blocks(len(modes)))

    return _Units(place, None, modes, int(modes.max()) + 1, pairs, folder).split(shares, fixed)


def _places(names: np.ndarray, seed: int) -> np.ndarray:
    return np.fromiter((place_of_unit(name, seed) for name in names.tolist()), np.float64, len(names))


def place_of_unit(name: str | bytes, seed: int) -> float:
    """A number in [0, 1) that depends only on the unit's name and the seed."""
    raw = name if isinstance(name, bytes) else str(name).encode()
    digest = hashlib.blake2b(raw, digest_size=8, key=str(seed).encode()).digest()
    return int.from_bytes(digest, "big") / 2**64


@dataclass(frozen=True)
class _Units:
    """The units that are split: where each lies, how many records it has (None: one), and its most frequent mode.

    place, weight, stratum: (u,) each; kinds: how many modes there are; pairs: the distinct pairs of unit and mode,
    block by block; folder: of files that are sorted.
    """

    place: np.ndarray
    weight: np.ndarray | None
    stratum: np.ndarray
    kinds: int
    pairs: Callable[[], Pairs]
    folder: Path | None = None

    def split(self, shares: Sequence[float], fixed: bool) -> np.ndarray:
        """The part (u,) int8 of each unit."""
        edges = (np.cumsum(shares) / np.sum(shares))[:-1]
        limits = np.tile(edges, (self.kinds, 1)) if fixed else self._limits(edges)
        parts = np.empty(len(self.place), np.int8)
        for rows in row_blocks(len(parts)):
            parts[rows] = (self.place[rows, None] >= limits[self.stratum[rows]]).sum(axis=1)
        self._fill_poor_parts(parts, np.asarray(shares))
        return parts

    def _limits(self, edges: np.ndarray) -> np.ndarray:
        """The place (kinds, 3) from which on a unit of each mode is in the next part: the parts have their shares."""
        sizes = count_codes(self.stratum, self.kinds)
        places = self._sorted_by_mode(self.place, sizes)
        weights = None if self.weight is None else self._sorted_by_mode(self.weight, sizes)
        limits, ends = np.full((self.kinds, len(edges)), np.inf), np.cumsum(sizes)
        for mode, rows in enumerate(map(slice, ends - sizes, ends)):
            for column, rank in enumerate(_ranks(places[rows], None if weights is None else weights[rows], edges)):
                if rank < sizes[mode]:
                    limits[mode, column] = places[rows][rank]
        return limits

    def _sorted_by_mode(self, values: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        blocks = ((values[rows], self.stratum[rows]) for rows in row_blocks(len(values)))
        return sort_by_code(blocks, sizes, values.dtype, self.folder)

    def _fill_poor_parts(self, parts: np.ndarray, shares: np.ndarray) -> None:
        """Give every part a unit, and then a second mode: a single mode gives no triplet.

        Each unit comes from the part that has the most units, the smallest first; never the last unit of its mode
        there, unless the part would stay empty.
        """
        held = None
        for part in (0, 3, 2, 1) * 2:
            if held is None:
                held = count_pairs(((parts[unit], mode) for unit, mode in self.pairs()), (len(shares), self.kinds))
            counts = np.array([np.count_nonzero(parts == code) for code in range(len(shares))])
            counts[part] = 0
            present = held[part] > 0
            if not shares[part] or present.sum() > 1 or counts.max() < 2:
                continue
            giver = counts.argmax()
            wanted = ~present & (held[giver] > 1) if present.any() else ~present
            candidates = [self._smallest(unit[(parts[unit] == giver) & wanted[mode]]) for unit, mode in self.pairs()]
            for unit in self._smallest(np.concatenate(candidates)):
                parts[unit], held = part, None

    def _smallest(self, units: np.ndarray) -> np.ndarray:
        """The unit of the fewest records, of equal ones the first by place; (1,), or (0,) of none."""
        weight = np.ones(len(units)) if self.weight is None else self.weight[units]
        return units[np.lexsort((units, self.place[units], weight))[:1]]


def _ranks(place: np.ndarray, weight: np.ndarray | None, edges: np.ndarray) -> list[int]:
    """Sort places (u,), and tell which is the first whose middle is not before each edge of the shares."""
    count = len(place)
    if weight is None:
        place.sort()
        return [bisect_left(range(count), edge, key=lambda rank: (rank + 0.5) / count) for edge in edges]
    order = np.argsort(place, kind="stable")
    place[:], weight = place[order], weight[order]
    return np.searchsorted((np.cumsum(weight) - weight / 2) / weight.sum(), edges).tolist()


def linked_components(count: int, edges: np.ndarray) -> np.ndarray:
    """The connected component (n,) of each of `count` records linked by `edges` (m, 2)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(edges), np.int8)
    graph = coo_array((ones, (edges[:, 0], edges[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1]
