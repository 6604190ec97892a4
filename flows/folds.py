"""Extra trainings that test the evaluation: without a mode or groups, modes permuted, another split, here or on Dask.

Each has the settings of the run itself and is kept, so that a run that was killed continues where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect import flow

from flows.service.cluster import cluster_runner, require_cluster
from flows.ui.artifacts import RunArtifacts
from tasks import steps
from tasks.config.run import RunConfig
from tasks.core.errors import TrainingCollapsed, TrainingDiverged, UnfitData
from tasks.core.progress import fold_line
from tasks.core.results import Fold, Stage
from tasks.core.text import escape_markdown


def fold_results(triplets: Stage, config: RunConfig) -> tuple[dict[str, Any], ...]:
    """The metrics of every fold that the settings name; raises ClusterUnreachable."""
    address = config.evaluate.cluster()
    settings = config.evaluate
    if triplets.facts.get("good_alone"):  # nothing is trained
        return ()
    if not (settings.unseen or settings.permutation or settings.cross or config.split.replay):
        return ()
    plan = steps.plan_folds(triplets, config)
    if address is None:
        return _run_folds(plan, lambda fold: _run_fold(triplets, fold, config), config)
    require_cluster(address, "evaluate.dask")
    triplets = replace(triplets, path=str(Path(triplets.path).resolve()))  # for Dask workers
    config = replace(config, data_folder=str(config.data_path.resolve()))
    return folds.with_options(task_runner=cluster_runner(address))(triplets, plan, config)


@flow(name="folds", flow_run_name="folds", persist_result=False)
def folds(triplets: Stage, plan: tuple[Fold, ...], config: RunConfig) -> tuple[dict[str, Any], ...]:
    """All folds at once, on the workers of a Dask cluster that see the data folder under the same path."""
    futures = {fold: steps.run_fold.submit(triplets, fold, config) for fold in plan}
    return _run_folds(plan, lambda fold: futures[fold].result().facts["figures"], config)


def _run_folds(
    plan: tuple[Fold, ...], metrics_of: Callable[[Fold], dict[str, Any]], config: RunConfig
) -> tuple[dict[str, Any], ...]:
    """The folds' metrics in their order; a training that failed is an entry of the report and stops nothing."""
    progress, metrics = RunArtifacts.of(config).fold_progress(), []
    for number, fold in enumerate(plan, 1):
        fold_line(fold.title, number, len(plan))
        try:
            metrics.append(metrics_of(fold))
        except (TrainingCollapsed, TrainingDiverged, UnfitData) as error:
            metrics.append({"kind": fold.kind, "name": fold.name, "failed": str(error)})
        progress.move(100 * number / len(plan), f"fold {number}/{len(plan)}: {escape_markdown(fold.title)}")
    return tuple(metrics)


def _run_fold(triplets: Stage, fold: Fold, config: RunConfig) -> dict[str, Any]:
    variant = steps.make_fold_bank(triplets, fold, config)
    model = steps.train.with_options(task_run_name=f"train {fold.title}")(variant, config)
    return steps.fold_metrics(triplets, variant, model, fold, config).facts["figures"]
