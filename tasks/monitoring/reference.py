"""The reference that drift is measured against: the predictions on records when the release was made.

They come from records that the tower was not trained on: training has drawn the trained ones together, and every new
part would lie beyond them. The release's own predictions are stored, since new parts have no labels, and as
many maps of records predicted good as a test of each cell needs.

    reference.npz    mode (n,) predicted code, beta, sqrt_ve, score (n,) float32, good (n,) bool: predicted good,
                     lot (n,) str, verdicts (3,) counts of good, defect and unknown,
                     maps (k, values) float32 of records predicted good, map_lot (k,) str
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.core.npz import NpzRecord
from tasks.model.embeddings import EmbeddedBank
from tasks.registry.loading import CalibratedClassifier
from tasks.registry.release_files import REFERENCE_FILE
from tasks.scoring.verdicts import VERDICTS, predict_embedded

MAX_REFERENCE_RECORDS, MAX_REFERENCE_MAPS = 20_000, 1000  # 2 and 6 MB of a release
HELD_OUT_PARTS = ("stop", "calibrate", "test")


@dataclass(frozen=True)
class Reference(NpzRecord):
    """The release's predictions on held-out records; see the module's docstring for shapes and types."""

    FILE = REFERENCE_FILE
    mode: np.ndarray
    beta: np.ndarray
    sqrt_ve: np.ndarray
    score: np.ndarray
    good: np.ndarray
    lot: np.ndarray
    verdicts: np.ndarray
    maps: np.ndarray
    map_lot: np.ndarray


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
