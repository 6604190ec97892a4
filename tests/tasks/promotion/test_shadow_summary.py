"""What two models have in common, as JSON and back, and in one sentence."""

from __future__ import annotations

import json

from tasks.core.inspection import Proportion
from tasks.core.json_form import record_of
from tasks.promotion.shadow_summary import ErrorPair, ShadowSummary

RATE = Proportion(0.25, 25, 100, (0.17, 0.35))
PAIR = ErrorPair(Proportion(0.1, 2, 20, (0.02, 0.3)), Proportion(0.05, 1, 20, (0.01, 0.25)), -0.05, (-0.2, 0.1))
SUMMARY = ShadowSummary("v1", "v2", 100, RATE, {"good → defect": 75}, {"2": RATE}, 20, PAIR, None)


def test_it_is_the_same_after_json():
    assert record_of(ShadowSummary, json.loads(json.dumps(SUMMARY.as_json()))) == SUMMARY


def test_the_sentence_names_errors_only_where_labels_are_known():
    expected = "25 of 100 verdicts agree with the champion v1; escapes 10.0 % → 5.0 % of 20"
    assert SUMMARY.sentence == expected
