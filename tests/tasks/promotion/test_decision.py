"""The decision in a report: the gate's reasons, and what the reader must know of the run."""

from __future__ import annotations

import json
from dataclasses import fields
from types import SimpleNamespace

import pytest
from support import evaluations

from tasks.config.run import RunConfig
from tasks.core.results import Finding, Stage
from tasks.evaluation.evaluation_report import HoldoutResult
from tasks.evaluation.holdout import EvaluationInputs
from tasks.promotion.decision import compare, decided_report
from tasks.promotion.gate import reasons_to_reject

SOURCE = {"source": "acme/boards", "kind": "hub", "revision": "a" * 40, "records": 40, "modes": 3}
FINDING = Finding("maps vary", True, True, "all")


@pytest.fixture
def inputs(tmp_path):
    """Those of a first model, of which a sample of two of five records is evaluated."""
    (tmp_path / "history.json").write_text(json.dumps({"epochs": 7}))
    banks = [SimpleNamespace(hash=range(count)) for count in (5, 2)]
    facts = {"train": {**SOURCE, "source_kind": "map", "triplets": 9}, "test": None, "changes": {"new": 3}}
    stages = Stage("triplets", "1" * 64, {"size": 20}, False), Stage(str(tmp_path), "2" * 64, {}, False)
    frozen = evaluations.report().frozen
    return EvaluationInputs(*stages, RunConfig(preset="rt"), None, facts, (FINDING,), (), *banks, frozen, 1)


@pytest.mark.parametrize(("value", "passes"), [(0.9, True), (0.5, False)])
def test_a_report_has_the_decision_and_what_a_reader_must_know(inputs, value, passes):
    whole = evaluations.report(value)
    result = HoldoutResult(**{field.name: getattr(whole, field.name) for field in fields(HoldoutResult)})
    report = decided_report(inputs, result, {"layers": []}, labels={"doubtful": 1})
    assert report.reasons == reasons_to_reject(result, inputs.config.gate)
    assert (report.reasons == ()) == passes
    assert report.metrics == result.metrics
    assert (report.train.source, report.test, report.changes) == ("acme/boards", None, {"new": 3})
    assert (report.findings, report.data, report.model) == ((FINDING,), {"size": 20}, {"layers": []})
    assert (report.history, report.preset, report.judged) == ({"epochs": 7}, "rt", {"records": 2, "of": 5})
    assert (report.labels, report.zero, report.setting_changes) == ({"doubtful": 1}, None, None)


def test_without_a_champion_nothing_is_compared(inputs):
    assert compare(inputs, None, 1.0) is None
