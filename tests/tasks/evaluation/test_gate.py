"""The gate's reasons, one for each cause."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.config.run import GateConfig
from tasks.evaluation.gate import comparison_summary, reasons_to_reject

FIGURES = ("auroc", "mode_accuracy", "macro_mode_accuracy", "average_precision")


def told(difference: float, half: float = 0.0) -> dict[str, Any]:
    """A difference with its interval, `half` wide on either side."""
    return {"difference": difference, "interval": [difference - half, difference + half], "apart": 40.0}


def mode_entry(difference: float, interval: list[float] | None, n: int = 40) -> dict[str, Any]:
    """A mode that the champion has right in 9 of 10 records."""
    return {
        "n": n,
        "challenger": 0.9 + difference,
        "champion": 0.9,
        "difference": difference,
        "interval": interval,
    }


def comparison(difference: float = 0.05, half: float = 0.02, **more: Any) -> dict[str, Any]:
    """Challenger less champion v3: the same difference in every figure, none in any mode."""
    return {
        "version": "v3",
        "frozen": "f2",
        "champion_frozen": "f1",
        "records": 40,
        "seen": 5,
        "impossible": None,
        "same_model": False,
        "lost": [],
        "figures": {name: told(difference, half) for name in FIGURES},
        "modes": {"0": mode_entry(0.0, [-0.02, 0.02]), "1": mode_entry(0.0, [0.0, 0.0])},
        "few": None,
        "fewest": 5,
        "unit": "record (too few groups: 3)",
        "confidence": 0.95,
        **more,
    }


def judgement(own: float = 0.9, raw: tuple[float, float] = (0.6, 0.7), **more: Any) -> dict[str, Any]:
    """A judgement in which every figure of a model is the same number."""

    def all_figures(value: float) -> dict[str, float]:
        return dict.fromkeys(FIGURES, value)

    baselines = {"raw map, euclidean": raw[0], "raw map, rt": raw[1], "untrained tower": 0.99}
    return {
        "figures": all_figures(own),
        "baselines": {name: all_figures(value) for name, value in baselines.items()},
        "thresholds": [{"name": "good or defect", "refused": None}, {"name": "same mode", "refused": None}],
        "certificate": {"leaks": []},
        "comparison": None,
        **more,
    }


def reasons(settings: GateConfig = GateConfig(), **more: Any) -> list[str]:
    """The reasons of a judgement that fails by its comparison alone."""
    return reasons_to_reject(judgement(comparison=comparison(**more)), settings)


def test_a_good_model_passes():
    assert reasons_to_reject(judgement(), GateConfig()) == []
    assert reasons() == []


@pytest.mark.parametrize("own", [0.7, 0.69, 0.5, float("nan")])
def test_the_best_raw_map_must_be_beaten(own):
    """An equal is no better; a figure that is no number is none."""
    (reason,) = reasons_to_reject(judgement(own), GateConfig())
    assert reason.startswith(f"auroc {own:.4f} does not beat the raw map, rt (0.7000): ")


def test_by_how_much_the_raw_map_must_be_beaten():
    assert reasons_to_reject(judgement(0.78), GateConfig(beat_raw_by=0.07)) == []
    (reason,) = reasons_to_reject(judgement(0.78), GateConfig(beat_raw_by=0.1))
    assert reason.endswith("(0.7000) by the 0.1 asked")


def test_an_untrained_tower_is_no_raw_map():
    """It is reported beside the others, and decides nothing."""
    assert reasons_to_reject(judgement(0.9), GateConfig()) == []


def test_a_refused_threshold_rejects():
    thresholds = [{"name": "good or defect", "refused": "7 good calibration records, … needs 20"}]
    (reason,) = reasons_to_reject(judgement(thresholds=thresholds), GateConfig())
    assert reason == "no good or defect threshold: 7 good calibration records, … needs 20"


def test_not_worse_is_not_better():
    """The interval reaches below zero: the champion stays."""
    assert reasons(difference=0.001, half=0.005) == [
        "not shown to be better than the champion v3: auroc difference +0.0010 [-0.0040, +0.0060] at 95 % confidence, "
        "on the same 40 test records of f2; the lower end must exceed 0"
    ]


@pytest.mark.parametrize(("half", "passes"), [(0.0199, True), (0.02, False), (float("nan"), False)])
def test_the_lower_end_must_exceed_zero(half, passes):
    """Zero itself does not exceed it, and what is no number exceeds nothing."""
    assert (reasons(difference=0.02, half=half) == []) is passes


def test_the_least_gain_is_held_against_the_lower_end():
    assert reasons(GateConfig(least_gain=0.029)) == []
    (reason,) = reasons(GateConfig(least_gain=0.031))
    assert "+0.0500 [+0.0300, +0.0700]" in reason
    assert reason.endswith("the lower end must exceed 0.031")


def test_worse_is_told_as_worse():
    (reason,) = reasons(difference=-0.05)
    assert reason.startswith("worse than the champion v3: auroc difference -0.0500 [-0.0700, -0.0300]")


def test_the_same_model_is_a_tie_in_plain_words():
    assert reasons(difference=0.0, half=0.0, same_model=True) == [
        "a tie: the same model as the champion v3, with the same distances on the same 40 test records of f2; "
        "the champion stays"
    ]


def test_another_model_that_judges_all_records_alike_is_a_tie():
    """Even where nothing is asked, a tie keeps the champion."""
    (reason,) = reasons(difference=0.0, half=0.0)
    assert reason == "a tie with the champion v3: the same auroc on the same 40 test records of f2; the champion stays"


FELL = [  # difference, interval, and whether it vetoes at a margin of 0.05
    (-0.2, [-0.3, -0.1], True),
    (-0.2, [-0.4, 0.0], False),  # may be chance
    (-0.04, [-0.06, -0.02], False),  # no chance, and within the margin
    (-0.05, [-0.07, -0.03], False),  # the margin itself is allowed
    (-1.0, None, False),  # too few to be told
    (0.2, [0.1, 0.3], False),
]


@pytest.mark.parametrize(("difference", "interval", "vetoes"), FELL)
def test_a_mode_vetoes_where_it_fell_beyond_margin_and_chance(difference, interval, vetoes):
    found = reasons(modes={"0": mode_entry(0.1, [0.0, 0.2]), "scratch": mode_entry(difference, interval)})
    assert bool(found) is vetoes
    if vetoes:
        assert found == [
            "mode scratch is worse than the champion v3's: accuracy 0.900 → 0.700 on 40 test records, "
            "difference -0.2000 [-0.3000, -0.1000]; 0.05 is allowed"
        ]
    assert reasons(GateConfig(mode_margin=0.2), modes={"scratch": mode_entry(difference, interval)}) == []


def test_modes_too_few_to_be_told_veto_together():
    few = mode_entry(-0.5, [-0.7, -0.3], 12) | {"modes": [f"m{i}" for i in range(9)]}
    (reason,) = reasons(few=few)
    assert reason.startswith("the modes of fewer than 5 records (m0, m1, m2, m3, m4, m5, m6, m7, …) are worse than the")
    assert reasons(few=few | {"interval": [-0.9, 0.1]}) == []


def test_a_mode_that_is_lost_rejects_unless_that_is_allowed():
    assert reasons(lost=["burr", "dent"]) == [
        "no longer knows burr, dent, which the champion v3 does; gate.may_lose_modes=true allows it"
    ]
    assert reasons(GateConfig(may_lose_modes=True), lost=["burr"]) == []


def test_a_modes_name_stays_on_its_line():
    (reason,) = reasons(lost=["a\n\x1b[31mb" + "c" * 80])
    assert reason.startswith("no longer knows a  [31mb" + "c" * 51 + "…, which")


def test_a_champion_that_cannot_be_compared_rejects():
    found = {"version": "v3", "records": 3, "impossible": "3 test records … are needed"}
    (reason,) = reasons_to_reject(judgement(comparison=found), GateConfig())
    assert reason == "cannot be compared with the champion v3: 3 test records … are needed"


@pytest.mark.parametrize("figure", FIGURES)
def test_the_figure_that_decides_is_a_setting(figure):
    found = judgement(0.9, comparison=comparison())
    found["figures"][figure] = 0.65
    found["comparison"]["figures"][figure] = told(-0.1, 0.01)
    reasons = reasons_to_reject(found, GateConfig(figure=figure))
    assert [reason.split(" ")[0] for reason in reasons] == [figure, "worse"]
    assert f"v3: {figure} difference -0.1000" in reasons[1]
    other = next(name for name in FIGURES if name != figure)
    assert reasons_to_reject(found, GateConfig(figure=other)) == []


def test_all_reasons_come_at_once():
    thresholds = [{"name": name, "refused": "too few"} for name in ("good or defect", "same mode")]
    worse = comparison(-0.1, lost=["dent"], modes={"0": mode_entry(-0.2, [-0.3, -0.1])})
    assert len(reasons_to_reject(judgement(0.5, thresholds=thresholds, comparison=worse), GateConfig())) == 6


def test_the_verdict_names_figure_interval_and_the_worst_mode():
    assert comparison_summary(None, GateConfig()) is None
    found = comparison_summary(
        comparison(modes={"0": mode_entry(0.1, [0.0, 0.2]), "1": mode_entry(-0.02, None)}), GateConfig()
    )
    assert found["verdict"].startswith("better than the champion v3: auroc difference +0.0500 [+0.0300, +0.0700] at")
    assert (found["version"], found["frozen"], found["seen"]) == ("v3", "f2", 5)
    assert (found["figure"], found["interval"]) == ("auroc", pytest.approx([0.03, 0.07]))
    assert found["worst_mode"]["mode"] == "1"
    impossible = comparison_summary(
        {"version": "v3", "frozen": "f1", "records": 3, "impossible": "too few"}, GateConfig()
    )
    assert impossible["verdict"] == "cannot be compared with the champion v3: too few"
    assert "interval" not in impossible
