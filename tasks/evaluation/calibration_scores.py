"""The scores on which a release's threshold is found and tested, kept so that another threshold can be found."""

from __future__ import annotations

import numpy as np

from tasks.data.bank import Bank
from tasks.evaluation.bootstrap import bootstrap_units
from tasks.model.classifier import PrototypeClassifier
from tasks.registry.release_files import CalibrationScores


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
