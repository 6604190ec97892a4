"""Offline triplets: those of the source that stay within one part of the split, and generated ones."""

from __future__ import annotations

import numpy as np

from tasks.data.split import PARTS

BLOCK_TRIPLETS = 1 << 20  # drawn at once


def triplets_by_part(
    mode: np.ndarray, part: np.ndarray, pairs: np.ndarray, per_record: int, replace_crossing: bool, seed: int
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """The triplets (t, 3) int32 of every part as (mode code of the anchor, positive row, negative row), and counts.

    mode: (n,) codes; part: (n,) indices into PARTS; pairs: (p, 2) positive and negative rows of a wide source.
    A pair within one mode teaches nothing: it is dropped and counted. A pair across two parts is dropped and counted,
    too; with `replace_crossing` its positive gets another negative of its part. A part that is then without triplets
    gets `per_record` generated ones for each of its records.
    """
    one_mode = mode[pairs[:, 0]] == mode[pairs[:, 1]]
    counts = {"triplets_brought": len(pairs), "triplets_of_one_mode": int(one_mode.sum())}
    pairs = pairs[~one_mode]
    positive_part = part[pairs[:, 0]]
    crossing = positive_part != part[pairs[:, 1]]
    counts |= {"triplets_crossing": int(crossing.sum()), "triplets_replaced": 0}
    triplets: dict[str, np.ndarray] = {}
    for code, name in enumerate(PARTS):
        rows = np.flatnonzero(part == code).astype(np.int32)
        rng = np.random.default_rng([seed, code])
        within = pairs[~crossing & (positive_part == code)].astype(np.int32)
        positives = pairs[crossing & (positive_part == code) & replace_crossing, 0].astype(np.int32)
        counts["triplets_replaced"] += len(positives)
        if not len(within) and not len(positives):
            positives = np.repeat(rows, per_record)
        part_pairs = np.concatenate([within, _with_negatives(positives, rows, mode, rng)])
        triplets[name] = np.column_stack([mode[part_pairs[:, 0]].astype(np.int32), part_pairs])
    return triplets, counts | {f"triplets_{name}": len(rows) for name, rows in triplets.items()}


def _with_negatives(positives: np.ndarray, rows: np.ndarray, mode: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each positive with a negative drawn uniformly from the records of `rows` of all other modes."""
    order = rows[np.argsort(mode[rows], kind="stable")]
    sizes = np.bincount(mode[rows], minlength=int(mode.max()) + 1)
    starts = np.cumsum(sizes) - sizes
    blocks = [np.empty((0, 2), np.int32)]
    for start in range(0, len(positives), BLOCK_TRIPLETS):
        block = positives[start : start + BLOCK_TRIPLETS]
        candidates = len(rows) - sizes[mode[block]]
        block, candidates = block[candidates > 0], candidates[candidates > 0]
        drawn = rng.integers(0, candidates)
        mode_start, mode_size = starts[mode[block]], sizes[mode[block]]
        drawn += np.where(drawn >= mode_start, mode_size, 0)  # skip the positive's mode
        blocks.append(np.column_stack([block, order[drawn]]))
    return np.concatenate(blocks)
