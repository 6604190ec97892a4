"""How far apart pairs of each kind lie, in the trained distance: what should be near beside what should be far."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score

from tasks.judge import Judge

MOST_RECORDS = 500  # whose pairs are taken: 125,000 of them say what all would say


@dataclass(frozen=True)
class Contrast:
    """Two kinds of pair, the first of which should be the nearer: their names and distances (n,)."""

    near: str
    far: str
    near_values: np.ndarray
    far_values: np.ndarray

    @property
    def rows(self) -> tuple[tuple[str, np.ndarray], tuple[str, np.ndarray]]:
        """Both kinds, name and distances, the nearer first."""
        return (self.near, self.near_values), (self.far, self.far_values)

    @property
    def auroc(self) -> float:
        """How often a pair of the first kind is nearer than one of the second; a tie counts half."""
        values = np.concatenate([self.near_values, self.far_values])
        return float(roc_auc_score(np.repeat([False, True], [len(self.near_values), len(self.far_values)]), values))


def contrasts(
    judge: Judge, distances: np.ndarray, embedded: np.ndarray, mode: np.ndarray, good: np.ndarray
) -> list[Contrast]:
    """Records against prototypes, defects against one another, and good parts against good and defective ones.

    distances: (n, m) to the prototypes; embedded: (n, d); mode, good: (n,). What lacks a kind is left out.
    """
    own = np.arange(distances.shape[1]) == mode[:, None]
    found = [
        Contrast("record to its own mode’s prototype", "record to another prototype", distances[own], distances[~own])
    ]
    rows = np.unique(np.linspace(0, len(mode) - 1, min(MOST_RECORDS, len(mode))).astype(int))
    mode, good = mode[rows], good[rows]
    between = judge.distance.matrix(embedded[rows], embedded[rows])
    # a distance need not be symmetric, so each pair is taken both ways; a record with itself is no pair
    pairs = ~np.eye(len(rows), dtype=bool)
    bad, same = pairs & ~good & ~good[:, None], mode == mode[:, None]
    what = "defects" if good.any() else "records"
    found.append(
        Contrast(f"two {what} of one mode", f"two {what} of two modes", between[bad & same], between[bad & ~same])
    )
    both, mixed = pairs & good & good[:, None], good & ~good[:, None]
    found.append(Contrast("two good parts", "a good and a defective part", between[both], between[mixed]))
    return [one for one in found if len(one.near_values) and len(one.far_values)]
