"""Statistics of maps that are collected batch by batch, so that all maps need not be in memory at once.

numpy and the standard library alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tasks.data.columns import row_blocks
from tasks.data.split import PARTS

MAPS_PER_BLOCK = 4096
MAP_SUMMARIES = ("mean", "deviation", "peak")  # of a map's values, in their unit


class ModeMeans:
    """Collects the mean map of each of `modes` modes, in float64 sums of maps with `values` values."""

    def __init__(self, modes: int, values: int) -> None:
        self.sums, self.counts = np.zeros((modes, values)), np.zeros(modes, np.int64)

    def update(self, maps: np.ndarray, mode: np.ndarray) -> None:
        """Add maps (n, values) of modes (n,) codes; a negative code leaves a map out."""
        for code in np.unique(mode[mode >= 0]):
            of_mode = mode == code
            self.sums[code] += maps[of_mode].sum(axis=0, dtype=np.float64)
            self.counts[code] += of_mode.sum()

    def result(self) -> np.ndarray:
        """(modes, values) float32; NaN for a mode without a record."""
        with np.errstate(invalid="ignore"):
            return (self.sums / self.counts[:, None]).astype(np.float32)


def tee_means(blocks: Iterator[np.ndarray], mode: np.ndarray, means: ModeMeans) -> Iterator[np.ndarray]:
    """The blocks of maps unchanged, each added to `means` on its way; mode (n,): codes of all maps, in order."""
    start = 0
    for maps in blocks:
        means.update(maps, mode[start : start + len(maps)])
        start += len(maps)
        yield maps


def mode_means(maps: np.ndarray, mode: np.ndarray, modes: int) -> np.ndarray:
    """The mean map of each mode, (modes, values) float32; maps (n, values) may be memory-mapped.

    mode: (n,) codes; a negative code leaves a record out.
    """
    means = ModeMeans(modes, maps.shape[1])
    for block in row_blocks(len(maps), MAPS_PER_BLOCK):
        means.update(np.asarray(maps[block]), mode[block])
    return means.result()


def training_means(maps: np.ndarray, part: np.ndarray, mode: np.ndarray, modes: int) -> np.ndarray:
    """The mean map of each mode's training records, as `mode_means`; part: (n,) indices into PARTS."""
    means, train = ModeMeans(modes, maps.shape[1]), PARTS.index("train")
    for block in row_blocks(len(maps), MAPS_PER_BLOCK):
        means.update(np.asarray(maps[block]), np.where(part[block] == train, mode[block], -1))
    return means.result()


@dataclass(frozen=True)
class Moments:
    """Of `count` maps: `mean` and `variance` (values,), in the maps' unit and its square.

    The variance is unbiased, and zero for fewer than two maps.
    """

    count: int
    mean: np.ndarray
    variance: np.ndarray


class RunningMoments:
    """Collects mean and variance of maps with `values` values.

    Source: T. F. Chan, G. H. Golub, R. J. LeVeque, *Updating formulae and a pairwise algorithm for computing
    sample variances* (1979).
    """

    def __init__(self, values: int) -> None:
        self.count = 0
        self.mean = np.zeros(values)
        self.squares = np.zeros(values)

    def update(self, maps: np.ndarray) -> None:
        """Add maps (n, values), n ≥ 0."""
        if not len(maps):
            return
        maps = maps.astype(np.float64)
        mean, squares = maps.mean(axis=0), np.square(maps - maps.mean(axis=0)).sum(axis=0)
        total, difference = self.count + len(maps), mean - self.mean
        self.squares += squares + np.square(difference) * self.count * len(maps) / total
        self.mean += difference * len(maps) / total
        self.count = total

    def result(self) -> Moments:
        """The moments of all maps so far."""
        return Moments(self.count, self.mean, self.squares / max(self.count - 1, 1))


def map_summaries(maps: np.ndarray) -> np.ndarray:
    """Mean, standard deviation and largest value of each of maps (n, values), memory-mapped or not: (n, 3) float32."""
    summaries = np.empty((len(maps), len(MAP_SUMMARIES)), np.float32)
    for block in row_blocks(len(maps), MAPS_PER_BLOCK):
        values = np.asarray(maps[block])
        summaries[block] = np.stack([values.mean(axis=1), values.std(axis=1), values.max(axis=1)], axis=1)
    return summaries
