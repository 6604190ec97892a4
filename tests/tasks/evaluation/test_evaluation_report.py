"""What `report.json` holds: a report survives it, and reports of older forms are read."""

from __future__ import annotations

import json
from dataclasses import replace

from support.evaluations import comparison, holdout, impossible, report

from tasks.config.run import GateConfig
from tasks.evaluation.evaluation_report import Auroc, EvaluationReport, ModeMetrics
from tasks.promotion.gate import comparison_summary, reasons_to_reject


def stored(evaluation: EvaluationReport) -> dict:
    return json.loads(json.dumps(evaluation.as_json()))


def full() -> EvaluationReport:
    """A report with a champion, reasons and all metrics."""
    compared = comparison(-0.1, lost=("dent",))
    scores = {"distance": Auroc(0.8, (0.7, 0.9))}
    metrics = holdout(good_auroc=0.8, good_scores=scores, per_mode={"a": ModeMetrics(3, 1.0)})
    evaluation = report(comparison=compared, metrics=metrics, verdict=comparison_summary(compared, GateConfig()))
    return replace(evaluation, reasons=reasons_to_reject(evaluation, GateConfig()))


def test_a_report_survives_json():
    evaluation = full()
    again = EvaluationReport.from_json(stored(evaluation))
    assert again == evaluation
    assert [reason.code for reason in again.reasons] == ["worse", "lost_modes"]
    assert again.verdict.verdict.params["difference"].code == "difference"


def test_the_names_of_an_older_kensa_are_stored():
    figures = stored(full())["figures"]
    assert (figures["angular_accuracy_at_0.5"], figures["good_auroc_distance"]) == (0.5, 0.8)
    assert "recall_at_1" not in figures
    assert figures["per_mode"] == {"a": {"n": 3, "accuracy": 1.0}}
    entries = stored(report(comparison=impossible()))["comparison"]
    assert entries["impossible"] == "too few"
    assert "figures" not in entries


def test_a_report_without_kinds_and_codes_is_read():
    entries = stored(full())
    del entries["reason_codes"], entries["verdict"]["verdict_code"], entries["comparison"]["unit_kind"]
    for baseline in entries["baselines"].values():
        del baseline["kind"]
    evaluation = EvaluationReport.from_json(entries)
    assert [baseline.kind for baseline in evaluation.baselines] == ["raw map", "raw map", "untrained tower"]
    assert evaluation.reasons == full().reasons
    assert evaluation.reasons[0].code == ""
