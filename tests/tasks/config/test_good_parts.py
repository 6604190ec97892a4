"""The settings of a model from good parts alone."""

from __future__ import annotations

import pytest

from tasks.config.good_parts import MAX_WINDOWS, model_settings, window_side, windows
from tasks.config.run import DataConfig, EvaluateConfig, RunConfig

GOOD = {"good_alone": True}


@pytest.mark.parametrize(("size", "side"), [((36, 39), 3), ((4, 5), 3), ((1, 1), 3), ((192, 192), 3), ((256, 256), 4)])
def test_windows_are_small_and_no_more_than_the_setting_takes(size, side):
    assert window_side(size) == side
    down, across = windows(size, side)
    assert (down - 1) * side < size[0] <= down * side
    assert (across - 1) * side < size[1] <= across * side
    assert down * across <= MAX_WINDOWS


def test_a_model_that_is_trained_keeps_its_settings():
    config = RunConfig(evaluate=EvaluateConfig(score="patches", shifts=5))
    assert model_settings(config, {}) == config.resolved()


def test_good_parts_alone_have_a_distance_and_a_score_of_their_own():
    config = RunConfig(data=DataConfig(rows=36, cols=39), evaluate=EvaluateConfig(cross=3, unseen=True, target=0.02))
    made = model_settings(config, GOOD)
    assert (made.fit.distance, made.fit.blocks, made.fit.prototype) == ("rt", 156, "mean-embedding")
    assert (made.evaluate.score, made.evaluate.cross, made.evaluate.unseen) == ("fused", None, False)
    assert made.evaluate.target == 0.02
    assert model_settings(made, GOOD) == made
