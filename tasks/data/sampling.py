"""Offline triplets: those of the source that stay within one part of the split, and generated ones."""

from __future__ import annotations

import numpy as np

from tasks.data.split import PARTS


def triplets_by_part(
    mode: np.ndarray, part: np.ndarray, pairs: np.ndarray, per_record: int, replace_crossing: bool, seed: int
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """The triplets (t, 3) of every part as (mode code of the anchor, positive row, negative row), and counts.

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
        rows = np.flatnonzero(part == code)
        rng = np.random.default_rng([seed, code])
        within = pairs[~crossing & (positive_part == code)]
        positives = pairs[crossing & (positive_part == code) & replace_crossing, 0]
        counts["triplets_replaced"] += len(positives)
        if not len(within) and not len(positives):
            positives = np.repeat(rows, per_record)
        part_pairs = np.concatenate([within, _with_negatives(positives, rows, mode, rng)])
        triplets[name] = np.column_stack([mode[part_pairs[:, 0]], part_pairs])
    return triplets, counts | {f"triplets_{name}": len(rows) for name, rows in triplets.items()}


def _with_negatives(positives: np.ndarray, rows: np.ndarray, mode: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each positive with a negative drawn uniformly from the records of `rows` of all other modes."""
    order = rows[np.argsort(mode[rows], kind="stable")]
    sizes = np.bincount(mode[rows], minlength=int(mode.max()) + 1)
    starts = np.cumsum(sizes) - sizes
    candidates = len(rows) - sizes[mode[positives]]
    positives, candidates = positives[candidates > 0], candidates[candidates > 0]
    drawn = rng.integers(0, candidates)
    mode_start, mode_size = starts[mode[positives]], sizes[mode[positives]]
    drawn += np.where(drawn >= mode_start, mode_size, 0)  # skip the positive's mode
    return np.column_stack([positives, order[drawn]]).astype(np.int64)
