"""Champion and challenger side by side: both judged anew on one frozen set, record by record.

What cannot be compared is told as `impossible`, which the gate takes for a rejection: whatever goes
wrong here, the champion stays.
"""

from __future__ import annotations

from typing import Any
from zipfile import BadZipFile

import numpy as np

from tasks.bank import Bank
from tasks.champion import Comparable, champion_judge, comparable
from tasks.config import Retrain
from tasks.errors import NotComparable
from tasks.figures import pair_figures
from tasks.judge import Judge
from tasks.judgement import units_of
from tasks.paired import draws_for, fewest, paired
from tasks.releases import Release

# What a release of another Kensa can raise: a file that is missing, cut or of another form; a distance, a
# layer or a map's size that this one does not know. All else is a mistake of ours, and fails the run.
UNUSABLE = (OSError, EOFError, BadZipFile, KeyError, TypeError, ValueError)


def comparison_with(
    champion: Release, judge: Judge, bank: Bank, config: Retrain, frozen: dict[str, Any]
) -> dict[str, Any]:
    """Challenger and champion on the same records of the frozen set, in the modes that both know.

    `impossible` says why there is none. Else `challenger` and `champion` hold the pair figures of each,
    `figures`, `modes` and `few` what the first has over the second (see tasks/paired.py, modes by name),
    and `same_model` whether their distances are equal to the last bit.
    """
    found: dict[str, Any] = {
        "version": champion.version,
        "frozen": frozen["version"],
        "champion_frozen": champion.manifest.get("frozen", {}).get("version"),
        "test_records": len(bank.rows("test")),
        "records": 0,
        "impossible": None,
    }
    try:
        left = _left(champion, bank)
        told = ("seen", "unknown", "lost", "unjudged", "impossible")
        found |= {"records": len(left.rows), **{name: getattr(left, name) for name in told}}
        if left.impossible:
            return found
        distances = [_distances(judge, left, bank, "this model"), _champions(champion, left, bank)]
    except NotComparable as error:
        return found | {"impossible": str(error)}
    return found | _side_by_side(*distances, left, bank, config)


def _side_by_side(own: np.ndarray, other: np.ndarray, left: Comparable, bank: Bank, config: Retrain) -> dict[str, Any]:
    mode = np.array([left.modes.index(bank.modes[code]) for code in bank.mode[left.rows]])
    units, unit = units_of(bank, left.rows)
    confidence = config.gate.confidence
    draws = draws_for(config.evaluate.bootstrap, confidence)
    found = paired(own, other, mode, units, confidence, draws, config.seed)
    few = found["few"] and found["few"] | {"modes": [left.modes[code] for code in found["few"]["modes"]]}
    return {
        "challenger": pair_figures(own, mode),
        "champion": pair_figures(other, mode),
        "same_model": bool(np.array_equal(own, other)),
        "figures": found["figures"],
        "modes": {left.modes[code]: entry for code, entry in found["modes"].items()},
        "few": few,
        "fewest": fewest(confidence),
        "unit": unit,
        "units": len(np.unique(units)),
        "draws": draws,
        "confidence": confidence,
    }


def _left(champion: Release, bank: Bank) -> Comparable:
    try:
        return comparable(champion, bank)
    except UNUSABLE as error:
        raise _unusable(champion, error) from error


def _champions(champion: Release, left: Comparable, bank: Bank) -> np.ndarray:
    try:
        return _distances(champion_judge(champion), left, bank, f"the champion {champion.version}")
    except UNUSABLE as error:
        raise _unusable(champion, error) from error


def _unusable(champion: Release, error: Exception) -> NotComparable:
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return NotComparable(
        f"{champion.path.name} cannot be used ({said[:300]}); promote a release that can, or use another --artifacts"
    )


def _distances(judge: Judge, left: Comparable, bank: Bank, who: str) -> np.ndarray:
    """Distances (n, modes) of the records that are left to the modes that are left."""
    columns = [judge.modes.index(mode) for mode in left.modes]
    found = np.asarray(judge.to_modes(np.asarray(bank.maps[left.rows])))[:, columns]
    if not np.isfinite(found).all():
        raise NotComparable(f"{who} gives distances that are no finite numbers")
    return found
