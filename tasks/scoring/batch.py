"""Scored records as they stream by: a batch of them, and a single one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.data.decode import DecodedBlock
from tasks.scoring.verdicts import Predictions


@dataclass(frozen=True)
class ScoredRecord:
    """One record: its row in the source, its map (values,), and its predictions (see Predictions).

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


@dataclass(frozen=True)
class ScoredBatch:
    """Consecutive records of a source and a release's predictions on them; `start` is the row of the first."""

    start: int
    records: DecodedBlock
    predictions: Predictions

    def __len__(self) -> int:
        """How many records there are."""
        return len(self.records.maps)

    @property
    def rows(self) -> np.ndarray:
        """The records' rows in the source, (n,)."""
        return np.arange(self.start, self.start + len(self))

    def record(self, i: int) -> ScoredRecord:
        """The i-th record; its arrays are copies, so that it does not keep the batch in memory."""
        records, predictions = self.records, self.predictions
        return ScoredRecord(
            row=self.start + int(i),
            map=records.maps[i].copy(),
            nearest=int(predictions.mode[i]),
            distance=float(predictions.distance[i]),
            score=float(predictions.score[i]),
            verdict=str(predictions.verdict[i]),
            margin=float(predictions.margin[i]),
            beta=float(predictions.beta[i]),
            sqrt_ve=float(predictions.sqrt_ve[i]),
            embedded=predictions.embedded[i].copy(),
            label=records.label[i],
            mode=records.mode[i],
            group=records.group[i],
        )
