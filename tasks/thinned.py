"""The bank as it is judged: past a size, a random sample of its records, so that memory and time stay flat.

Records are drawn by their own hashes, which are as good as dice: a record that was drawn once is drawn
again when the next revision brings more, and the test set stays comparable.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tasks.bank import Bank
from tasks.split import PARTS

LEAST = 1000  # training records of a mode that are kept where it has them: prototypes are made of these


def thinned(bank: Bank, most: int) -> Bank:
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
        kept[rows[_ranks(bank.hash[rows]) < LEAST]] = True
    return _taken(bank, np.flatnonzero(kept))


def judged_share(judged: Bank, bank: Bank) -> dict[str, Any] | None:
    """How many records of how many are judged, for the report; None where it is all of them."""
    return None if judged is bank else {"records": len(judged.hash), "of": len(bank.hash)}


def _ranks(hashes: np.ndarray) -> np.ndarray:
    """The place (n,) of each in the order of all."""
    return np.argsort(np.argsort(hashes, kind="stable"), kind="stable")


def _taken(bank: Bank, rows: np.ndarray) -> Bank:
    number = np.full(len(bank.hash), -1, np.int32)
    number[rows] = np.arange(len(rows), dtype=np.int32)
    triplets = {
        part: np.column_stack([own[:, :1], number[own[:, 1:]]]).astype(np.int32) for part, own in bank.triplets.items()
    }
    columns = {name: getattr(bank, name)[rows] for name in ("maps", "mode", "good", "part", "hash", "group")}
    component = bank.component[rows] if len(bank.component) else bank.component
    whole = {part: own[(own >= 0).all(axis=1)] for part, own in triplets.items()}
    return replace(bank, **columns, component=component, triplets=whole)
