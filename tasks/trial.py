"""A trial of a sweep as a stage: its metrics, or the reason why its training failed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

from tasks.config.fingerprints import trial_digest
from tasks.config.keras_backend import keras_backend
from tasks.config.run import RunConfig
from tasks.core.errors import TrainingCollapsed, TrainingDiverged
from tasks.core.files import ensure_writable
from tasks.core.results import Stage
from tasks.core.stages import get_or_make_stage

Run = Callable[[Stage, RunConfig, str], dict[str, Any]]


def run_trial(triplets: Stage, config: RunConfig, run: Run) -> Stage:
    """The stage folder of a trial, made by `run(triplets, config, backend) -> facts` unless it is there already.

    A training that diverged or collapsed would do so again: its stage holds the reason as the fact `failed`. A
    process that died leaves no stage, because the machine may have been the reason.
    """
    config, backend = config.resolved(), keras_backend()
    digest = trial_digest(triplets.digest, config, backend)

    def make(draft: Path) -> dict[str, Any]:
        try:
            return run(triplets, config, backend)
        except (TrainingDiverged, TrainingCollapsed) as error:
            return {"failed": str(error)}

    stages = ensure_writable(config.stages_path)
    with FileLock(stages / f".trial-{digest[:16]}.lock"):  # another sweep may train the same trial
        return get_or_make_stage(stages, "trial", digest, make)
