"""The settings of a model from good parts alone: RT on the raw map, in windows, fused with the map's peak.

What a user sets for training has no meaning there; the rule of the threshold, its target and the gate have.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from tasks.config.run import RunConfig

LEAST_SIDE = 3  # cells of a window's side: so few that a local defect is not averaged away (docs/release_zero.md)
MAX_WINDOWS = 4096  # the most that fit.blocks takes


def window_side(size: tuple[int, int]) -> int:
    """The side in cells of the square windows of a map of `size` rows and columns."""
    side = LEAST_SIDE
    while math.prod(windows(size, side)) > MAX_WINDOWS:
        side += 1
    return side


def windows(size: tuple[int, int], side: int) -> tuple[int, int]:
    """How many windows of that side cover a map's rows and its columns."""
    return -(-size[0] // side), -(-size[1] // side)


def model_settings(config: RunConfig, facts: dict[str, Any]) -> RunConfig:
    """The resolved settings by which a model is made of a bank with these facts; other ones of good parts alone.

    With `zero.parent` the distance and the shifts are those of `config`, which has them from the parent.
    """
    config = config.resolved()
    if not facts.get("good_alone"):
        return config
    evaluate = replace(config.evaluate, score="fused", unseen=False, permutation=False, cross=None)
    if config.zero.parent:  # tasks/zero/parent.py
        return replace(config, fit=replace(config.fit, prototype="mean-embedding"), evaluate=evaluate)
    size = config.data.rows, config.data.cols
    blocks = math.prod(windows(size, window_side(size)))
    fit = replace(config.fit, distance="rt", blocks=blocks, prototype="mean-embedding")
    return replace(config, fit=fit, evaluate=replace(evaluate, shifts=1))
