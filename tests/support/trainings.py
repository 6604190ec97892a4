"""Small trainings of the notebook's recipe."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from support.inspected_parts import DATA

from tasks.config.model import TowerConfig, TrainingConfig
from tasks.config.run import RunConfig
from tasks.model.device_maps import DeviceMaps


def notebook_run(**changes: Any) -> RunConfig:
    """Preset notebook on maps of 4 × 5 values, with a small tower, three epochs, and these training settings."""
    fitting = replace(TrainingConfig(learning_rate=0.003, epochs=3), **changes)
    config = RunConfig(preset="notebook", data=DATA, tower=TowerConfig(widths="16-8"), fit=fitting)
    return config.resolved()


def device_maps(maps: np.ndarray, anchors: int = 0) -> DeviceMaps:
    """The first maps as anchors, the others as records, for seven batches of two triplets."""
    return DeviceMaps(maps[:anchors], maps[anchors:], np.arange(len(maps) - anchors), (0, 1, 2), 2, 7)
