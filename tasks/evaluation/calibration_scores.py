"""The scores on which a release's threshold is found and tested, kept so that another threshold can be found."""

from __future__ import annotations

import numpy as np

from tasks.evaluation.bootstrap import bootstrap_units
from tasks.evaluation.scored_records import ScoredRecords
from tasks.registry.release_files import CalibrationScores


def collect_scores(calibration: ScoredRecords, test: ScoredRecords) -> CalibrationScores:
    """The scores of the bank's calibration and test part."""
    if not test.classifier.knows_good:
        return CalibrationScores(
            np.empty(0), np.empty(0, bool), np.empty(0, bool), np.empty(0, np.int64), np.array("record")
        )
    parts = calibration, test
    units = [bootstrap_units(part.bank, part.rows) for part in parts]
    return CalibrationScores(
        score=np.concatenate([part.score for part in parts]),
        good=np.concatenate([part.good for part in parts]),
        test=np.repeat([False, True], [len(part) for part in parts]),
        unit=np.concatenate([codes for codes, _ in units]),
        unit_kind=np.array(units[1][1].split()[0]),
    )
