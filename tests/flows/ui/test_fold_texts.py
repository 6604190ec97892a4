"""The texts of the extra trainings: a row for each mode or group, and a reason where one failed."""

from __future__ import annotations

import pytest

from flows.ui.fold_texts import crossed_text, unseen_text

HOSTILE = "a|b"


@pytest.mark.parametrize(("chance", "text"), [(True, "✓ chance"), (None, "▲ too few"), (False, "✗ not chance")])
def test_permuted_modes_should_give_chance(chance, text):
    permutation = {"auroc": [0.5, 0.52], "mean": 0.51, "chance": chance, "failed": ["collapsed | early"]}
    lines = unseen_text(None, permutation).splitlines()
    assert lines[0] == "Modes permuted: collapsed \\| early"
    assert lines[-1].startswith(f"Modes permuted, verification AUROC 0.500, 0.520; mean **0.510**: {text}")


def test_each_mode_that_was_left_out_is_a_row_and_a_failed_one_says_why():
    metrics = {"n": 7, "scores": {"distance": {"auroc": 0.9}}, "caught": None, "novelty": {"auroc": 0.8}}
    unseen = {
        "modes": {"void": metrics, "dent": {"failed": "all | alike"}},
        "mean": {"good_auroc_distance": 0.9, "novelty_auroc": 0.8},
    }
    lines = unseen_text(unseen, None).splitlines()
    assert lines[0] == "| mode not trained | records | good or defect, distance | detected | novelty |"
    assert lines[2:] == [
        "| void | 7 | 0.900 | – | 0.800 |",
        "| dent | all \\| alike |  |  |  |",
        "| **mean** |  | 0.900 | – | 0.800 |",
    ]
    assert "No mode can be left out" in unseen_text({"modes": {}, "mean": {}}, None)


def test_every_group_tested_once_is_a_table_of_metrics_and_one_of_groups():
    cross = {
        "sets": 4,
        "groups": 9,
        "failed": {"5/5": "a|b"},
        "metrics": {"good_fpr": {"value": 0.0432, "interval": [0.0123, 0.0987]}},
        "by_group": {HOSTILE: {"n": 71, "good": 30, "mode_accuracy": None, "fpr": 0.0667, "tpr": 0.9268}},
    }
    lines = crossed_text(cross).splitlines()
    assert lines[0] == "4 models, each trained without one set of 9 groups, judged that set."
    assert "Set 5/5 was not tested: a\\|b" in lines
    assert "| good parts stopped | 0.043 | 0.012 – 0.099 |" in lines
    assert "| a\\|b | 71 | 0.067 | 0.927 | – |" in lines
    assert "Fewer than two sets" in crossed_text({**cross, "metrics": {}})
