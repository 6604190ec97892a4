"""What the UI shows of the model beside the champion: agreement, errors as labels arrive, and flips by mode."""

from __future__ import annotations

from dataclasses import replace

from flows.ui.shadow_texts import MOST_MODES, shadow_text
from tasks.core.inspection import Proportion
from tasks.promotion.shadow_summary import ErrorPair, ShadowSummary

AGREED = Proportion(0.9, 90, 100, (0.82, 0.95))
PAIR = ErrorPair(Proportion(0.1, 2, 20, (0.02, 0.3)), Proportion(0.05, 1, 20, (0.01, 0.25)), -0.05, (-0.2, 0.1))
MODES = {"<b>2": Proportion(0.2, 8, 40, (0.1, 0.35)), "0": Proportion(0.03, 2, 60, (0.01, 0.11))}
SUMMARY = ShadowSummary("v1", "v2", 100, AGREED, {"good → defect": 8, "defect → unknown": 2}, MODES, 40, PAIR, None)


def test_agreement_errors_changes_and_modes():
    text = shadow_text(SUMMARY)
    assert text.startswith("# SHADOW: v2 beside the champion v1")
    assert "90 of 100 verdicts are the same: 90.0 % [82.0 %, 95.0 %]." in text
    assert "| escapes | 10.0 % [2.0 %, 30.0 %], 2 / 20 | 5.0 % [1.0 %, 25.0 %], 1 / 20 | -5.0 [-20.0, +10.0] |" in text
    assert "false alarms" not in text
    assert text.index("good → defect") < text.index("defect → unknown")
    assert "<b>" not in text


def test_without_labels_it_says_so_and_many_modes_are_cut():
    modes = {f"m{i}": AGREED for i in range(MOST_MODES + 3)}
    text = shadow_text(replace(SUMMARY, escapes=None, modes=modes))
    assert "No part that is new to both has a label yet." in text
    assert f"m{MOST_MODES}" not in text


def test_in_japanese():
    text = shadow_text(SUMMARY, "ja")
    assert text.startswith("# シャドー: チャンピオン v1 と並行する v2")
    assert "良品 → 不良" in text
