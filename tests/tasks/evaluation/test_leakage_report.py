"""A leakage report as it is stored, and as earlier versions stored it."""

from __future__ import annotations

import json

from support.evaluations import leakage

from tasks.evaluation.leakage_report import LeakageReport


def test_a_report_is_read_as_it_was_stored():
    report = leakage()
    stored = json.loads(json.dumps(report.as_json()))
    assert LeakageReport.from_json(stored) == report
    del stored["verdict_code"]
    assert LeakageReport.from_json(stored).verdict == report.verdict, "of a release from before codes"
