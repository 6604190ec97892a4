"""What drift needs of new parts, collected while batches pass by: some twenty bytes a record, and the maps' moments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.data.map_statistics import Moments, RunningMoments
from tasks.registry.loading import LoadedRelease
from tasks.scoring.batch import ScoredBatch
from tasks.scoring.verdicts import VERDICTS


@dataclass(frozen=True)
class NewParts:
    """The predictions on new records in their order; arrays (m,) are as in Reference.

    lot: codes of the records' groups; verdicts (3,): counts of VERDICTS; maps: moments of the maps predicted good.
    """

    mode: np.ndarray
    beta: np.ndarray
    sqrt_ve: np.ndarray
    score: np.ndarray
    good: np.ndarray
    lot: np.ndarray
    verdicts: np.ndarray
    maps: Moments

    def __len__(self) -> int:
        """How many records there are."""
        return len(self.mode)


class NewPartsCollector:
    """Collects NewParts from the batches of a source."""

    def __init__(self, release: LoadedRelease) -> None:
        self.columns: list[tuple[np.ndarray, ...]] = []
        self.verdicts = np.zeros(len(VERDICTS), np.int64)
        self.lots: dict[str, int] = {}
        self.maps = RunningMoments(release.anchors.shape[1])

    def update(self, batch: ScoredBatch) -> None:
        """Add a batch."""
        predictions = batch.predictions
        good = predictions.verdict == "good"
        self.maps.update(batch.records.maps[good])
        self.verdicts += [(predictions.verdict == name).sum() for name in VERDICTS]
        numbers = (predictions.beta, predictions.sqrt_ve, predictions.score)
        lots = [self.lots.setdefault(name or "", len(self.lots)) for name in batch.records.group]
        floats = [values.astype(np.float32) for values in numbers]
        self.columns.append((predictions.mode.astype(np.int32), *floats, good, np.array(lots, np.int32)))

    def result(self) -> NewParts:
        """The records of all batches; there must be one at least."""
        return NewParts(*map(np.concatenate, zip(*self.columns, strict=True)), self.verdicts, self.maps.result())
