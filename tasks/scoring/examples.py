"""The records of a stream that are worth showing: the worst, the most uncertain, and a fair sample.

Memory is that of a few records, however many pass by, and the choice is the same for any size of batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.registry.loading import LoadedRelease
from tasks.scoring.verdicts import Predictions


@dataclass(frozen=True)
class ScoredRecord:
    """One judged record: its row in the source, its map (values,), and what was said of it (see Verdicts).

    label, mode and group are the source's own texts, None where it has none.
    """

    row: int
    map: np.ndarray
    nearest: int
    distance: float
    score: float
    verdict: str
    margin: float
    beta: float
    sqrt_ve: float
    embedded: np.ndarray
    label: str | None
    mode: str | None
    group: str | None


Texts = list[str | None]


def scored_record(
    start: int, i: int, maps: np.ndarray, found: Predictions, texts: tuple[Texts, Texts, Texts]
) -> ScoredRecord:
    """The i-th record of a batch that begins with row `start`; texts are labels, modes and groups."""
    numbers = (found.distance, found.score)
    return ScoredRecord(
        start + int(i),
        maps[i].copy(),
        int(found.mode[i]),
        *(float(values[i]) for values in numbers),
        str(found.verdict[i]),
        *(float(values[i]) for values in (found.margin, found.beta, found.sqrt_ve)),
        found.embedded[i].copy(),
        *(column[i] for column in texts),
    )


class TopK:
    """The `most` records with the smallest keys so far; of equal ones, the earlier."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.kept: list[tuple[float, ScoredRecord]] = []

    def take(
        self, keys: np.ndarray, start: int, maps: np.ndarray, found: Predictions, texts: tuple[Texts, Texts, Texts]
    ) -> None:
        """Offer a batch; a key that is no number is no candidate."""
        worst = self.kept[-1][0] if len(self.kept) == self.most else np.inf
        (rows,) = np.nonzero(keys < worst)
        rows = rows[np.argsort(keys[rows], kind="stable")][: self.most]
        new = [(float(keys[i]), scored_record(start, i, maps, found, texts)) for i in rows]
        self.kept = sorted([*self.kept, *new], key=lambda pair: (pair[0], pair[1].row))[: self.most]

    def cases(self) -> list[ScoredRecord]:
        """The kept ones, the smallest key first."""
        return [case for _, case in self.kept]


class ExampleCollector:
    """Collects `most` records of each kind while batches pass by."""

    def __init__(self, opened: LoadedRelease, most: int = 6, seed: int = 42) -> None:
        self.mode_radius = opened.mode_radius
        self.seed = seed
        self.kinds = {name: TopK(most) for name in ("worst", "uncertain", "random")}

    def take(self, start: int, maps: np.ndarray, found: Predictions, label: Texts, mode: Texts, group: Texts) -> None:
        """Look at a batch whose first record has the row number `start`."""
        scored = np.isfinite(found.score)
        near = np.where(np.isfinite(found.margin), np.abs(found.margin), np.abs(self.mode_radius - found.distance))
        keys = {
            "worst": -np.where(scored, found.score, found.distance),
            "uncertain": near,
            "random": _random_keys(np.arange(start, start + len(maps)), self.seed),
        }
        for name, best in self.kinds.items():
            best.take(keys[name], start, maps, found, (label, mode, group))

    def cases(self) -> dict[str, list[ScoredRecord]]:
        """The cases by the names `worst`, `uncertain` and `random`."""
        return {name: best.cases() for name, best in self.kinds.items()}


def _random_keys(rows: np.ndarray, seed: int) -> np.ndarray:
    """A number 0..1 for each row, the same whatever batch it comes in.

    Source: Steele, Lea, Flood, *Fast splittable pseudorandom number generators* (2014), its mixing function.
    """
    z = rows.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) / 2.0**53
