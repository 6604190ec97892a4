"""Offline triplets: those of the source that stay within one part of the split, and generated ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.core.npz import ArrayBlocks
from tasks.data.columns import count_pairs, row_blocks, sort_by_code
from tasks.data.split import PARTS

BLOCK_TRIPLETS = 1 << 16  # drawn at once


def triplets_by_part(
    mode: np.ndarray, part: np.ndarray, pairs: np.ndarray, per_record: int, replace_crossing: bool, seed: int
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """The triplets of `triplet_blocks_by_part` as arrays in memory, and counts."""
    triplets, counts = triplet_blocks_by_part(mode, part, pairs, per_record, replace_crossing, seed)
    return {name: blocks.array() for name, blocks in triplets.items()}, counts


def triplet_blocks_by_part(
    mode: np.ndarray,
    part: np.ndarray,
    pairs: np.ndarray,
    per_record: int,
    replace_crossing: bool,
    seed: int,
    folder: Path | None = None,
) -> tuple[dict[str, ArrayBlocks], dict[str, int]]:
    """The triplets (t, 3) int32 of every part as (mode code of the anchor, positive row, negative row), and counts.

    mode: (n,) codes; part: (n,) indices into PARTS; pairs: (p, 2) positive and negative rows of a wide source.
    A pair within one mode teaches nothing: it is dropped and counted. A pair across two parts is dropped and counted,
    too; with `replace_crossing` its positive gets another negative of its part. A part that is then without triplets
    gets `per_record` generated ones for each of its records. They are drawn when the blocks are made, the same ones
    each time, with row numbers in a file in `folder`.
    """
    one_mode = mode[pairs[:, 0]] == mode[pairs[:, 1]]
    counts = {"triplets_brought": len(pairs), "triplets_of_one_mode": int(one_mode.sum())}
    pairs = pairs[~one_mode]
    positive_part = part[pairs[:, 0]]
    crossing = positive_part != part[pairs[:, 1]]
    counts |= {"triplets_crossing": int(crossing.sum()), "triplets_replaced": 0}
    blocks = ((part[rows], mode[rows]) for rows in row_blocks(len(mode)))
    sizes = count_pairs(blocks, (len(PARTS), int(mode.max(initial=0)) + 1))
    triplets: dict[str, ArrayBlocks] = {}
    for code, name in enumerate(PARTS):
        within = pairs[~crossing & (positive_part == code)].astype(np.int32)
        positives = pairs[crossing & (positive_part == code) & replace_crossing, 0].astype(np.int32)
        counts["triplets_replaced"] += len(positives)
        generated = per_record if not len(within) and not len(positives) else 0
        drawn = _DrawnTriplets(mode, part, code, sizes[code], within, positives, generated, seed, folder)
        triplets[name] = ArrayBlocks(np.dtype(np.int32), len(drawn), drawn.blocks, (3,))
    return triplets, counts | {f"triplets_{name}": len(rows) for name, rows in triplets.items()}


@dataclass(frozen=True)
class _DrawnTriplets:
    """The triplets of the part `code`: its pairs `within`, then `positives` with drawn negatives, then generated ones.

    sizes: (modes,) how many records of each mode the part has; generated: triplets for each record of the part.
    """

    mode: np.ndarray
    part: np.ndarray
    code: int
    sizes: np.ndarray
    within: np.ndarray
    positives: np.ndarray
    generated: int
    seed: int
    folder: Path | None

    def __len__(self) -> int:
        others = self.sizes.sum() - self.sizes
        brought = np.count_nonzero(others[self.mode[self.positives]])
        return len(self.within) + int(brought + self.generated * self.sizes[others > 0].sum())

    def blocks(self) -> Iterator[np.ndarray]:
        """Blocks of triplets (t, 3) int32."""
        rng = np.random.default_rng([self.seed, self.code])
        yield np.column_stack([self.mode[self.within[:, 0]], self.within])
        order = sort_by_code(self._rows_and_modes(), self.sizes, np.int32, self.folder)
        for rows in row_blocks(len(self.positives), BLOCK_TRIPLETS):
            yield self._with_negatives(self.positives[rows], order, rng)
        rows_at_once = max(1, BLOCK_TRIPLETS // max(1, self.generated))
        for rows, _ in self._rows_and_modes(rows_at_once) if self.generated else ():
            yield self._with_negatives(np.repeat(rows, self.generated), order, rng)

    def _rows_and_modes(self, block: int | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The row numbers (rows,) int32 of the part's records, and their modes, block by block."""
        for block_rows in row_blocks(len(self.part), block):
            rows = (np.flatnonzero(self.part[block_rows] == self.code) + block_rows.start).astype(np.int32)
            yield rows, self.mode[rows]

    def _with_negatives(self, positives: np.ndarray, order: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Triplets of positives (p,), each with a negative drawn uniformly from the part's records of all other modes.

        order: the part's rows by mode. Without a record of another mode there is no triplet.
        """
        mode, starts = self.mode[positives], np.cumsum(self.sizes) - self.sizes
        candidates = len(order) - self.sizes[mode]
        positives, mode, candidates = (values[candidates > 0] for values in (positives, mode, candidates))
        drawn = rng.integers(0, candidates)
        drawn += np.where(drawn >= starts[mode], self.sizes[mode], 0)  # skip the positive's mode
        return np.column_stack([mode, positives, order[drawn]])
