"""What steps pass on has the titles that people see, and what commands print is JSON."""

from __future__ import annotations

import json

import pytest

from tasks.core.results import (
    CommandResult,
    Fold,
    MapsResult,
    PinnedSource,
    RetrainResult,
    SweepResult,
    TrialResult,
)


@pytest.mark.parametrize(
    ("source", "title"),
    [("acme/boards", "boards@0123456"), ("/tmp/parts/", "/tmp/parts/@0123456"), ("demo", "demo@0123456")],
)
def test_a_source_has_a_short_title(source, title):
    assert PinnedSource(source, "hub", source, "0123456789").title == title


def test_a_fold_has_a_title():
    assert Fold("without", "7").title == "without mode 7"
    assert Fold("permuted", "1").title == "modes permuted, 1"


def test_a_trial_without_the_metric_has_no_value():
    assert TrialResult(0, 42, {"figures": {"auroc": 0.9}}).value("auroc") == 0.9
    assert TrialResult(0, 42, {"figures": {}}).value("auroc") is None
    assert TrialResult(0, 42, {}, failed="diverged").value("auroc") is None


@pytest.mark.parametrize(
    "result",
    [
        RetrainResult("rejected", None, "p", {"source": "s"}, {}, None, reasons=("worse",)),
        SweepResult("p", "auroc", {}, [], 4, 1),
        MapsResult("p", 3, {"0": 3}, ("a.png",), 60, 0),
    ],
    ids=lambda result: type(result).__name__,
)
def test_a_result_is_printed_as_json(result):
    assert isinstance(result, CommandResult)
    printed = json.loads(json.dumps(result.as_json(), allow_nan=False))
    assert set(vars(result)) <= set(printed)


def test_a_sweep_names_its_settings_file():
    assert SweepResult("out/s1", "auroc", {}, [], 4, 1).as_json()["settings_file"] == "out/s1/best.toml"
