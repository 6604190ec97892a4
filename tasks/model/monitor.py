"""Watches a training: its log, the weights to keep, when to stop, and when it has failed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from tasks.config.run import RunConfig
from tasks.core.errors import TrainingCollapsed, TrainingDiverged
from tasks.core.progress import Progress
from tasks.core.results import Epoch
from tasks.model.checkpoint import TrainingCheckpoint, load_checkpoint, save_checkpoint
from tasks.model.validation import Validation

ReportEpoch = Callable[[Epoch], None]
COLLAPSED_SPREAD = 1e-4  # spread of the embeddings relative to their norm


class TrainingMonitor:
    """Logs every epoch, keeps the tower's best weights, stops early, and raises where training has failed.

    validation: measures the tower after each epoch; batches: their number in an epoch; state: the checkpoint file,
    None for a training that cannot be resumed.
    """

    def __init__(
        self, validation: Validation, config: RunConfig, batches: int, report: ReportEpoch | None, state: Path | None
    ) -> None:
        self.validation, self.settings, self.batches = validation, config.fit, batches
        self.report, self.state = report, state
        self.progress = Progress(config.fit.epochs)
        self.log: list[Epoch] = []
        self.kept_weights: list[np.ndarray] = []

    @property
    def best(self) -> Epoch:
        """The first of the epochs with the smallest validation loss."""
        return min(self.log, key=lambda line: line.val_loss)

    @property
    def kept(self) -> Epoch:
        """The epoch whose weights are kept."""
        return self.best if self.settings.keep == "best" else self.log[-1]

    def finished(self) -> bool:
        """Whether all epochs are done, or `patience` of them brought nothing better than the best, which is kept."""
        if not self.log:
            return False
        stale = len(self.log) - self.best.epoch >= self.settings.patience
        return len(self.log) >= self.settings.epochs or (self.settings.keep == "best" and stale)

    def restore(self, model: keras.Model) -> None:
        """Watch the compiled model, load the checkpoint into it if there is one, and start the first epoch's clock."""
        self.model, checkpoint = model, load_checkpoint(self.state) if self.state else None
        if checkpoint:
            variables = [*_variables(model), *model.optimizer.variables]
            for variable, value in zip(variables, [*checkpoint.tower, *checkpoint.optimizer], strict=True):
                variable.assign(value)
            self.log, self.kept_weights = checkpoint.log, checkpoint.best
        self.started = time.perf_counter()

    def end_block(self, done: int, loss: float) -> None:
        """Move the progress bar."""
        self.progress.batch(len(self.log) + 1, done, self.batches, loss)

    def end_epoch(self, training: dict[str, float], val_loss: float | None) -> None:
        """Log an epoch's metrics, raise where they are beyond repair, keep its weights if it is the one to keep.

        val_loss: that of offline triplets; None takes the loss of `validation`. The next epoch's clock starts here.
        """
        metrics = self.validation.measure(self.model.tower)
        line = Epoch(
            epoch=len(self.log) + 1,
            loss=training["mean"],
            val_loss=metrics.loss if val_loss is None else val_loss,
            active=training["active"],
            norm=metrics.norm,
            spread=metrics.spread,
            seconds=round(time.perf_counter() - self.started, 3),
            val_auroc=metrics.auroc,
            val_mode_accuracy=metrics.mode_accuracy,
        )
        require_healthy(line, self.settings.margin)
        self.log.append(line)
        self.progress.epoch(line)
        if self.report:
            self.report(line)
        if line is self.kept:
            self.kept_weights = self.model.tower.get_weights()
        if self.state:
            save_checkpoint(self.state, self._checkpoint())
        self.started = time.perf_counter()

    def _checkpoint(self) -> TrainingCheckpoint:
        tower, optimizer = (
            [ops.convert_to_numpy(variable) for variable in variables]
            for variables in (_variables(self.model), self.model.optimizer.variables)
        )
        return TrainingCheckpoint(tower, optimizer, self.kept_weights, self.log)


def _variables(model: keras.Model) -> list[Any]:
    """All that a training changes but the optimizer: the tower with its random seeds, and a learnt scale."""
    return [*model.tower.variables, *([model.scale] if hasattr(model, "scale") else [])]


def require_healthy(line: Epoch, margin: float) -> None:
    """Raise TrainingDiverged or TrainingCollapsed for an epoch from which no later one can recover."""
    if not np.isfinite([line.loss, line.val_loss, line.norm]).all():
        raise TrainingDiverged(
            f"epoch {line.epoch}: the loss is {line.loss}; "
            "lower fit.learning_rate, or look for extreme values in the maps"
        )
    if line.spread <= COLLAPSED_SPREAD * line.norm or line.norm == 0:
        raise TrainingCollapsed(
            f"epoch {line.epoch}: every record has the same embedding (loss {line.loss:.4f}, margin {margin}); "
            "lower fit.learning_rate, or look whether the maps differ at all"
        )
