"""Offline triplets: those that the data brought, as far as they stay on one side, and generated ones."""

from __future__ import annotations

import numpy as np

from tasks.data.split import PARTS


def triplets_by_part(
    mode: np.ndarray, part: np.ndarray, brought: np.ndarray, per_record: int, replace_crossing: bool, seed: int
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """The triplets (t, 3) of every part as (mode code of the anchor, positive row, negative row), and counts.

    mode: (n,) codes; part: (n,) indices into PARTS; brought: (b, 2) positive and negative rows of a
    wide source. A brought triplet whose two records are of one mode teaches nothing: dropped and
    counted. One whose records lie in different parts is dropped and counted too; with
    `replace_crossing` its positive gets another negative of its own part. Parts that are then left
    without triplets get `per_record` generated ones for each record.
    """
    alike = mode[brought[:, 0]] == mode[brought[:, 1]]
    counts = {"triplets_brought": len(brought), "triplets_of_one_mode": int(alike.sum())}
    brought = brought[~alike]
    crossing = part[brought[:, 0]] != part[brought[:, 1]]
    counts |= {"triplets_crossing": int(crossing.sum()), "triplets_replaced": 0}
    made: dict[str, np.ndarray] = {}
    for code, name in enumerate(PARTS):
        rows = np.flatnonzero(part == code)
        rng = np.random.default_rng([seed, code])
        own = brought[~crossing & (part[brought[:, 0]] == code)]
        lost = brought[crossing & (part[brought[:, 0]] == code) & replace_crossing, 0]
        counts["triplets_replaced"] += len(lost)
        if not len(own) and not len(lost):
            lost = np.repeat(rows, per_record)
        pairs = np.concatenate([own, _with_negatives(lost, rows, mode, rng)])
        made[name] = np.column_stack([mode[pairs[:, 0]], pairs])
    return made, counts | {f"triplets_{name}": len(rows) for name, rows in made.items()}


def _with_negatives(positives: np.ndarray, rows: np.ndarray, mode: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each positive with a negative drawn evenly from the records of `rows` of any other mode."""
    order = rows[np.argsort(mode[rows], kind="stable")]
    sizes = np.bincount(mode[rows], minlength=int(mode.max()) + 1)
    starts = np.cumsum(sizes) - sizes
    others = len(rows) - sizes[mode[positives]]
    positives, others = positives[others > 0], others[others > 0]
    drawn = rng.integers(0, others)
    own_start, own_size = starts[mode[positives]], sizes[mode[positives]]
    drawn += np.where(drawn >= own_start, own_size, 0)  # step over the positive's own mode
    return np.column_stack([positives, order[drawn]]).astype(np.int64)
