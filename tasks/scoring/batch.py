"""Scored records: a single one, and a batch of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from tasks.data.decode import DecodedBlock
from tasks.scoring.verdicts import Predictions


@dataclass(frozen=True)
class ScoredRecord:
    """One record: its row in the source, its map (values,), and its predictions (see Predictions).

    label, mode and group are the source's own texts, None where it has none. id: what names the part.
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
    id: str | None = None

    @classmethod
    def of(cls, predictions: Predictions, i: int, row: int, values: np.ndarray, **labels: str | None) -> ScoredRecord:
        """The i-th of the predictions with its row and map (values,); labels: label, mode, group and id.

        Its arrays are copies, so that it does not keep all others in memory.
        """
        return cls(
            row=row,
            map=values.copy(),
            nearest=int(predictions.mode[i]),
            distance=float(predictions.distance[i]),
            score=float(predictions.score[i]),
            verdict=str(predictions.verdict[i]),
            margin=float(predictions.margin[i]),
            beta=float(predictions.beta[i]),
            sqrt_ve=float(predictions.sqrt_ve[i]),
            embedded=predictions.embedded[i].copy(),
            **labels,
        )


@dataclass(frozen=True)
class ScoredBatch:
    """Consecutive records of a source and a release's predictions on them; `start` is the row of the first.

    others: the predictions of other releases on the same records, by their versions. A batch from a worker has the maps
    and embeddings of those records alone that somebody may want to see, as KeptRows.
    """

    start: int
    records: DecodedBlock
    predictions: Predictions
    others: Mapping[str, Predictions] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many records there are."""
        return len(self.records.maps)

    @property
    def rows(self) -> np.ndarray:
        """The records' rows in the source, (n,)."""
        return np.arange(self.start, self.start + len(self))

    def record(self, i: int) -> ScoredRecord:
        """The i-th record."""
        records = self.records
        return ScoredRecord.of(
            self.predictions,
            i,
            self.start + int(i),
            records.maps[i],
            label=records.label[i],
            mode=records.mode[i],
            group=records.group[i],
            id=None if records.id is None else records.id[i],
        )

    def as_judged_by(self, version: str) -> ScoredBatch:
        """The same records with the predictions of one of the other releases."""
        return ScoredBatch(self.start, self.records, self.others[version])

    def slim(self, rows: np.ndarray) -> ScoredBatch:
        """The batch with the maps and embeddings of `rows` (k,), which ascend, alone."""
        records = replace(self.records, maps=KeptRows.of(self.records.maps, rows))
        vars(records)["hashes"] = self.records.hashes  # cannot be computed without the maps
        return ScoredBatch(
            self.start,
            records,
            _slim(self.predictions, rows),
            {version: _slim(predictions, rows) for version, predictions in self.others.items()},
        )


@dataclass(frozen=True)
class KeptRows:
    """Some rows of an array of `count` rows: `rows` (k,), which ascend, and `values` (k, …)."""

    count: int
    rows: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, rows: np.ndarray) -> KeptRows:
        """Those rows of `values`."""
        return cls(len(values), rows, values[rows])

    def __len__(self) -> int:
        """How many rows the array had."""
        return self.count

    def __getitem__(self, row: int) -> np.ndarray:
        """One of the rows; KeyError for a row that is not kept."""
        place = int(np.searchsorted(self.rows, row))
        if place == len(self.rows) or self.rows[place] != row:
            raise KeyError(row)
        return self.values[place]


def _slim(predictions: Predictions, rows: np.ndarray) -> Predictions:
    return replace(predictions, embedded=KeptRows.of(predictions.embedded, rows))
