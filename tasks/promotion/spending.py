"""The error of a year of comparisons: each further comparison with the same champion must be more certain.

A line that retrains every week compares 52 models a year with its champion, on much the same test records. At 95 %
each, about 48 of 100 lines would replace a champion in a year by a model that is no better. So the error is spent: the
k-th comparison may err with FIRST / k of the error of a single one. Over 52 comparisons at most 5 % of champions are
replaced wrongly, and the sum grows slowly after (docs/judgement.md has the simulation). A new champion starts anew.
"""

from __future__ import annotations

FIRST = 0.3  # share of a single comparison's error that the first of many may make


def spent_confidence(confidence: float, number: int) -> float:
    """The confidence that comparison `number` (from 1) with a champion needs, where a single one needs `confidence`."""
    return 1 - (1 - confidence) * FIRST / number
