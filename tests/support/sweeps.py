"""Sweeps without a training: every trial ends with a metric that a function gives."""

from __future__ import annotations

from collections.abc import Callable

from tasks.config.model import TrainingConfig
from tasks.config.run import DataConfig, RunConfig
from tasks.config.search_space import Sweep
from tasks.core.results import TrialResult

RUN = RunConfig(train="acme/boards", data=DataConfig(rows=4, cols=5), fit=TrainingConfig(epochs=3))


def ended(
    plan: Sweep,
    figure_of: Callable[[RunConfig], float | None],
    size_of: Callable[[RunConfig], int] = lambda config: 100,
) -> list[TrialResult]:
    """Every trial of a plan with the figure that `figure_of` gives its run; None is a failure."""
    results = []
    for trial in plan.trials():
        value = figure_of(trial.config)
        facts = {"figures": {"auroc": value, "d_prime": 1.0}, "seconds": 1.5, "best_epoch": 2}
        facts["parameters"] = size_of(trial.config)
        dead = TrialResult(trial.candidate, trial.config.seed, {}, failed="epoch 1: the loss is nan")
        results.append(dead if value is None else TrialResult(trial.candidate, trial.config.seed, facts))
    return results


def by_margin(config: RunConfig) -> float | None:
    """Best at 0.2; dead at 9; the seeds differ by 0.001."""
    margin = config.fit.margin
    return None if margin == 9 else 0.9 - (margin - 0.2) / 10 + (config.seed - 42) / 1000
