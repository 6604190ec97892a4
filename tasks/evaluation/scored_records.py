"""The records of one part of a bank as a classifier sees them: what all metrics of an evaluation are computed from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tasks.config.run import RunConfig
from tasks.core.npz import NpzRecord
from tasks.data.bank import Bank
from tasks.evaluation.resampling import Resampling
from tasks.model.classifier import Classifier, raw_map_baseline, rt_baseline
from tasks.model.distances import distance
from tasks.model.embeddings import Embedded, EmbeddedBank


@dataclass(frozen=True)
class ScoredRecords:
    """n records of a bank with their embeddings; distances and scores are computed when they are first asked for.

    rows: (n,) their rows in the bank.
    """

    classifier: Classifier
    bank: Bank
    rows: np.ndarray
    embedded: Embedded

    def __len__(self) -> int:
        """How many records there are."""
        return len(self.rows)

    def take(self, rows: np.ndarray) -> ScoredRecords:
        """The records at `rows`: positions (k,) or a mask (n,)."""
        return replace(self, rows=self.rows[rows], embedded=self.embedded.take(rows))

    @property
    def mode(self) -> np.ndarray:
        """The code (n,) of each record's mode."""
        return self.bank.mode[self.rows]

    @property
    def good(self) -> np.ndarray:
        """Whether each record (n,) is a good part."""
        return self.bank.good[self.rows]

    @property
    def group(self) -> np.ndarray:
        """The name (n,) of each record's group, empty where it has none."""
        return self.bank.group[self.rows]

    @property
    def has_good_and_defective(self) -> bool:
        """Whether good parts can be told from defects here: there are both, and the classifier knows good parts."""
        return self.classifier.knows_good and bool(self.good.any() and not self.good.all())

    @cached_property
    def distances(self) -> np.ndarray:
        """Distances (n, modes) to the prototypes of the modes."""
        return self.classifier.mode_distances(self.embedded)

    @cached_property
    def score(self) -> np.ndarray:
        """The anomaly score (n,); NaN where the classifier does not know good parts."""
        return self.classifier.score(self.embedded)

    def resampling(self, config: RunConfig) -> Resampling:
        """The draws of these records that the settings ask for."""
        return Resampling.of(self.bank, self.rows, config)


@dataclass(frozen=True)
class OutOfFoldScores(NpzRecord):
    """Records, each scored by a model that was not trained on its group; every field has one entry a record (n,).

    score: the anomaly score; good: bool; group: names, empty where there is none; hash: of the map; right: 1 where
    the nearest prototype is that of the record's mode, 0 elsewhere, NaN where that mode was not trained; test: whether
    it is in the test part of the run itself.
    """

    FILE = "scores.npz"
    score: np.ndarray
    good: np.ndarray
    group: np.ndarray
    hash: np.ndarray
    right: np.ndarray
    test: np.ndarray

    def __len__(self) -> int:
        """How many records there are."""
        return len(self.score)

    def take(self, rows: np.ndarray) -> OutOfFoldScores:
        """The records at `rows`: positions (k,) or a mask (n,)."""
        return OutOfFoldScores(**{name: values[rows] for name, values in vars(self).items()})

    def resampling(self, config: RunConfig) -> Resampling:
        """The draws of these records that the settings ask for."""
        return Resampling.of_names(self.group, self.hash, config)


def score_part(classifier: Classifier, records: EmbeddedBank, part: str) -> ScoredRecords:
    """The records of one part of an embedded bank."""
    return ScoredRecords(classifier, records.bank, records.bank.rows(part), records.part(part))


def score_raw_maps(bank: Bank) -> list[ScoredRecords]:
    """The test records by the raw map with Euclidean, cosine and RT."""
    raw = EmbeddedBank(np.asarray, bank)
    classifiers = [raw_map_baseline(distance(name), bank) for name in ("euclidean", "cosine")]
    return [score_part(classifier, raw, "test") for classifier in (*classifiers, rt_baseline(bank))]


def score_bank_part(classifier: Classifier, bank: Bank, part: str) -> ScoredRecords:
    """The records of one part of a bank, embedded for it."""
    rows = bank.rows(part)
    return ScoredRecords(classifier, bank, rows, classifier.embed(bank.maps[rows]))
