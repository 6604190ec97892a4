"""The page of figures: each mean over boards with both spreads, rules by board, and no table without rows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.accuracy.datasets import BOARDS
from bench.accuracy.page import COLUMNS, page


def row(fold, who, seed, value):
    """All figures of a training have the same value; escapes are twice the false alarms."""
    errors = {"alarms": value, "escapes": 2 * value, "lots": 4}
    rules = dict.fromkeys(("records", "target_fpr", "target_fpr_pac"), errors)
    return {"fold": fold, "who": who, "seed": seed, **dict.fromkeys(COLUMNS, value), "good": 100, "alarms": 5} | {
        "balanced_accuracy": value,
        "rules": rules,
    }


@pytest.fixture
def rows():
    trained = [
        row(fold, who, seed, 0.1 * place + 0.01 * (seed - 43))
        for who in ("best", "notebook")
        for place, fold in enumerate((*BOARDS, "mt", "elpv"))
        for seed in (42, 43, 44)
    ]
    return [{"fold": BOARDS[0], "who": "raw map, rt", "seed": None, "mode_accuracy": 0.5}, *trained]


def line(text, *starts):
    return next(row for row in text.splitlines() if row.startswith(starts))


def test_a_mean_over_boards_has_the_seeds_deviation_and_students_interval(rows):
    values = np.arange(5) / 10
    low, high = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
    expected = f"0.200 ± 0.010 ({low:.3f} to {high:.3f})"
    assert line(page(rows, "here"), "| best") == f"| best | {' | '.join([expected] * len(COLUMNS))} |"


def test_one_board_has_the_seeds_deviation_alone_and_errors_by_each_rule(rows):
    text = page(rows, "here")
    of_board = [entry for entry in text.splitlines() if entry.startswith(f"| {BOARDS[1]} | best |")]
    assert of_board == [
        f"| {BOARDS[1]} | best | {' | '.join(['0.100 ± 0.010'] * len(COLUMNS))} |",
        f"| {BOARDS[1]} | best | {' | '.join(['0.100 ± 0.010 / 0.200 ± 0.020'] * 3)} |",
    ]
    assert "`best` 0.400 / 0.400 / 0.400" in text


def test_what_has_no_rows_has_no_section(rows):
    text = page(rows, "here")
    assert "RT against Euclidean" not in text
    assert "Positions never trained" not in text
    assert "RT against Euclidean" in page([*rows, *(row(fold, "rt", 42, 0.3) for fold in BOARDS)], "here")
    assert line(text, "| raw map, RT") == "| raw map, RT | 0.500 | – | – | – | – | – |"
