"""A new mode from a few labelled parts: its prototype, and what it does to the verdicts on the modes that are known.

The tower and all other prototypes stay. Whether a part is good does not depend on the modes, so that a new one can only
change which mode a defect is said to have, and whether it is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tasks.core.errors import CannotEnrol
from tasks.core.text import one_line
from tasks.data.bank import Bank
from tasks.enrolment.parts import EnrolledParts
from tasks.enrolment.prototypes import prototype_of, prototypes_left_out, smoothed, with_mode
from tasks.evaluation.costs import ErrorRate, error_rate
from tasks.model.embeddings import Embedded
from tasks.registry.loading import CalibratedClassifier
from tasks.scoring.verdicts import Predictions, predict_embedded


@dataclass(frozen=True)
class HeldOutRecords:
    """The parent's n test records: maps, embeddings, mode (n,) str, good (n,) bool, and units (n,) of a resampling."""

    maps: np.ndarray
    embedded: Embedded
    mode: np.ndarray
    good: np.ndarray
    units: np.ndarray

    @classmethod
    def of(cls, bank: Bank, embedded: Embedded, units: np.ndarray) -> HeldOutRecords:
        """The bank's test records and their embeddings."""
        rows = bank.rows("test")
        return cls(np.asarray(bank.maps[rows]), embedded, np.array(bank.modes, str)[bank.mode[rows]],
                   bank.good[rows], units)  # fmt: skip


@dataclass(frozen=True)
class ModeEvidence:
    """What enrolling a mode does; each a share with its interval.

    recall: of the new parts, those nearest to the mode when each is left out of its prototype; named: those that get
    the verdict defect of that mode; stopped: those that are not called good; changed: of the parent's test records,
    those whose mode or verdict changes; by_mode: the same for each mode.
    """

    recall: ErrorRate
    named: ErrorRate
    stopped: ErrorRate
    changed: ErrorRate
    by_mode: dict[str, ErrorRate]


def enrol_mode(
    parent: CalibratedClassifier, kind: str, name: str, parts: EnrolledParts, tests: HeldOutRecords, confidence: float
) -> tuple[CalibratedClassifier, ModeEvidence]:
    """The classifier with the mode, and what speaks for it; kind: see `prototype_of`. Raises CannotEnrol."""
    if name in parent.classifier.modes:
        raise CannotEnrol(f"--name: expected a mode that the release does not know, found {one_line(name)}; retrain")
    classifier = parent.classifier
    prototype = smoothed(classifier, prototype_of(classifier, kind, parts))
    anchors = np.concatenate([parent.anchors, parts.maps.mean(axis=0, keepdims=True, dtype=np.float64)])
    enrolled = replace(parent, classifier=with_mode(classifier, name, prototype), anchors=anchors)
    return enrolled, _evidence(parent, enrolled, kind, parts, tests, confidence)


def _evidence(
    parent: CalibratedClassifier,
    enrolled: CalibratedClassifier,
    kind: str,
    parts: EnrolledParts,
    tests: HeldOutRecords,
    confidence: float,
) -> ModeEvidence:
    nearest, distance = _left_out(parent, kind, parts)
    stopped = parent.classifier.score(parts.embedded) > parent.defect_threshold
    named = nearest & stopped & ~(distance > parent.mode_radius)
    changed = _differ(*(predict_embedded(side, tests.maps, tests.embedded) for side in (parent, enrolled)))
    alone = np.arange(len(parts))

    def rate(hit: np.ndarray, units: np.ndarray) -> ErrorRate:
        return error_rate(hit, units, confidence)

    return ModeEvidence(
        recall=rate(nearest, alone),
        named=rate(named, alone),
        stopped=rate(stopped, alone),
        changed=rate(changed, tests.units),
        by_mode={
            str(mode): rate(changed[tests.mode == mode], tests.units[tests.mode == mode])
            for mode in np.unique(tests.mode)
        },
    )


def _left_out(parent: CalibratedClassifier, kind: str, parts: EnrolledParts) -> tuple[np.ndarray, np.ndarray]:
    """Whether each part (n,) is nearest to the mode's prototype without it, and its distance (n,) to that."""
    classifier = parent.classifier
    prototypes = smoothed(classifier, prototypes_left_out(classifier, kind, parts))
    distance = classifier.distance.from_prototype(np.asarray(parts.embedded.vectors, np.float64), prototypes)
    return distance < classifier.mode_distances(parts.embedded).min(axis=1), distance


def _differ(before: Predictions, after: Predictions) -> np.ndarray:
    return (before.mode != after.mode) | (before.verdict != after.verdict)


def require_recall(name: str, evidence: ModeEvidence, least: float) -> None:
    """Raise CannotEnrol where too few parts are nearest to the mode when they are left out."""
    recall = evidence.recall
    if recall.value < least:
        raise CannotEnrol(
            f"{one_line(name)}: expected {least:.0%} of its parts or more to be nearest to it when left out, found "
            f"{describe(recall)}; check their labels, label more parts, or retrain"
        )


def require_no_harm(name: str, evidence: ModeEvidence, margin: float) -> None:
    """Raise CannotEnrol where verdicts on the other modes may change more than the margin, or those on one mode do."""
    changed = evidence.changed
    if changed.high >= margin:
        raise CannotEnrol(
            f"{one_line(name)}: expected less than {margin:.1%} of the verdicts on the parent's test records to "
            f"change, "
            f"found {describe(changed)}; label parts that are more alike, or retrain"
        )
    for mode, rate in evidence.by_mode.items():
        if rate.low > margin:
            raise CannotEnrol(
                f"{one_line(name)}: expected the verdicts on less than {margin:.1%} of the mode {one_line(mode)} to "
                f"change, found {describe(rate)}; label parts that are more alike, or retrain"
            )


def describe(rate: ErrorRate) -> str:
    """Count, share and interval, such as `4 of 5 (80.0 % [28.4 %, 99.5 %])`."""
    return f"{rate.count} of {rate.of} ({100 * rate.value:.1f} % [{100 * rate.low:.1f} %, {100 * rate.high:.1f} %])"
