"""Champion and challenger side by side: both judged anew on one frozen set, record by record.

What cannot be compared is told as `impossible`, which the gate takes for a rejection: whatever goes
wrong here, the champion stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.config.run import RunConfig
from tasks.core.errors import NotComparable
from tasks.core.text import one_line
from tasks.data.bank import Bank
from tasks.evaluation.bootstrap import bootstrap_units
from tasks.evaluation.metrics import pair_metrics
from tasks.evaluation.paired_bootstrap import min_units_for_significance, paired_differences, required_draws
from tasks.evaluation.scored_records import ScoredRecords, score_bank_part
from tasks.registry.loading import load_classifier
from tasks.registry.manifest import FrozenSet
from tasks.registry.release_files import UNREADABLE_RELEASE, ClassifierArrays, SplitRecords
from tasks.registry.releases import Release


def compare_with_champion(
    champion: Release, challenger: ScoredRecords, config: RunConfig, frozen: FrozenSet
) -> dict[str, Any]:
    """Challenger and champion on the same records of the frozen set, in the modes that both know.

    `impossible` says why there is none. Else `challenger` and `champion` hold the pair figures of each,
    `figures`, `modes` and `few` what the first has over the second (see paired_bootstrap.py, modes by name), and
    `same_model` whether their distances are equal to the last bit.
    """
    found: dict[str, Any] = {
        "version": champion.version,
        "frozen": frozen.version,
        "champion_frozen": champion.manifest.frozen and champion.manifest.frozen.version,
        "test_records": len(challenger),
        "records": 0,
        "impossible": None,
    }
    bank = challenger.bank
    try:
        left = _remaining_records(champion, bank)
        told = ("seen", "unknown", "lost", "unjudged", "impossible")
        found |= {"records": len(left.rows), **{name: getattr(left, name) for name in told}}
        if left.impossible:
            return found
        distances = [_distances(challenger, left, "this model"), _champion_distances(champion, left, bank)]
    except NotComparable as error:
        return found | {"impossible": str(error)}
    return found | _side_by_side(*distances, left, bank, config)


def _side_by_side(
    own: np.ndarray, other: np.ndarray, left: ComparableRecords, bank: Bank, config: RunConfig
) -> dict[str, Any]:
    mode = np.array([left.modes.index(bank.modes[code]) for code in bank.mode[left.rows]])
    units, unit = bootstrap_units(bank, left.rows)
    confidence = config.gate.confidence
    draws = required_draws(config.evaluate.bootstrap, confidence)
    found = paired_differences(own, other, mode, units, confidence, draws, config.seed)
    few = found["few"] and found["few"] | {"modes": [left.modes[code] for code in found["few"]["modes"]]}
    return {
        "challenger": pair_metrics(own, mode),
        "champion": pair_metrics(other, mode),
        "same_model": bool(np.array_equal(own, other)),
        "figures": found["figures"],
        "modes": {left.modes[code]: entry for code, entry in found["modes"].items()},
        "few": few,
        "fewest": min_units_for_significance(confidence),
        "unit": unit,
        "units": len(np.unique(units)),
        "draws": draws,
        "confidence": confidence,
    }


def _remaining_records(champion: Release, bank: Bank) -> ComparableRecords:
    try:
        return comparable_records(champion, bank)
    except UNREADABLE_RELEASE as error:
        raise _unusable(champion, error) from error


def _champion_distances(champion: Release, left: ComparableRecords, bank: Bank) -> np.ndarray:
    try:
        # all test records, as the challenger embeds them: in other batches a tower's last digits are others
        records = score_bank_part(load_classifier(champion), bank, "test")
        return _distances(records, left, f"the champion {champion.version}")
    except UNREADABLE_RELEASE as error:
        raise _unusable(champion, error) from error


def _unusable(champion: Release, error: Exception) -> NotComparable:
    reason = one_line(f"{type(error).__name__}: {error}")
    return NotComparable(
        f"{champion.path.name} cannot be used ({reason}); promote a release that can, or use another --artifacts"
    )


def _distances(records: ScoredRecords, left: ComparableRecords, who: str) -> np.ndarray:
    """Distances (n, modes) of the records that are left to the modes that are left."""
    columns = [records.classifier.modes.index(mode) for mode in left.modes]
    found = records.take(np.isin(records.rows, left.rows)).distances[:, columns]
    if not np.isfinite(found).all():
        raise NotComparable(f"{who} gives distances that are no finite numbers")
    return found


MIN_COMPARED = 20  # test records below which two models cannot be told apart


@dataclass(frozen=True)
class ComparableRecords:
    """The test records on which a champion can be judged fairly, and what stays out.

    rows: (n,) rows of the bank; modes: those with such records, in the bank's order. Left out and
    counted: `seen` records that the champion was trained, stopped or calibrated on, and records of
    modes that it does not know, `unknown`. `lost` are the champion's modes that the bank does not
    know, `unjudged` those that both know and no record is left of. `impossible` says why there is too little.
    """

    rows: np.ndarray
    modes: list[str]
    seen: int
    unknown: int
    lost: list[str]
    unjudged: list[str]
    impossible: str | None


def comparable_records(release: Release, bank: Bank) -> ComparableRecords:
    """What is left of the test part: a record that the champion has seen would flatter it."""
    seen = np.isin(bank.hash[bank.rows("test")], SplitRecords.load(release.path).seen)
    known = ClassifierArrays.load(release.path).modes
    rows = bank.rows("test")
    both = np.isin(np.array(bank.modes)[bank.mode[rows]], known)
    left = rows[~seen & both]
    found = [bank.modes[code] for code in np.unique(bank.mode[left])]
    return ComparableRecords(
        rows=left,
        modes=found,
        seen=int(seen.sum()),
        unknown=int((~seen & ~both).sum()),
        lost=[mode for mode in known if mode not in bank.modes],
        unjudged=[mode for mode in bank.modes if mode in known and mode not in found],
        impossible=_why_too_few(len(left), len(found)),
    )


def _why_too_few(records: int, modes: int) -> str | None:
    if modes >= 2 and records >= MIN_COMPARED:
        return None
    return f"{records} test records in {modes} modes are new to it and known by it; {MIN_COMPARED} in 2 are needed"
