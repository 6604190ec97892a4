"""The trainings anew that a judgement asks for, without each mode and with permuted ones: in turn, or on a cluster.

Each is trained with the settings of the run itself, and kept: a run that dies goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect import flow

from flows.service.cluster import require_cluster, runner
from flows.ui import artifacts
from tasks import steps
from tasks.config.run import RunConfig
from tasks.core.errors import TrainingCollapsed, TrainingDiverged
from tasks.core.progress import fold_line
from tasks.core.results import Fold, Stage


def fold_results(triplets: Stage, config: RunConfig) -> tuple[dict[str, Any], ...]:
    """The figures of every fold that `config.evaluate` asks for; raises ClusterUnreachable."""
    address = config.evaluate.cluster()
    if not (config.evaluate.unseen or config.evaluate.permutation):
        return ()
    planned = steps.plan_folds(triplets, config)
    if address is None:
        return _run_folds(planned, lambda fold: _fold(triplets, fold, config), config)
    require_cluster(address, "evaluate.dask")
    triplets = replace(triplets, path=str(Path(triplets.path).resolve()))  # as a Dask worker needs it
    config = replace(config, data_folder=str(config.data_path.resolve()))
    return folds.with_options(task_runner=runner(address))(triplets, planned, config)


@flow(name="folds", flow_run_name="folds", persist_result=False)
def folds(triplets: Stage, planned: tuple[Fold, ...], config: RunConfig) -> tuple[dict[str, Any], ...]:
    """All folds at once, on the workers of a Dask cluster that see the data folder under the same path."""
    futures = {fold: steps.run_fold.submit(triplets, fold, config) for fold in planned}
    return _run_folds(planned, lambda fold: futures[fold].result().facts["figures"], config)


def _run_folds(
    planned: tuple[Fold, ...], figures: Callable[[Fold], dict[str, Any]], config: RunConfig
) -> tuple[dict[str, Any], ...]:
    """The folds' figures in their order; a training that died there is told in the report, and spoils no release."""
    progress, found = artifacts.FoldProgress(config, len(planned)), []
    for number, fold in enumerate(planned, 1):
        fold_line(fold.title, number, len(planned))
        try:
            found.append(figures(fold))
        except (TrainingCollapsed, TrainingDiverged) as died:
            found.append({"kind": fold.kind, "name": fold.name, "failed": str(died)})
        progress(fold)
    return tuple(found)


def _fold(triplets: Stage, fold: Fold, config: RunConfig) -> dict[str, Any]:
    variant = steps.make_fold_bank(triplets, fold, config)
    model = steps.train.with_options(task_run_name=f"train {fold.title}")(variant, config)
    return steps.fold_metrics(triplets, variant, model, fold, config).facts["figures"]
