"""Examples out of a stream of scored records: the worst, the most uncertain, and a random sample.

Memory is that of a few records, however many pass by, and the choice does not depend on the size of the batches.
"""

from __future__ import annotations

import numpy as np

from tasks.registry.loading import LoadedRelease
from tasks.scoring.batch import ScoredBatch, ScoredRecord

MAX_EXAMPLES = 6  # of each kind


def smallest(keys: np.ndarray, k: int = MAX_EXAMPLES) -> np.ndarray:
    """The rows of the `k` smallest of the keys (n,), the smallest first; of equal keys, the earlier. NaN is no key."""
    rows = np.argsort(keys, kind="stable")[:k]
    return rows[~np.isnan(keys[rows])]


class TopK:
    """The `k` records with the smallest keys so far; of equal keys, the earlier record."""

    def __init__(self, k: int) -> None:
        self.k = k
        self.entries: list[tuple[float, ScoredRecord]] = []

    def update(self, batch: ScoredBatch, keys: np.ndarray) -> None:
        """Offer a batch with its keys (n,); a record whose key is NaN is no candidate."""
        largest = self.entries[-1][0] if len(self.entries) == self.k else np.inf
        (candidates,) = np.nonzero(keys < largest)
        candidates = candidates[smallest(keys[candidates], self.k)]
        entries = [*self.entries, *((float(keys[i]), batch.record(i)) for i in candidates)]
        self.entries = sorted(entries, key=lambda entry: (entry[0], entry[1].row))[: self.k]

    def result(self) -> list[ScoredRecord]:
        """The records, the smallest key first."""
        return [record for _, record in self.entries]


class ExampleCollector:
    """Collects `k` records of each kind while batches pass by."""

    def __init__(self, release: LoadedRelease, k: int = MAX_EXAMPLES, seed: int = 42) -> None:
        self.mode_radius = release.mode_radius
        self.seed = seed
        self.kinds = {name: TopK(k) for name in ("worst", "uncertain", "random")}

    def update(self, batch: ScoredBatch) -> None:
        """Look at a batch."""
        keys = self.keys(batch)
        for name, top in self.kinds.items():
            top.update(batch, keys[name])

    def keys(self, batch: ScoredBatch) -> dict[str, np.ndarray]:
        """The keys (n,) of each kind. A release without good parts has no score: distances take the score's place."""
        predictions = batch.predictions
        score, margin = predictions.score, predictions.margin
        from_radius = np.abs(self.mode_radius - predictions.distance)
        return {
            "worst": -np.where(np.isfinite(score), score, predictions.distance),
            "uncertain": np.where(np.isfinite(margin), np.abs(margin), from_radius),
            "random": _random_keys(batch.rows, self.seed),
        }

    def result(self) -> dict[str, list[ScoredRecord]]:
        """The records under the names `worst`, `uncertain` and `random`."""
        return {name: top.result() for name, top in self.kinds.items()}


def _random_keys(rows: np.ndarray, seed: int) -> np.ndarray:
    """A number 0..1 for each row, whatever batch the row comes in.

    Source: Steele, Lea, Flood, *Fast splittable pseudorandom number generators* (2014), its mixing function.
    """
    z = rows.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) / 2.0**53
