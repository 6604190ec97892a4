"""Mean and variance of many maps, while batches pass by."""

from __future__ import annotations

import numpy as np


class Moments:
    """Of maps (n, values): `count`, `mean` and `variance` (values,), in the maps' unit and its square.

    Source: T. F. Chan, G. H. Golub, R. J. LeVeque, *Updating formulae and a pairwise algorithm for computing
    sample variances* (1979).
    """

    def __init__(self, values: int) -> None:
        self.count = 0
        self.mean = np.zeros(values)
        self.squares = np.zeros(values)

    def take(self, maps: np.ndarray) -> None:
        """Add a batch, which may be empty."""
        if not len(maps):
            return
        maps = maps.astype(np.float64)
        mean, squares = maps.mean(axis=0), np.square(maps - maps.mean(axis=0)).sum(axis=0)
        total, apart = self.count + len(maps), mean - self.mean
        self.squares += squares + np.square(apart) * self.count * len(maps) / total
        self.mean += apart * len(maps) / total
        self.count = total

    @property
    def variance(self) -> np.ndarray:
        """The unbiased variance; zero of fewer than two maps."""
        return self.squares / max(self.count - 1, 1)
