"""A new mode: what it does to verdicts is measured on parts that it was not made of, and harm is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.enrolling import enrolled_parts, held_out, parts_of_new_mode

from tasks.core.errors import CannotEnrol
from tasks.enrolment.modes import describe, enrol_mode, require_no_harm, require_recall
from tasks.evaluation.costs import error_rate


def enrolled(release, parts, tests, name="bridge"):
    return enrol_mode(release, "mean-embedding", name, enrolled_parts(release.classifier, parts), tests, 0.95)


@pytest.fixture
def tests(plain_release, hidden):
    return held_out(plain_release.classifier, hidden(each=30, seed=3))


def test_a_mode_far_from_all_others_is_found_and_changes_nothing(plain_release, tests):
    learnt, evidence = enrolled(plain_release, parts_of_new_mode(6), tests)
    assert (evidence.recall.count, evidence.recall.of) == (6, 6)
    assert evidence.recall.low == pytest.approx(0.025 ** (1 / 6)), "six of six do not prove much"
    assert (evidence.changed.count, evidence.changed.of) == (0, 90)
    assert evidence.changed.high == pytest.approx(1 - 0.025 ** (1 / 90))
    assert set(evidence.by_mode) == {"0", "1", "2"}
    np.testing.assert_allclose(learnt.anchors[-1], parts_of_new_mode(6).maps.mean(axis=0), rtol=1e-5)
    require_recall("bridge", evidence, 1.0)
    require_no_harm("bridge", evidence, 0.05)


def test_a_part_is_judged_without_itself(plain_release, tests):
    """Four parts alike and one that is like good parts: that one is nearest to the mode only where it made it."""
    parts = parts_of_new_mode(5)
    parts.maps[4] = 0.0
    _, evidence = enrolled(plain_release, parts, tests)
    assert evidence.recall.count == 4
    assert evidence.named.count <= evidence.stopped.count
    with pytest.raises(CannotEnrol, match=r"bridge: expected 90% .* found 4 of 5 \(80\.0 % \[28\.4 %, 99\.5 %\]\)"):
        require_recall("bridge", evidence, 0.9)


def test_a_part_is_named_where_it_is_nearest_stopped_and_within_the_radius(plain_release, tests):
    parts = parts_of_new_mode(8)
    parts.maps[6:] *= 3.0  # far from the others
    parts.maps[0, :] *= 0.05  # like a good part
    _, evidence = enrolled(plain_release, parts, tests)
    centres, good = (plain_release.classifier.prototypes["mean"], plain_release.classifier.good["mean"][0])
    rest = np.stack([np.delete(parts.maps, i, axis=0).mean(axis=0) for i in range(8)])
    own = np.linalg.norm(parts.maps - rest, axis=1)
    others = np.linalg.norm(parts.maps[:, None] - centres, axis=2).min(axis=1)
    stopped = np.linalg.norm(parts.maps - good, axis=1) > plain_release.defect_threshold
    nearest, near = own < others, own <= plain_release.mode_radius
    assert (evidence.recall.count, evidence.stopped.count) == (nearest.sum(), stopped.sum())
    assert evidence.named.count == (nearest & stopped & near).sum()
    assert stopped.sum() < 8


def test_a_mode_like_a_known_one_is_refused_by_the_interval_and_by_that_mode(plain_release, tests):
    like_good = replace(parts_of_new_mode(6, cells=[]), maps=tests.maps[tests.good][:6] + 0.01)
    _, evidence = enrolled(plain_release, like_good, tests)
    assert evidence.changed.count == sum(rate.count for rate in evidence.by_mode.values()) > 0
    with pytest.raises(CannotEnrol, match=r"less than 5\.0% of the verdicts on the parent's test records to change"):
        require_no_harm("bridge", evidence, 0.05)
    worst = error_rate(np.arange(30) < 20, np.arange(30), 0.95)
    few = replace(evidence, changed=replace(evidence.changed, high=0.01), by_mode={"2": worst})
    with pytest.raises(CannotEnrol, match=r"verdicts on less than 5\.0% of the mode 2 to change, found 20 of 30"):
        require_no_harm("bridge", few, 0.05)


def test_a_mode_that_is_known_is_refused(plain_release, tests):
    with pytest.raises(CannotEnrol, match="--name: expected a mode that the release does not know, found 2"):
        enrolled(plain_release, parts_of_new_mode(6), tests, name="2")


def test_a_share_is_told_with_its_interval():
    assert describe(error_rate(np.arange(5) < 4, np.arange(5), 0.95)) == "4 of 5 (80.0 % [28.4 %, 99.5 %])"
