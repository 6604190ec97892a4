"""The bank as it is judged: past a size, a random sample of its records, so that memory and time stay flat.

Records are drawn by their own hashes, which are as good as dice: a record that was drawn once is drawn
again when the next revision brings more, and the test set stays comparable.
"""

from __future__ import annotations

from dataclasses import replace
from tasks.config.run import RunConfig
from tasks.data.bank import Bank
from tasks.data.map_statistics import mode_means
from tasks.data.sampling import triplets_by_part
from tasks.data.split import PARTS
from typing import Any
import numpy as np

MIN_TRAINING_RECORDS = 1000  # training records of a mode that are kept where it has them: prototypes are made of these


def subsample(bank: Bank, most: int) -> Bank:
    """The bank itself where it has `most` records or fewer, else about that many of them, their maps in memory.

    Parts keep their shares of the records, and held-out parts those of the modes: no figure is biased, and the
    bootstrap's intervals hold the error of the draw. Triplets are kept where all of theirs is.
    """
    if len(bank.hash) <= most:
        return bank
    place = np.ones(len(bank.hash))
    for code in range(len(PARTS)):
        rows = bank.rows(PARTS[code])
        place[rows] = _ranks(bank.hash[rows]) / max(len(rows), 1)
    kept = place < most / len(bank.hash)
    for code in range(len(bank.modes)):
        rows = np.flatnonzero((bank.part == 0) & (bank.mode == code))
        kept[rows[_ranks(bank.hash[rows]) < MIN_TRAINING_RECORDS]] = True
    return _take(bank, np.flatnonzero(kept))


def sampled_share(judged: Bank, bank: Bank) -> dict[str, Any] | None:
    """How many records of how many are judged, for the report; None where it is all of them."""
    return None if judged is bank else {"records": len(judged.hash), "of": len(bank.hash)}


def _ranks(hashes: np.ndarray) -> np.ndarray:
    """The place (n,) of each in the order of all."""
    return np.argsort(np.argsort(hashes, kind="stable"), kind="stable")


def _take(bank: Bank, rows: np.ndarray) -> Bank:
    number = np.full(len(bank.hash), -1, np.int32)
    number[rows] = np.arange(len(rows), dtype=np.int32)
    triplets = {
        part: np.column_stack([own[:, :1], number[own[:, 1:]]]).astype(np.int32) for part, own in bank.triplets.items()
    }
    columns = {name: getattr(bank, name)[rows] for name in ("maps", "mode", "good", "part", "hash", "group")}
    component = bank.component[rows] if len(bank.component) else bank.component
    whole = {part: own[(own >= 0).all(axis=1)] for part, own in triplets.items()}
    return replace(bank, **columns, component=component, triplets=whole)


NO_PART = -1  # the part and the mode of a record that a bank does not use


FITTED_PARTS = PARTS[:3]  # the parts that training and calibration read


def without_mode(bank: Bank, mode: str, config: RunConfig) -> Bank:
    """The bank without a mode: none of its records is in any part, and no triplet or anchor is left of it."""
    code = bank.modes.index(mode)
    gone = bank.mode == code
    codes = np.where(gone, NO_PART, bank.mode - (bank.mode > code)).astype(np.int32)
    part = np.where(gone, NO_PART, bank.part).astype(np.int8)
    pairs = np.concatenate(list(bank.triplets.values()))[:, 1:]
    return replace(
        bank,
        anchors=np.delete(bank.anchors, code, axis=0),
        mode=codes,
        part=part,
        modes=[name for name in bank.modes if name != mode],
        triplets=_triplets(codes, part, pairs[~gone[pairs].any(axis=1)], config),
    )


def with_permuted_modes(bank: Bank, number: int, config: RunConfig) -> Bank:
    """The bank with mode and label dealt out anew among the records of each part but the test, whose are true."""
    mode, good, rng = bank.mode.copy(), bank.good.copy(), np.random.default_rng([config.seed, number])
    for part in FITTED_PARTS:
        rows = bank.rows(part)
        dealt = rng.permutation(rows)
        mode[rows], good[rows] = bank.mode[dealt], bank.good[dealt]
    anchors = mode_means(bank.maps, np.where(bank.part == PARTS.index("train"), mode, NO_PART), len(bank.modes))
    made = _triplets(mode, bank.part, np.empty((0, 2), np.int64), config)
    return replace(bank, anchors=anchors, mode=mode, good=good, triplets=made)


def _triplets(mode: np.ndarray, part: np.ndarray, kept: np.ndarray, config: RunConfig) -> dict[str, np.ndarray]:
    """The triplets that are kept; a part that is left without any gets new ones."""
    return triplets_by_part(mode, part, kept, config.triplets.per_record, False, config.seed)[0]


READ_PARTS = ("train", "calibrate")  # prototypes come from the one, figures from the other


def only_parts(bank: Bank) -> Bank:
    """The bank with the records of training and calibration alone: what is not in it cannot be looked at."""
    rows = np.flatnonzero(np.isin(bank.part, [PARTS.index(part) for part in READ_PARTS]))
    parts = {name: getattr(bank, name)[rows] for name in ("maps", "mode", "good", "part", "hash", "group")}
    return replace(bank, triplets={}, **parts)
