"""What a manifest says of an enrolment, and the sentence that people read in their language."""

from __future__ import annotations

import numpy as np
import pytest
from support.enrolling import enrolled_parts, held_out, parts_of_new_mode

from tasks.core.sentences import Sentence
from tasks.enrolment.enrolment import Enrolment
from tasks.enrolment.modes import enrol_mode
from tasks.enrolment.request import EnrolRequest
from tasks.registry.manifest import ReleaseManifest
from tasks.registry.record_bank import load_record_bank
from tasks.report.translation import translator


@pytest.fixture
def enrolment(small_line, plain_release, hidden):
    """The mode `bridge` of six parts, learnt by the raw map."""
    parts = enrolled_parts(plain_release.classifier, parts_of_new_mode(6))
    tests = held_out(plain_release.classifier, hidden(each=30, seed=3))
    learnt, evidence = enrol_mode(plain_release, "mean-embedding", "bridge", parts, tests, 0.95)
    bank = load_record_bank(plain_release.release, small_line.data_path, "this")
    request = EnrolRequest("mode", "bridge")
    return Enrolment(plain_release, learnt, parts, bank, "mode", "bridge", evidence, ("acme/bridges", "abc"), request)


def test_the_manifest_is_the_parent_s_with_what_was_learnt(enrolment):
    manifest, parent = enrolment.manifest("e" * 64), enrolment.parent.manifest
    assert (manifest.weights, manifest.stages, manifest.metrics) == (parent.weights, parent.stages, parent.metrics)
    assert manifest.parent_version == "v1"
    assert manifest.made_by == "enrolled"
    facts = manifest.enrolled
    assert (facts["kind"], facts["name"], facts["parts"], facts["source"]) == ("mode", "bridge", 6, "acme/bridges")
    assert (facts["recall"]["count"], facts["least_recall"], facts["margin"]) == (6, 0.8, 0.05)
    assert set(facts["by_mode"]) == {"0", "1", "2"}
    files = dict.fromkeys(parent.files, "")
    assert ReleaseManifest.from_json(manifest.as_json() | {"files": files}).enrolled == facts


def test_the_sentence_is_stored_with_its_code_and_translated(enrolment):
    stored = enrolment.manifest("e" * 64).comparison
    assert stored["verdict"].startswith("v1 with the mode bridge, enrolled from 6 parts without training: 6 of 6")
    sentence = Sentence.from_json(stored["verdict"], stored["verdict_code"])
    assert translator("ja")(sentence).startswith("v1 にモード bridge を学習なしで部品 6 個から登録")


def test_an_earlier_manifest_knows_nothing_of_it(enrolment):
    entries = enrolment.parent.manifest.as_json()
    assert "enrolled" not in entries
    assert enrolment.parent.manifest.made_by == "released"
    assert np.isfinite(enrolment.evidence.recall.value)
