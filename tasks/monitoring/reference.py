"""What parts looked like when a release was made: the reference that drift is measured against.

It comes from records that the tower was not trained on, for it has drawn the trained ones together, and
every new part would lie beyond them. What the release itself says of them is kept, since new parts have no
labels; and as many maps of parts called good as a test of each cell needs.

    reference.npz    mode (n,) code called, beta, sqrt_ve, score (n,) float32, good (n,) bool: called good,
                     lot (n,) str, verdicts (3,) counts of good, defect and unknown,
                     maps (k, values) float32 of called-good records, map_lot (k,) str
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.core.npz import load_npz, save_npz
from tasks.data.bank import Bank
from tasks.registry.loading import CalibratedClassifier
from tasks.registry.release_files import REFERENCE_FILE
from tasks.scoring.verdicts import VERDICTS, predict

MOST, MOST_MAPS = 20_000, 1000  # records and maps: 2 and 6 MB of a release
HELD_OUT_PARTS = ("stop", "calibrate", "test")


@dataclass(frozen=True)
class Reference:
    """The held-out records as the release judges them; see the module's docstring for shapes and types."""

    mode: np.ndarray
    beta: np.ndarray
    sqrt_ve: np.ndarray
    score: np.ndarray
    good: np.ndarray
    lot: np.ndarray
    verdicts: np.ndarray
    maps: np.ndarray
    map_lot: np.ndarray


def build_reference(opened: CalibratedClassifier, bank: Bank) -> Reference:
    """The reference that the bank's held-out records are; a sample by their hashes where they are many."""
    rows = np.concatenate([bank.rows(part) for part in HELD_OUT_PARTS])
    rows = rows[np.argsort(bank.hash[rows], kind="stable")][:MOST]
    found = predict(opened, np.asarray(bank.maps[rows], np.float32))
    good = found.verdict == "good"
    shown = rows[good][:MOST_MAPS]
    return Reference(
        mode=found.mode.astype(np.int32),
        **{name: getattr(found, name).astype(np.float32) for name in ("beta", "sqrt_ve", "score")},
        good=good,
        lot=bank.group[rows],
        verdicts=np.array([(found.verdict == name).sum() for name in VERDICTS]),
        maps=np.asarray(bank.maps[shown], np.float32),
        map_lot=bank.group[shown],
    )


def write_reference(reference: Reference, folder: Path) -> None:
    """Write `reference.npz` into a folder."""
    save_npz(reference, folder / REFERENCE_FILE)


def read_reference(folder: Path) -> Reference | None:
    """The reference of a release's folder; None for a release that is older than references."""
    path = folder / REFERENCE_FILE
    return load_npz(Reference, path) if path.exists() else None
