"""The anchors: the mean map of each mode, added up block by block, so that maps need not lie in memory.

numpy and the standard library alone.
"""

from __future__ import annotations

from collections.abc import Iterator
import numpy as np

MAPS_PER_BLOCK = 4096  # maps at a time


class ModeMeans:
    """Means of the maps of `modes` modes, (modes, values), in float64 sums."""

    def __init__(self, modes: int, values: int) -> None:
        self.sums, self.counts = np.zeros((modes, values)), np.zeros(modes, np.int64)

    def add(self, maps: np.ndarray, mode: np.ndarray) -> None:
        """Add maps (n, values) of modes (n,); those of a negative code are left out."""
        for code in np.unique(mode[mode >= 0]):
            own = mode == code
            self.sums[code] += maps[own].sum(axis=0, dtype=np.float64)
            self.counts[code] += own.sum()

    def means(self) -> np.ndarray:
        """(modes, values) float32; NaN for a mode without a record."""
        with np.errstate(invalid="ignore"):
            return (self.sums / self.counts[:, None]).astype(np.float32)


def tee_means(blocks: Iterator[np.ndarray], mode: np.ndarray, means: ModeMeans) -> Iterator[np.ndarray]:
    """The blocks of maps as they are, each added to `means` on its way; mode (n,): of all of them, in order."""
    start = 0
    for maps in blocks:
        means.add(maps, mode[start : start + len(maps)])
        start += len(maps)
        yield maps


def mode_means(maps: np.ndarray, mode: np.ndarray, modes: int) -> np.ndarray:
    """The mean map of each mode, (modes, values) float32; maps (n, values) may be memory-mapped.

    mode: (n,) codes; a record of a negative one is left out.
    """
    means = ModeMeans(modes, maps.shape[1])
    for start in range(0, len(maps), MAPS_PER_BLOCK):
        means.add(np.asarray(maps[start : start + MAPS_PER_BLOCK]), mode[start : start + MAPS_PER_BLOCK])
    return means.means()


class RunningMoments:
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


MAP_SUMMARIES = ("mean", "deviation", "peak")  # of a map's values, in their unit


MAPS_PER_BLOCK = 4096  # maps that are looked at at once


def map_summaries(maps: np.ndarray) -> np.ndarray:
    """Mean, standard deviation and largest value of each of maps (n, values), memory-mapped or not: (n, 3) float32."""
    found = np.empty((len(maps), len(MAP_SUMMARIES)), np.float32)
    for start in range(0, len(maps), MAPS_PER_BLOCK):
        some = np.asarray(maps[start : start + MAPS_PER_BLOCK])
        found[start : start + MAPS_PER_BLOCK] = np.stack([some.mean(axis=1), some.std(axis=1), some.max(axis=1)], axis=1)
    return found
