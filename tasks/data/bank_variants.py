"""Banks made of a bank: a random sample, without a mode, with permuted modes, split otherwise, or without other parts.

A sample is drawn by the records' own hashes, which are as good as random numbers: a record that is drawn once is
drawn again when the next revision brings more, and the test set stays comparable.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from tasks.data.bank import Bank
from tasks.data.columns import row_blocks
from tasks.data.map_statistics import mode_means, training_means
from tasks.data.sampling import triplets_by_part
from tasks.data.split import FITTED_PARTS, PARTS

MIN_TRAINING_RECORDS = 1000  # of each mode that has them: prototypes are made of these
UNUSED = -1  # the part and the mode of a record that a bank does not use
NOTEBOOK_SHARE, NOTEBOOK_SEED = 0.05, 42  # of the triplets that the notebook holds out
READ_PARTS = ("train", "stop")  # of a trial: prototypes from the one, metrics from the other
RECORD_ARRAYS = ("maps", "mode", "good", "part", "hash", "group")


def subsample(bank: Bank, maximum: int) -> Bank:
    """The bank itself if it has at most `maximum` records, else about that many of them, their maps in memory.

    Parts keep their shares of the records, and held-out parts those of the modes: no metric is biased, and the
    bootstrap's intervals include the error of the sample. A triplet is kept if all its records are.
    """
    if len(bank.hash) <= maximum:
        return bank
    drawn, share = np.zeros(len(bank.hash), bool), maximum / len(bank.hash)
    for code in range(len(PARTS)):
        of_part = bank.part == code
        count = np.count_nonzero(np.arange(maximum + 1) / max(np.count_nonzero(of_part), 1) < share)
        drawn[_smallest(bank.hash, of_part, count)] = True
    for code in range(len(bank.modes)):
        drawn[_smallest(bank.hash, (bank.part == 0) & (bank.mode == code), MIN_TRAINING_RECORDS)] = True
    return _select(bank, drawn)


def sampled_share(sample: Bank, bank: Bank) -> dict[str, Any] | None:
    """How many records of how many are evaluated, for the report; None for all of them."""
    return None if sample is bank else {"records": len(sample.hash), "of": len(bank.hash)}


def _smallest(hashes: np.ndarray, chosen: np.ndarray, count: int) -> np.ndarray:
    """The rows (at most count,) of the smallest hashes (n,) among those that are `chosen`, (n,) bool."""
    smallest = np.empty(0, np.int64)
    for block in row_blocks(len(hashes)):
        rows = block.start + np.flatnonzero(chosen[block])
        if len(smallest) == count:
            rows = rows[hashes[rows] < hashes[smallest[-1]]]
        rows = np.concatenate([smallest, rows])
        smallest = rows[np.argsort(hashes[rows], kind="stable")[:count]]
    return smallest


def _select(bank: Bank, drawn: np.ndarray) -> Bank:
    """The bank of the records that are `drawn`, (n,) bool."""
    rows = np.flatnonzero(drawn)
    arrays = {name: getattr(bank, name)[rows] for name in RECORD_ARRAYS}
    component, ids = (array[rows] if len(array) else array for array in (bank.component, bank.id))
    triplets = {part: _within(triplets, drawn, rows) for part, triplets in bank.triplets.items()}
    return replace(bank, **arrays, component=component, id=ids, triplets=triplets)


def _within(triplets: np.ndarray, drawn: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The triplets whose records are all `drawn`, by their new numbers: the places in `rows`."""
    blocks = (triplets[block] for block in row_blocks(len(triplets)))
    whole = np.concatenate([triplets[:0], *(block[drawn[block[:, 1:]].all(axis=1)] for block in blocks)])
    return np.column_stack([whole[:, :1], np.searchsorted(rows, whole[:, 1:])]).astype(np.int32)


def without_mode(bank: Bank, mode: str, per_record: int, seed: int) -> Bank:
    """The bank without a mode: its records are in no part, and no triplet or anchor of it is left.

    A part that is left without triplets gets `per_record` generated ones for each record.
    """
    code = bank.modes.index(mode)
    left_out = bank.mode == code
    codes = np.where(left_out, UNUSED, bank.mode - (bank.mode > code)).astype(np.int32)
    part = np.where(left_out, UNUSED, bank.part).astype(np.int8)
    pairs = np.concatenate(list(bank.triplets.values()))[:, 1:]
    return replace(
        bank,
        anchors=np.delete(bank.anchors, code, axis=0),
        mode=codes,
        part=part,
        modes=[name for name in bank.modes if name != mode],
        triplets=_triplets(codes, part, pairs[~left_out[pairs].any(axis=1)], per_record, seed),
    )


def with_parts(bank: Bank, part: np.ndarray, per_record: int, seed: int) -> Bank:
    """The bank with other parts (n,), anchors and triplets; UNUSED: a record in no part.

    Modes without a training record are in no part, and their records have the mode UNUSED.
    """
    trained = np.unique(bank.mode[(part == PARTS.index("train")) & (bank.mode != UNUSED)])
    codes = np.full(len(bank.modes), UNUSED, np.int32)
    codes[trained] = np.arange(len(trained), dtype=np.int32)
    mode = np.where(bank.mode == UNUSED, UNUSED, codes[bank.mode]).astype(np.int32)
    part = np.where(mode == UNUSED, UNUSED, part).astype(np.int8)
    pairs = np.concatenate(list(bank.triplets.values()))[:, 1:]
    used = (part[pairs] != UNUSED).all(axis=1)
    return replace(
        bank,
        anchors=training_means(bank.maps, part, mode, len(trained)),
        mode=mode,
        part=part,
        modes=[bank.modes[code] for code in trained],
        triplets=_triplets(mode, part, pairs[used], per_record, seed),
    )


def with_permuted_modes(bank: Bank, number: int, per_record: int, seed: int) -> Bank:
    """The bank with modes and labels permuted within each part but the test, which keeps the true ones.

    `number`: of the permutation. Every part gets `per_record` generated triplets for each record.
    """
    mode, good, rng = bank.mode.copy(), bank.good.copy(), np.random.default_rng([seed, number])
    for part in FITTED_PARTS:
        rows = bank.rows(part)
        permuted = rng.permutation(rows)
        mode[rows], good[rows] = bank.mode[permuted], bank.good[permuted]
    anchors = training_means(bank.maps, bank.part, mode, len(bank.modes))
    triplets = _triplets(mode, bank.part, np.empty((0, 2), np.int64), per_record, seed)
    return replace(bank, anchors=anchors, mode=mode, good=good, triplets=triplets)


def with_notebook_split(bank: Bank) -> Bank:
    """The bank split as the notebook does: 5 % of all triplets are held out, and no record is.

    It leaks, as its original does: most records of held-out triplets are in training triplets too, and the anchors
    are means over all records. The records of held-out triplets are the validation part, all others the training part.
    """
    triplets = np.concatenate([bank.triplets[part] for part in PARTS])
    generator = np.random.RandomState(NOTEBOOK_SEED)  # draws as scikit-learn's train_test_split does
    order = generator.permutation(len(triplets))
    held_out, used = np.split(order, [math.ceil(NOTEBOOK_SHARE * len(triplets))])
    part = np.zeros(len(bank.part), np.int8)
    part[triplets[held_out, 1:]] = PARTS.index("stop")
    parts = dict.fromkeys(PARTS, triplets[:0]) | {"train": triplets[used], "stop": triplets[held_out]}
    return replace(bank, part=part, anchors=mode_means(bank.maps, bank.mode, len(bank.modes)), triplets=parts)


def _triplets(
    mode: np.ndarray, part: np.ndarray, pairs: np.ndarray, per_record: int, seed: int
) -> dict[str, np.ndarray]:
    """Triplets of the positives and negatives `pairs` (p, 2); a part without any gets generated ones."""
    return triplets_by_part(mode, part, pairs, per_record, False, seed)[0]


def only_parts(bank: Bank) -> Bank:
    """The bank with the records of READ_PARTS alone, so that no others can be read by mistake."""
    rows = np.flatnonzero(np.isin(bank.part, [PARTS.index(part) for part in READ_PARTS]))
    return replace(bank, triplets={}, **{name: getattr(bank, name)[rows] for name in RECORD_ARRAYS})
