"""What the report's pictures are drawn from: arrays of the test part, gathered once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.bank import Bank
from tasks.config import Retrain
from tasks.figures import draws_of
from tasks.judge import Judge
from tasks.judgement import units_of
from tasks.kinds import Contrast, contrasts
from tasks.mistakes import Mistake, worst_mistakes


@dataclass(frozen=True)
class Example:
    """One test triplet: maps (rows, cols), modes, and the trained distances to the anchor mode's prototype."""

    anchor: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    anchor_mode: str
    negative_mode: str
    positive_distance: float
    negative_distance: float


@dataclass(frozen=True)
class Evidence:
    """Test part: n records, m modes.

    distances (n, m) of records to prototypes and `baseline_distances` the same for each raw-map
    baseline by name; mode (n,) codes; good (n,) bool; good_score (n,) or None; embeddings (n, d);
    weights (draws, n) of the bootstrap, as the figures' intervals have them; history as in history.json.
    """

    modes: list[str]
    distances: np.ndarray
    mode: np.ndarray
    good: np.ndarray
    good_score: np.ndarray | None
    embeddings: np.ndarray
    baseline_distances: dict[str, np.ndarray]
    history: dict[str, Any]
    examples: list[Example]
    weights: np.ndarray
    contrasts: list[Contrast]
    mistakes: list[Mistake]


def gather(judge: Judge, baselines: list[Judge], bank: Bank, history: dict[str, Any], config: Retrain) -> Evidence:
    """The evidence of a judgement on the bank's test part."""
    rows, size = bank.rows("test"), (config.data.rows, config.data.cols)
    maps, mode, good = np.asarray(bank.maps[rows]), bank.mode[rows], bank.good[rows]
    distances, embedded = judge.to_modes(maps), judge.embed(maps)
    return Evidence(
        modes=bank.modes,
        distances=distances,
        mode=mode,
        good=good,
        good_score=None if judge.to_good is None else judge.score(maps),
        embeddings=embedded,
        baseline_distances={one.name: one.to_modes(maps) for one in baselines},
        history=history,
        examples=_examples(bank, distances, size),
        weights=draws_of(units_of(bank, rows)[0], config.evaluate.bootstrap, config.seed),
        contrasts=contrasts(judge, distances, embedded, mode, good),
        mistakes=worst_mistakes(judge, bank, distances, embedded, size),
    )


def _examples(bank: Bank, distances: np.ndarray, size: tuple[int, int], most: int = 4) -> list[Example]:
    """The first test triplet of a few modes, spread evenly over all modes."""
    number = {int(row): i for i, row in enumerate(bank.rows("test"))}
    triplets = bank.triplets["test"]
    modes = np.unique(triplets[:, 0])
    chosen = modes[np.unique(np.linspace(0, len(modes) - 1, min(most, len(modes))).astype(int))]
    found = []
    for code in chosen:
        anchor, positive, negative = triplets[np.flatnonzero(triplets[:, 0] == code)[0]]
        maps = [
            np.asarray(values).reshape(size)
            for values in (bank.anchors[anchor], bank.maps[positive], bank.maps[negative])
        ]
        names = bank.modes[anchor], bank.modes[bank.mode[negative]]
        found.append(
            Example(*maps, *names, *(float(distances[number[int(row)], anchor]) for row in (positive, negative)))
        )
    return found
