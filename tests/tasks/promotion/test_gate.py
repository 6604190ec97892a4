"""The gate's reasons, one for each cause."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from support.evaluations import (
    GATE_METRICS,
    comparison,
    difference,
    holdout,
    impossible,
    leakage,
    mode_difference,
    more_escapes,
    report,
    threshold,
)

from tasks.config.run import GateConfig
from tasks.core.sentences import METRIC_TITLES
from tasks.evaluation.comparison_report import Comparison, ComparisonSummary, PooledModes, RateDifference
from tasks.promotion.gate import comparison_summary, reasons_to_reject


def reasons(compared: Comparison | None = None, settings: GateConfig = GateConfig(), **changes: Any) -> list[str]:
    """The reasons of a model that fails by its comparison alone, unless something else is changed."""
    return list(reasons_to_reject(report(comparison=compared, **changes), settings))


def test_a_good_model_passes():
    """The untrained tower, which is better here, is reported and decides nothing."""
    assert reasons() == reasons(comparison()) == []


@pytest.mark.parametrize("value", [0.7, 0.69, 0.5, float("nan")])
def test_the_best_raw_map_must_be_beaten(value):
    """An equal is no better; a metric that is no number is none."""
    (reason,) = reasons(metrics=holdout(value))
    assert reason.startswith(f"verification AUROC {value:.4f} does not beat the raw map, rt (0.7000): ")
    assert reason.code == "not_better_than_raw_map"


def test_by_how_much_the_raw_map_must_be_beaten():
    assert reasons(settings=GateConfig(beat_raw_by=0.07), metrics=holdout(0.78)) == []
    (reason,) = reasons(settings=GateConfig(beat_raw_by=0.1), metrics=holdout(0.78))
    assert reason.endswith("(0.7000) by the required 0.1")


def test_a_refused_threshold_rejects():
    refused = threshold(value=None, refused="7 good calibration records, … needs 20")
    assert reasons(thresholds=(refused,)) == ["no good or defect threshold: 7 good calibration records, … needs 20"]


def test_few_test_records_reject():
    assert reasons(metrics=holdout(records=20)) == []
    assert reasons(metrics=holdout(records=19)) == ["only 19 test records: 20 are needed to judge a model"]


def test_a_leak_rejects():
    assert reasons(certificate=leakage(leaks=("3 records are in more than one part",))) == [
        "leakage: 3 records are in more than one part"
    ]


def test_not_worse_is_not_better():
    """The interval reaches below zero: the champion stays."""
    assert reasons(comparison(0.001, half=0.005)) == [
        "not shown to be better than the champion v3: verification AUROC difference +0.0010 [-0.0040, +0.0060] "
        "at 95 % confidence, on the same 40 test records of f2; the lower end must exceed 0"
    ]


@pytest.mark.parametrize(("half", "passes"), [(0.0199, True), (0.02, False), (float("nan"), False)])
def test_the_lower_end_must_exceed_zero(half, passes):
    """Zero itself does not exceed it, and what is no number exceeds nothing."""
    assert (reasons(comparison(0.02, half=half)) == []) is passes


def test_the_least_gain_is_compared_with_the_lower_end():
    assert reasons(comparison(), GateConfig(least_gain=0.029)) == []
    (reason,) = reasons(comparison(), GateConfig(least_gain=0.031))
    assert "+0.0500 [+0.0300, +0.0700]" in reason
    assert reason.endswith("the lower end must exceed 0.031")


def test_a_worse_model_is_called_worse():
    (reason,) = reasons(comparison(-0.05))
    assert reason.startswith("worse than the champion v3: verification AUROC difference -0.0500 [-0.0700, -0.0300]")


def test_the_same_model_is_a_tie():
    assert reasons(comparison(0.0, 0.0, same_model=True)) == [
        "a tie: the same model as the champion v3, with the same distances on the same 40 test records of f2; "
        "the champion stays"
    ]


def test_another_model_with_the_same_metrics_is_a_tie():
    """Even where no gain is required, a tie keeps the champion."""
    (reason,) = reasons(comparison(0.0, half=0.0))
    tie = (
        "a tie with the champion v3: the same verification AUROC on the same 40 test records of f2; the champion stays"
    )
    assert reason == tie


# Good against defect

ROSE = (
    "escapes rose from 38.7 % to 60.7 % against the champion v3: 58 → 91 of 150 defects, "
    r"\+22.0 points \[\+\d\d.\d, \+\d\d.\d\]; the upper end must be below 5"
)


def test_more_escapes_block_a_model_that_is_better_in_all_else():
    compared = more_escapes()
    (reason,) = reasons(compared)
    assert re.fullmatch(ROSE, reason)
    summary = comparison_summary(compared, GateConfig())
    assert summary.verdict.startswith("better than the champion v3: good-or-defect AUROC difference +0.")
    assert summary.rates.startswith(
        "champion v3 → this model: escapes 38.7 % → 60.7 % (58 → 91 of 150 defects, +22.0 points ["
    )
    assert "; false alarms 10 % → 0 % (10 → 0 of 100 good parts, -10.0 points [" in summary.rates
    stored = json.loads(json.dumps(summary.as_json()))
    assert ComparisonSummary.from_json(stored) == summary
    assert [(check.metric, check.greater_is_better, check.passed) for check in summary.checks] == [
        ("good_auroc", True, True),
        ("good_tpr", True, False),
        ("good_fpr", False, True),
        ("auroc", True, True),
        ("mode_accuracy", True, True),
    ]
    escapes = summary.checks[1]
    assert (escapes.champion, escapes.challenger) == pytest.approx((92 / 150, 59 / 150))
    assert escapes.difference == pytest.approx(-33 / 150)
    assert escapes.interval[0] < escapes.difference < escapes.interval[1] < 0


def test_a_wider_margin_lets_it_pass():
    assert reasons(more_escapes(), GateConfig(escape_margin=0.3)) == []
    (reason,) = reasons(more_escapes(), GateConfig(escape_margin=0.22))
    assert reason.endswith("the upper end must be below 22")


def with_rates(**changes: Any) -> Comparison:
    """A comparison that is better, with errors of both models."""
    compared = comparison()
    figures = compared.result.figures | {"good_auroc": difference(0.05, 0.02)}
    errors = {"escapes": RateDifference(0.0, (-0.04, 0.04), 100, 5, 5)}
    errors["false_alarms"] = RateDifference(0.0, (-0.04, 0.04), 100, 5, 5)
    return replace(compared, result=replace(compared.result, figures=figures, **errors | changes))


@pytest.mark.parametrize(
    ("name", "interval", "text"),
    [
        ("escapes", (0.01, 0.06), "escapes rose from 5 % to 8 % against the champion v3: 5 → 8 of 100 defects, +3.0"),
        ("escapes", (-0.01, 0.05), "escapes are not shown to be no worse than the champion v3's: 5 % → 8 %, 5 → 8 of"),
        ("false_alarms", (0.01, 0.06), "false alarms rose from 5 % to 8 % against the champion v3: 5 → 8 of 100 good"),
        ("false_alarms", (0.0, 0.05), "false alarms are not shown to be no worse than the champion v3's: 5 % → 8 %"),
        ("escapes", (0.01, 0.049), None),
        ("false_alarms", (-0.1, 0.049), None),
    ],
)
def test_errors_must_be_shown_to_stay_below_the_margin(name, interval, text):
    """The margin itself is not below it; a small rise within it passes."""
    found = reasons(with_rates(**{name: RateDifference(0.03, interval, 100, 8, 5)}))
    assert [text is not None and reason.startswith(text) for reason in found] == [True] * (text is not None)


@pytest.mark.parametrize(("metric", "margin"), [("auroc", 0.02), ("mode_accuracy", 0.05)])
def test_pairs_and_modes_must_be_shown_to_be_no_worse(metric, margin):
    compared = with_rates()
    compared.result.figures[metric] = replace(difference(-0.01), interval=(-margin - 0.001, 0.01))
    (reason,) = reasons(compared)
    assert reason.startswith(
        f"{METRIC_TITLES[metric]} is not shown to be no worse than the champion v3's: 0.8500 → 0.9000, "
    )
    assert reason.endswith(f"the lower end must exceed -{margin:g}")
    compared.result.figures[metric] = replace(difference(-0.01), interval=(-margin - 0.001, -0.001))
    assert reasons(compared)[0].startswith(f"{METRIC_TITLES[metric]} fell against the champion v3: ")
    compared.result.figures[metric] = replace(difference(-0.01), interval=(-margin + 0.001, -0.001))
    assert reasons(compared) == []


def test_good_or_defect_decides_where_both_can_be_judged_by_it():
    compared = with_rates()
    compared.result.figures["good_auroc"] = difference(0.0, 0.02)
    (reason,) = reasons(compared)
    assert reason.startswith("not shown to be better than the champion v3: good-or-defect AUROC difference")
    assert reasons(compared, GateConfig(better="auroc")) == []
    assert reasons(compared, GateConfig(figure="mode_accuracy")) == [], "a metric that was chosen keeps its meaning"
    assert reasons(comparison(), GateConfig(better="good_auroc")) == [], "without good parts, gate.figure decides"


def test_the_same_model_has_one_reason():
    """Few good parts alone give no second one."""
    same = with_rates(same_model=True, false_alarms=RateDifference(0.0, (-0.1, 0.1), 20, 1, 1))
    same.result.figures["good_auroc"] = difference(0.0)
    (reason,) = reasons(same)
    assert reason.startswith("a tie: the same model as the champion v3")


def test_a_mode_vetoes_by_its_p_value_where_it_has_one():
    """Holm's correction is in the p-value; the interval is that of the mode alone."""
    fell = replace(mode_difference(-0.2, (-0.3, -0.1)), p=0.06)
    assert reasons(comparison(modes={"scratch": fell})) == []
    (reason,) = reasons(comparison(modes={"scratch": replace(fell, p=0.05)}))
    assert reason.startswith("mode scratch is worse")
    failed = comparison_summary(comparison(modes={"scratch": replace(fell, p=0.01)}), GateConfig()).checks[-1]
    assert (failed.mode, failed.p, failed.margin, failed.passed) == ("scratch", 0.01, 0.05, False)


# Modes

FELL = [  # difference, interval, and whether it vetoes at a margin of 0.05
    (-0.2, (-0.3, -0.1), True),
    (-0.2, (-0.4, 0.0), False),  # may be chance
    (-0.04, (-0.06, -0.02), False),  # no chance, and within the margin
    (-0.05, (-0.07, -0.03), False),  # the margin itself is allowed
    (-1.0, None, False),  # too few records
    (0.2, (0.1, 0.3), False),
]


@pytest.mark.parametrize(("value", "interval", "vetoes"), FELL)
def test_a_mode_vetoes_where_it_fell_beyond_margin_and_chance(value, interval, vetoes):
    modes = {"0": mode_difference(0.1, (0.0, 0.2)), "scratch": mode_difference(value, interval)}
    sentence = (
        "mode scratch is worse than the champion v3's: accuracy 0.900 → 0.700 on 40 test records, "
        "difference -0.2000 [-0.3000, -0.1000]; 0.05 is allowed"
    )
    assert reasons(comparison(modes=modes)) == ([sentence] if vetoes else [])
    assert reasons(comparison(modes=modes), GateConfig(mode_margin=0.2)) == []


def test_modes_with_too_few_records_veto_together():
    few = PooledModes(**vars(mode_difference(-0.5, (-0.7, -0.3), 12)), modes=tuple(f"m{i}" for i in range(9)))
    (reason,) = reasons(comparison(few=few))
    assert reason.startswith("the modes of fewer than 5 records (m0, m1, m2, m3, m4, m5, m6, m7, …) are worse than the")
    assert reasons(comparison(few=replace(few, interval=(-0.9, 0.1)))) == []


def test_a_mode_that_is_lost_rejects_unless_that_is_allowed():
    assert reasons(comparison(lost=("burr", "dent"))) == [
        "no longer knows burr, dent, which the champion v3 does; gate.may_lose_modes=true allows it"
    ]
    assert reasons(comparison(lost=("burr",)), GateConfig(may_lose_modes=True)) == []


def test_a_modes_name_stays_on_its_line():
    (reason,) = reasons(comparison(lost=("a\n\x1b[31mb" + "c" * 80,)))
    assert reason.startswith("no longer knows a  [31mb" + "c" * 51 + "…, which")


def test_a_champion_that_cannot_be_compared_rejects():
    assert reasons(impossible()) == ["cannot be compared with the champion v3: too few"]


@pytest.mark.parametrize("metric", GATE_METRICS)
def test_the_metric_that_decides_is_a_setting(metric):
    compared = comparison()
    compared.result.figures[metric] = difference(-0.1, 0.01)
    metrics = replace(holdout(), **{metric: 0.65})
    found = reasons(compared, GateConfig(figure=metric), metrics=metrics)
    assert found[0].startswith(f"{METRIC_TITLES[metric]} 0.6500 does not beat")
    assert found[1].startswith(f"worse than the champion v3: {METRIC_TITLES[metric]} difference -0.1000")
    other = next(name for name in GATE_METRICS if name != metric)
    assert reasons(compared, GateConfig(figure=other), metrics=metrics) == []


def test_all_reasons_come_at_once():
    refused = tuple(threshold(name, None, "too few") for name in ("good or defect", "same mode"))
    worse = comparison(-0.1, lost=("dent",), modes={"0": mode_difference(-0.2, (-0.3, -0.1))})
    assert len(reasons(worse, metrics=holdout(0.5), thresholds=refused)) == 6


def test_the_summary_has_metric_interval_and_the_worst_mode():
    assert comparison_summary(None, GateConfig()) is None
    modes = {"0": mode_difference(0.1, (0.0, 0.2)), "1": mode_difference(-0.02, None)}
    summary = comparison_summary(comparison(modes=modes), GateConfig())
    assert summary.verdict.startswith(
        "better than the champion v3: verification AUROC difference +0.0500 [+0.0300, +0.0700] at"
    )
    assert (summary.version, summary.frozen, summary.seen) == ("v3", "f2", 5)
    assert (summary.figure, summary.interval) == ("auroc", pytest.approx((0.03, 0.07)))
    assert summary.worst_mode.mode == "1"
    entries = comparison_summary(impossible(), GateConfig()).as_json()
    assert entries["verdict"] == "cannot be compared with the champion v3: too few"
    assert "interval" not in entries
