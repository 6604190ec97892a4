"""A new lot from a few good parts of it: the good prototype and the threshold are adapted to the lot.

The good prototype moves towards the mean of the parts. The threshold is the level of the lot, as its parts tell it when
each is left out of the prototype, plus how far parts of one lot deviate from their lot's level, as the parent's
calibration records tell it: ten parts cannot show a quantile of 5 %. The level of ten parts is known within its
standard error, with Student's t.

It is not above the score of the part that is farthest from the others: distances saturate, so that of a lot that is far
off the sum would let most defects pass (docs/enrolment.md). Nor is it below the parent's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from tasks.config.run import EvaluateConfig
from tasks.core.errors import CannotEnrol, UnfitRelease
from tasks.core.text import one_line
from tasks.enrolment.modes import HeldOutRecords, describe
from tasks.enrolment.parts import EnrolledParts
from tasks.enrolment.prototypes import blended, prototype_of, prototypes_left_out
from tasks.evaluation.costs import ErrorRate, error_rate
from tasks.evaluation.lots import LotEffects
from tasks.model.classifier import PrototypeClassifier
from tasks.registry.loading import CalibratedClassifier
from tasks.registry.release_files import DEFECT_THRESHOLD, CalibrationScores, Threshold

PARENT_PARTS = 10  # so many parts the parent's good prototype counts as


@dataclass(frozen=True)
class LotEvidence:
    """What enrolling a lot does, before and after; each a share with its interval, by the names in `WHEN`.

    alarms: of the lot's good parts, those that are stopped; after: each left out of the prototype. escapes: of the
    defective test records, which are of other lots, those that pass. lost: those that only the new threshold passes.
    """

    alarms: dict[str, ErrorRate]
    escapes: dict[str, ErrorRate]
    lost: ErrorRate | None


WHEN = ("before", "after")


def enrol_lot(
    parent: CalibratedClassifier,
    kind: str,
    parts: EnrolledParts,
    scores: CalibrationScores,
    tests: HeldOutRecords,
    settings: EvaluateConfig,
) -> tuple[CalibratedClassifier, LotEvidence]:
    """The classifier for the lot, and what it does; kind: see `prototype_of`.

    scores: those of the parent's calibration part. Raises CannotEnrol, and UnfitRelease for a release that has no
    threshold.
    """
    before = parent.thresholds.get(DEFECT_THRESHOLD)
    if before is None or before.value is None or parent.classifier.good is None:
        raise UnfitRelease("expected a release with a threshold between good and defect, found none; retrain")
    left_out = _left_out_scores(parent.classifier, kind, parts)
    good = blended(
        parent.classifier.good, prototype_of(parent.classifier, kind, parts), len(parts) / (len(parts) + PARENT_PARTS)
    )
    threshold = _threshold(before, left_out, scores, settings)
    thresholds = parent.thresholds | {DEFECT_THRESHOLD: threshold}
    enrolled = replace(parent, classifier=replace(parent.classifier, good=good), thresholds=thresholds)
    return enrolled, _evidence(parent, enrolled, left_out, parts, tests, settings.confidence)


def _left_out_scores(classifier: PrototypeClassifier, kind: str, parts: EnrolledParts) -> np.ndarray:
    """The score (n,) of each part by the good prototype that the others give."""
    others = len(parts) - 1
    prototypes = blended(
        classifier.good, prototypes_left_out(classifier, kind, parts), others / (others + PARENT_PARTS)
    )
    distances = classifier.distance.from_prototype(np.asarray(parts.embedded.vectors, np.float64), prototypes)
    return classifier.score_at(distances, parts.embedded.peaks, parts.embedded.patches)


def _threshold(
    before: Threshold, left_out: np.ndarray, scores: CalibrationScores, settings: EvaluateConfig
) -> Threshold:
    """The threshold for the lot, by the rule and target of the one before.

    Another rule's target is the share of good calibration records that its threshold stops.
    """
    score, defect, unit = scores.part(False)
    deviations = deviations_in_lots(score[~defect], unit[~defect], str(scores.unit_kind) == "group")
    error = float(left_out.std(ddof=1)) / math.sqrt(len(left_out))
    lot = LotEffects(len(left_out), float(left_out.mean()), error, error, deviations)
    rule, target = before.rule, before.target
    if not rule.startswith("target"):
        stopped = float((score[~defect] > before.value).mean())
        rule, target = "target_fpr", max(stopped, 1 / (len(deviations) + 1))
    try:
        is_certain = rule == "target_fpr_pac"
        value = lot.certain_threshold(target, settings.target_confidence) if is_certain else lot.threshold(target)
    except ValueError as error:
        raise CannotEnrol(f"no threshold by {rule}: {error.args[0]}") from None
    value = max(before.value, min(value, float(left_out.max())))
    count = len(left_out)
    values = {"rule": rule, "target": target, "value": value, "interval": lot.interval(value, settings.confidence)}
    return replace(before, **values, units=count, negatives=count, refused=None, lots=None, crossed=None)


def deviations_in_lots(score: np.ndarray, unit: np.ndarray, of_lots: bool) -> np.ndarray:
    """How far scores (n,) lie from the mean of their lot, sorted; from the mean of all where the units are no lots.

    Raises CannotEnrol where no lot has two records.
    """
    _, code, size = np.unique(unit if of_lots else np.zeros(len(unit)), return_inverse=True, return_counts=True)
    several = size[code] > 1
    if not several.any():
        raise CannotEnrol("expected two good calibration records of one lot or more, found none; retrain")
    level = np.bincount(code, score) / size
    deviations = (score - level[code]) * np.sqrt(size / np.maximum(size - 1, 1))[code]
    return np.sort(deviations[several])


def _evidence(
    parent: CalibratedClassifier,
    enrolled: CalibratedClassifier,
    left_out: np.ndarray,
    parts: EnrolledParts,
    tests: HeldOutRecords,
    confidence: float,
) -> LotEvidence:
    alone, defect = np.arange(len(parts)), ~tests.good
    stopped = (parent.classifier.score(parts.embedded) > parent.defect_threshold, left_out > enrolled.defect_threshold)
    passed = [side.classifier.score(tests.embedded)[defect] <= side.defect_threshold for side in (parent, enrolled)]
    units = tests.units[defect]
    return LotEvidence(
        alarms={when: error_rate(hit, alone, confidence) for when, hit in zip(WHEN, stopped, strict=True)},
        escapes={
            when: error_rate(hit, units, confidence) for when, hit in zip(WHEN, passed, strict=True) if defect.any()
        },
        lost=error_rate(passed[1] & ~passed[0], units, confidence) if defect.any() else None,
    )


def require_defects_found(name: str, evidence: LotEvidence, margin: float) -> None:
    """Raise CannotEnrol where the lot's threshold is shown to pass more defects of other lots than the margin."""
    if evidence.lost is not None and evidence.lost.low > margin:
        raise CannotEnrol(
            f"{one_line(name)}: expected less than {margin:.1%} of the defective test records to pass that were found "
            f"before, found {describe(evidence.lost)}; the parts may not be good, or the lot needs a training"
        )
