"""The picture of a history: narrow, the same every time, and of any line."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.histories import line_of, model

from tasks.report.history import Measured
from tasks.report.history_chart import MAX_MODELS, history_chart


def test_it_fits_400_pixels_and_is_the_same_every_time():
    picture = history_chart(line_of(12))
    assert picture.width <= 400
    assert picture == history_chart(line_of(12))
    assert picture.alt == "history of 12 models, good-or-defect AUROC from 0.857 to 0.930; champion v12"


@pytest.mark.parametrize("count", [1, 2, MAX_MODELS + 16])
def test_of_few_models_and_of_the_newest_of_many(count):
    assert f"history of {min(count, MAX_MODELS)} models" in history_chart(line_of(count)).alt


def test_models_without_figures_and_without_observations():
    bare = model(1, auroc=Measured(), escapes=Measured(), false_alarms=Measured(), frozen=None)
    picture = history_chart(line_of(1, models=(replace(bare, status="candidate"),), champion=None, reigns=()))
    assert picture.alt == "history of 1 models; champion none"
    assert picture.height < history_chart(line_of(1)).height, "no strip for drift"
