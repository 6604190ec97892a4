"""What drift compares: a release's predictions on its reference records, and on new parts.

The tower was not trained on the reference records: training has drawn the trained ones together, and every new part
would lie beyond them. The release's own predictions are stored, since new parts have no labels, and as many maps of
records predicted good as a test of each cell needs.

    reference.npz    mode (n,) predicted code, beta, sqrt_ve, score (n,) float32, good (n,) bool: predicted good,
                     lot (n,) str, verdicts (3,) counts of good, defect and unknown,
                     maps (k, values) float32 of records predicted good, map_lot (k,) str
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tasks.core.npz import NpzRecord
from tasks.data.map_statistics import Moments, RunningMoments
from tasks.model.embeddings import EmbeddedBank
from tasks.registry.loading import CalibratedClassifier, LoadedRelease
from tasks.registry.record_bank import RecordKeys
from tasks.registry.release_files import REFERENCE_FILE, SplitRecords
from tasks.scoring.batch import ScoredBatch
from tasks.scoring.verdicts import VERDICTS, predict_embedded

MAX_REFERENCE_RECORDS, MAX_REFERENCE_MAPS = 20_000, 1000  # 2 and 6 MB of a release
KEY_BYTES = 4  # with 200 000 records counted, one new record in 20 000 is taken for one of them
HELD_OUT_PARTS = ("stop", "calibrate", "test")


def short_key(record_hash: bytes) -> int:
    """The part of a record's hash by which a later day knows that it was counted."""
    return int.from_bytes(record_hash[:KEY_BYTES], "little")


@dataclass(frozen=True)
class PredictedRecords:
    """A release's predictions on n records, in their order; see the module's docstring for shapes and types."""

    mode: np.ndarray
    beta: np.ndarray
    sqrt_ve: np.ndarray
    score: np.ndarray
    good: np.ndarray
    lot: np.ndarray
    verdicts: np.ndarray

    def __len__(self) -> int:
        """How many records there are."""
        return len(self.mode)


@dataclass(frozen=True)
class Reference(PredictedRecords, NpzRecord):
    """The release's predictions on held-out records, and some of the maps that were predicted good."""

    FILE = REFERENCE_FILE
    maps: np.ndarray
    map_lot: np.ndarray


@dataclass(frozen=True)
class NewParts(PredictedRecords):
    """The predictions on new records; lot: codes of their groups; maps: moments of the maps predicted good."""

    maps: Moments


def build_reference(release: CalibratedClassifier, records: EmbeddedBank) -> Reference:
    """The reference of the bank's held-out records; a sample by their hashes where they are many."""
    bank = records.bank
    rows = np.concatenate([bank.rows(part) for part in HELD_OUT_PARTS])
    sample = np.argsort(bank.hash[rows], kind="stable")[:MAX_REFERENCE_RECORDS]
    rows, embedded = rows[sample], records.of_parts(HELD_OUT_PARTS).take(sample)
    predictions = predict_embedded(release, np.asarray(bank.maps[rows], np.float32), embedded)
    good = predictions.verdict == "good"
    map_rows = rows[good][:MAX_REFERENCE_MAPS]
    return Reference(
        mode=predictions.mode.astype(np.int32),
        beta=predictions.beta.astype(np.float32),
        sqrt_ve=predictions.sqrt_ve.astype(np.float32),
        score=predictions.score.astype(np.float32),
        good=good,
        lot=bank.group[rows],
        verdicts=np.array([(predictions.verdict == name).sum() for name in VERDICTS]),
        maps=np.asarray(bank.maps[map_rows], np.float32),
        map_lot=bank.group[map_rows],
    )


class NewPartsCollector:
    """Collects NewParts from the batches of a source: some twenty bytes a record, and the moments of the maps.

    `left_out` counts the records that the release was made with. They are left out: those that it was trained on lie
    nearer to their prototypes than any new part, and the others are the reference itself. `counted` counts those of
    `seen`, which an earlier day has counted; `keys` are the short keys of the new ones.
    """

    def __init__(self, release: LoadedRelease, seen: Iterable[int] = ()) -> None:
        self.hashes, self.left_out = RecordKeys(SplitRecords.load(release.path).hash), 0
        self.seen, self.counted, self.keys = frozenset(seen), 0, []
        self.columns: list[tuple[np.ndarray, ...]] = []
        self.verdicts = np.zeros(len(VERDICTS), np.int64)
        self.lots: dict[str, int] = {}
        self.maps = RunningMoments(release.anchors.shape[1])

    def update(self, batch: ScoredBatch) -> None:
        """Add a batch."""
        predictions = batch.predictions
        unknown = ~self.hashes.contain(batch.records.hashes)
        self.left_out += int((~unknown).sum())
        keys = [short_key(key) for key in batch.records.hashes]
        new = unknown & np.array([key not in self.seen for key in keys], bool)
        self.counted += int((unknown & ~new).sum())
        self.keys += [key for key, is_new in zip(keys, new, strict=True) if is_new]
        good = predictions.verdict == "good"
        self.maps.update(batch.records.maps[good & new])
        self.verdicts += [(predictions.verdict[new] == name).sum() for name in VERDICTS]
        numbers = (predictions.beta, predictions.sqrt_ve, predictions.score)
        floats = [values[new].astype(np.float32) for values in numbers]
        groups = [name or "" for name, is_new in zip(batch.records.group, new, strict=True) if is_new]
        lots = np.array([self.lots.setdefault(name, len(self.lots)) for name in groups], np.int32)
        self.columns.append((predictions.mode[new].astype(np.int32), *floats, good[new], lots))

    def result(self) -> NewParts:
        """The records of all batches; there must be one at least."""
        return NewParts(*map(np.concatenate, zip(*self.columns, strict=True)), self.verdicts, self.maps.result())
