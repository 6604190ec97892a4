"""Comparisons and their summaries come back from JSON as they were."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from support.evaluations import comparison, impossible, mode_difference

from tasks.core.sentences import sentence
from tasks.evaluation.comparison_report import Comparison, ComparisonSummary, PooledModes, WorstMode


def stored(record):
    return json.loads(json.dumps(record.as_json()))


@pytest.mark.parametrize(
    "record", [comparison(), comparison(lost=("4",)), impossible()], ids=["result", "lost", "none"]
)
def test_a_comparison_comes_back_as_it_was(record):
    assert Comparison.from_json(stored(record)) == record


def test_modes_with_few_records_come_back_together():
    pooled = PooledModes(-0.1, (-0.3, 0.1), 6, 0.5, 0.6, modes=("7", "8"))
    record = comparison(few=pooled, modes={"0": mode_difference(0.0, None)})
    assert Comparison.from_json(stored(record)).result.few == pooled


def test_the_result_stands_among_the_other_keys():
    """As report.json has held it since the first version."""
    entries = stored(comparison())
    assert {"version", "frozen", "challenger", "champion", "figures", "modes"} <= set(entries)
    assert "result" not in entries
    assert "figures" not in stored(impossible())


SUMMARY = ComparisonSummary(
    version="v3",
    frozen="f2",
    champion_frozen="f1",
    records=40,
    seen=5,
    verdict=sentence("lost_modes", modes="4", champion="v3"),
    figure="auroc",
    difference=0.05,
    interval=(0.03, 0.07),
    confidence=0.95,
    unit="record",
    worst_mode=WorstMode(0.0, None, 8, 0.9, 0.9, mode="1"),
)


def test_a_summary_comes_back_with_the_code_of_its_verdict():
    again = ComparisonSummary.from_json(stored(SUMMARY))
    assert again == SUMMARY
    assert (again.verdict.code, again.verdict.params) == ("lost_modes", {"modes": "4", "champion": "v3"})


def test_a_summary_without_a_result_has_no_keys_of_one():
    without = replace(SUMMARY, figure=None, difference=None, interval=None, confidence=None, unit=None, worst_mode=None)
    assert set(stored(without)) == {
        "version",
        "frozen",
        "champion_frozen",
        "records",
        "seen",
        "verdict",
        "verdict_code",
    }
    assert ComparisonSummary.from_json(stored(without)) == without


def test_a_summary_of_an_older_version_has_its_text_alone():
    entries = {name: value for name, value in stored(SUMMARY).items() if name != "verdict_code"}
    again = ComparisonSummary.from_json(entries)
    assert (again.verdict, again.verdict.code) == (str(SUMMARY.verdict), "")
