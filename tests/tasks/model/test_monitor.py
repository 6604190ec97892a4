"""When a training stops, which weights it keeps, and which epochs are beyond repair."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from support.trainings import notebook_run

from tasks.core.errors import TrainingCollapsed, TrainingDiverged
from tasks.core.results import Epoch
from tasks.model.monitor import TrainingMonitor, require_healthy
from tasks.model.tower import build_tower
from tasks.model.validation import ValidationMetrics


@pytest.mark.parametrize(
    ("losses", "patience", "best", "stops_at"),
    [
        ([3, 2, 2.5, 2.6, 1], 2, 2, 4),
        ([3, 2, 2.5, 1, 1.5, 1.5], 2, 4, 6),
        ([3, 2, 2, 2], 2, 2, 4),
        ([3, 2, 1], 1, 3, None),
        ([1, 2], 1, 1, 2),
    ],
)
def test_early_stopping_keeps_the_best_epochs_weights(losses, patience, best, stops_at):
    """Scripted validation losses; the tower's one weight is the epoch's number."""
    tower = build_tower(replace(notebook_run().tower, widths="1"), (1, 2))
    validation = SimpleNamespace(measure=lambda tower: ValidationMetrics(0.1, 0.9, 0.8, norm=1.0, spread=1.0))
    watch = TrainingMonitor(validation, notebook_run(patience=patience, epochs=9), 1, None, None)
    watch.restore(SimpleNamespace(tower=tower))
    for i, loss in enumerate(losses):
        tower.set_weights([np.array([[i + 1.0], [0]]), np.zeros(1)])
        watch.end_epoch({"mean": 1, "active": 1}, loss)
        if watch.finished():
            break
    assert (watch.best.epoch, watch.kept_weights[0][0, 0]) == (best, best)
    assert (i + 1 if watch.finished() else None) == stops_at


@pytest.mark.parametrize("field", ["loss", "val_loss", "norm"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_no_number_is_divergence(field, value):
    line = Epoch(3, loss=0.1, val_loss=0.1, active=0.5, norm=2.0, spread=1.0, seconds=0.1)
    require_healthy(line, 0.4)
    with pytest.raises(TrainingDiverged, match="epoch 3"):
        require_healthy(replace(line, **{field: value}), 0.4)


@pytest.mark.parametrize(("norm", "spread"), [(2.0, 0.0), (2.0, 1e-4), (0.0, 0.0)])
def test_no_spread_is_collapse(norm, spread):
    with pytest.raises(TrainingCollapsed, match="epoch 3"):
        require_healthy(Epoch(3, 0.4, 0.4, 1.0, norm, spread, 0.1), 0.4)
