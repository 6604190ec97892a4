"""The scores that a release's threshold was found and judged on, kept so that another threshold can be.

scores.npz    score (n,) float64 in the release's own unit, good (n,) bool, test (n,) bool: of the test part,
              else of the calibration part; unit (n,) int: what a bootstrap draws as one, within each part;
              unit_kind () str: record or group
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from tasks.core.errors import NothingToCalibrate
from tasks.data.bank import Bank
from tasks.evaluation.bootstrap import bootstrap_units
from tasks.model.classifier import PrototypeClassifier

SCORES_FILE = "scores.npz"


@dataclass(frozen=True)
class CalibrationScores:
    """See the module's docstring for shapes and types; empty where there is no good prototype."""

    score: np.ndarray
    good: np.ndarray
    test: np.ndarray
    unit: np.ndarray
    unit_kind: np.ndarray

    def part(self, test: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Score, defect and unit of the test part, or of the calibration part: (k,) each."""
        rows = self.test == test
        return self.score[rows], ~self.good[rows], self.unit[rows]


def collect_scores(judge: PrototypeClassifier, bank: Bank) -> CalibrationScores:
    """The scores of the bank's calibration and test part by its judge."""
    if judge.good_distances is None:
        return CalibrationScores(
            np.empty(0), np.empty(0, bool), np.empty(0, bool), np.empty(0, np.int64), np.array("record")
        )
    parts = [bank.rows(part) for part in ("calibrate", "test")]
    rows = np.concatenate(parts)
    units = [bootstrap_units(bank, part) for part in parts]
    return CalibrationScores(
        score=judge.score(np.asarray(bank.maps[rows])),
        good=bank.good[rows],
        test=np.repeat([False, True], [len(part) for part in parts]),
        unit=np.concatenate([codes for codes, _ in units]),
        unit_kind=np.array(units[1][1].split()[0]),
    )


def write_scores(scores: CalibrationScores, folder: Path) -> None:
    """Write `scores.npz` into a folder."""
    np.savez(folder / SCORES_FILE, **{field.name: getattr(scores, field.name) for field in fields(CalibrationScores)})


def read_scores(folder: Path) -> CalibrationScores:
    """The scores of a release's folder; NothingToCalibrate where it keeps none, or knows no good parts."""
    if (folder / SCORES_FILE).exists():
        with np.load(folder / SCORES_FILE, allow_pickle=False) as file:
            found = CalibrationScores(**{field.name: file[field.name] for field in fields(CalibrationScores)})
        if len(found.score):
            return found
    raise NothingToCalibrate(
        f"{folder.name}: expected a release with the scores of good and defective parts, found none; "
        "retrain on data with good parts"
    )
