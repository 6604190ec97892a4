"""A new lot: its threshold is its level and the deviations that the parent knows; passing defects is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.enrolling import enrolled_parts, held_out, parts_of_new_lot, parts_of_new_mode

from tasks.config.run import EvaluateConfig
from tasks.core.errors import CannotEnrol, UnfitRelease
from tasks.enrolment.lots import PARENT_PARTS, deviations_in_lots, enrol_lot, require_defects_found
from tasks.registry.release_files import DEFECT_THRESHOLD, load_scores

SETTINGS = EvaluateConfig()


@pytest.fixture
def release(plain_release):
    """Its threshold by the rule of the small line, in the raw map."""
    threshold = replace(plain_release.thresholds[DEFECT_THRESHOLD], rule="target_fpr", target=0.05)
    return replace(plain_release, thresholds=plain_release.thresholds | {DEFECT_THRESHOLD: threshold})


@pytest.fixture
def scores(release, hidden):
    """Scores of 300 good parts and 600 defects for the calibration."""
    parts = hidden(each=300, seed=4)
    score = release.classifier.score(release.classifier.embed(parts.maps))
    stored, count = load_scores(release.path), len(parts)
    return replace(stored, score=score, good=parts.label == 0, test=np.zeros(count, bool), unit=np.arange(count),
                   unit_kind=np.array("record"))  # fmt: skip


@pytest.fixture
def tests(release, hidden):
    return held_out(release.classifier, hidden(each=40, seed=3))


def learnt_of(release, parts, scores, tests, settings=SETTINGS):
    return enrol_lot(release, "mean-embedding", enrolled_parts(release.classifier, parts), scores, tests, settings)


def test_a_lot_at_another_place_gets_its_prototype_and_a_threshold_of_its_own(release, scores, tests):
    parts, new = parts_of_new_lot(10), parts_of_new_lot(200, seed=1)
    learnt, evidence = learnt_of(release, parts, scores, tests)
    weight = 10 / (10 + PARENT_PARTS)
    mean = (1 - weight) * release.classifier.good["mean"] + weight * parts.maps.mean(axis=0)
    np.testing.assert_allclose(learnt.classifier.good["mean"], mean, rtol=1e-5)
    stopped = [
        (side.classifier.score(side.classifier.embed(new.maps)) > side.defect_threshold).mean()
        for side in (release, learnt)
    ]
    assert stopped[0] > 0.9
    assert stopped[1] < 0.2
    assert evidence.alarms["before"].count == 10
    assert evidence.alarms["after"].count < 5
    assert evidence.escapes["after"].count - evidence.escapes["before"].count <= evidence.lost.count


def test_the_threshold_keeps_rule_and_target(release, scores, tests):
    learnt, _ = learnt_of(release, parts_of_new_lot(10), scores, tests)
    threshold = learnt.thresholds[DEFECT_THRESHOLD]
    assert (threshold.rule, threshold.target, threshold.units, threshold.lots) == ("target_fpr", 0.05, 10, None)
    assert threshold.interval[0] < threshold.value < threshold.interval[1]
    certain = replace(release.thresholds[DEFECT_THRESHOLD], rule="target_fpr_pac")
    by = replace(release, thresholds=release.thresholds | {DEFECT_THRESHOLD: certain})
    assert learnt_of(by, parts_of_new_lot(10), scores, tests)[0].defect_threshold > threshold.value
    other = replace(release.thresholds[DEFECT_THRESHOLD], rule="youden", target=None)
    by = replace(release, thresholds=release.thresholds | {DEFECT_THRESHOLD: other})
    target = learnt_of(by, parts_of_new_lot(10), scores, tests)[0].thresholds[DEFECT_THRESHOLD].target
    score, defect, _ = scores.part(False)
    assert target == (score[~defect] > other.value).mean()


def test_deviations_are_those_within_lots():
    score, unit = np.array([1.0, 3.0, 11.0, 13.0, 50.0]), np.array([0, 0, 1, 1, 2])
    root = np.sqrt(2)
    np.testing.assert_allclose(deviations_in_lots(score, unit, of_lots=True), [-root, -root, root, root])
    assert len(deviations_in_lots(score, unit, of_lots=False)) == 5
    with pytest.raises(CannotEnrol, match="two good calibration records of one lot"):
        deviations_in_lots(score, np.arange(5), of_lots=True)


def test_defects_taken_for_a_lot_are_refused_where_other_defects_would_pass(release, scores, tests):
    parts = replace(parts_of_new_mode(10), maps=tests.maps[tests.mode == "1"][:10] * 2)
    _, evidence = learnt_of(release, parts, scores, tests)
    with pytest.raises(CannotEnrol, match=r"17: expected less than 2\.0% of the defective test records to pass"):
        require_defects_found("17", evidence, 0.02)
    require_defects_found("17", evidence, 1.0)


def test_a_release_without_a_threshold_knows_no_lot(release, scores, tests):
    with pytest.raises(UnfitRelease, match="expected a release with a threshold"):
        learnt_of(replace(release, thresholds={}), parts_of_new_lot(10), scores, tests)
