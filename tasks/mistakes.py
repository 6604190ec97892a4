"""The records that a judge takes most surely for another mode, each beside the training records nearest to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.bank import Bank
from tasks.judge import Judge


@dataclass(frozen=True)
class Mistake:
    """One test record, and its nearest training records of its own mode and of the one it was taken for.

    Maps (rows, cols); `own_distance` and `taken_distance` are from the record to those two, in the trained
    distance, and `own_prototype` and `taken_prototype` to the modes' prototypes.
    """

    record: np.ndarray
    own: np.ndarray
    taken: np.ndarray
    own_mode: str
    taken_mode: str
    group: str
    own_distance: float
    taken_distance: float
    own_prototype: float
    taken_prototype: float


def worst_mistakes(
    judge: Judge, bank: Bank, distances: np.ndarray, embedded: np.ndarray, size: tuple[int, int], most: int = 6
) -> list[Mistake]:
    """The misjudged test records that lie farthest behind the prototype they were taken for, worst first.

    distances (n, m) and embedded (n, d) are of the bank's test part; `size` is rows and columns of a map.
    Modes without a training record cannot occur: a bank has none.
    """
    rows, place = bank.rows("test"), np.arange(len(distances))
    mode, taken = bank.mode[rows], distances.argmin(axis=1)
    behind = distances[place, mode] - distances[place, taken]
    worst = [i for i in np.argsort(-behind, kind="stable")[:most] if taken[i] != mode[i]]
    found = []
    for i in worst:
        own_row, own_distance = _nearest(judge, bank, embedded[i], mode[i])
        taken_row, taken_distance = _nearest(judge, bank, embedded[i], taken[i])
        maps = [np.asarray(bank.maps[row]).reshape(size) for row in (rows[i], own_row, taken_row)]
        names = bank.modes[mode[i]], bank.modes[taken[i]], str(bank.group[rows[i]])
        prototypes = float(distances[i, mode[i]]), float(distances[i, taken[i]])
        found.append(Mistake(*maps, *names, own_distance, taken_distance, *prototypes))
    return found


def _nearest(judge: Judge, bank: Bank, embedded: np.ndarray, mode: int) -> tuple[int, float]:
    """The row of the mode's training record that is nearest to an embedding (d,), and how far it is."""
    rows = bank.rows("train")
    rows = rows[bank.mode[rows] == mode]
    distances = judge.distance.matrix(embedded[None], judge.embed(np.asarray(bank.maps[rows])))[0]
    return int(rows[distances.argmin()]), float(distances.min())
