"""A search over settings and seeds: the data once, then every trial, on threads or a Dask cluster.

It ends in a table and a settings file; `kensa retrain` with that file makes a release of it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.prepare import PreparedData, pin_sources, prepare
from flows.service.cluster import cluster_runner
from flows.ui.artifacts import RunArtifacts
from tasks import steps
from tasks.config.fingerprints import triplets_digest
from tasks.config.search_space import Sweep, Trial
from tasks.core.errors import KensaError, UnfitData
from tasks.core.progress import note_line
from tasks.core.results import Finding, Stage, SweepResult, TrialResult


def _run_name() -> str:
    plan: Any = flow_run.parameters["plan"]
    return f"{plan.run.train} sweep {' '.join(setting.partition('=')[0] for setting in plan.grid)}"


@flow(name="sweep", flow_run_name=_run_name, persist_result=False)
def sweep(plan: Sweep) -> SweepResult:
    """Try every combination of settings with every seed, and write the best to a file; a failed trial is a table row.

    Args:
        plan: The search; its `run` holds the source and every setting that the search does not vary.
    """
    steps.log_known_errors_in_one_line()
    config = replace(plan.run, data_folder=str(Path(plan.run.data_folder).resolve()))  # as a Dask worker needs it
    plan = replace(plan, run=config)
    sources = pin_sources(config)
    trials = plan.trials()
    banks = _banks(trials, prepare(sources, config))
    futures = [steps.run_trial.submit(bank, trial) for trial, bank in zip(trials, banks, strict=True)]
    results = [
        _trial_result(trial, future, f"{number} of {len(trials)}", plan.figure)
        for number, (trial, future) in enumerate(zip(trials, futures, strict=True), 1)
    ]
    result = steps.conclude_sweep(plan, sources.train, sources.test, results)
    RunArtifacts.of(config).publish_sweep(result)
    return result


def run(plan: Sweep) -> SweepResult:
    """The flow on the plan's own threads, or on its Dask cluster."""
    threads = plan.dask is None
    runner: TaskRunner[Any] = ThreadPoolTaskRunner(plan.workers) if threads else cluster_runner(plan.dask)
    return sweep.with_options(task_runner=runner)(plan)


def _banks(trials: list[Trial], data: PreparedData) -> list[Stage]:
    """The bank of every trial; trials that read the same settings, which are most of them, share one."""
    banks: dict[str, Stage] = {}
    test_digest = data.test.stage.digest if data.test else None
    digests = [triplets_digest(data.train.stage.digest, test_digest, trial.config) for trial in trials]
    for digest, trial in zip(digests, trials, strict=True):
        if digest not in banks:
            banks[digest] = steps.triplets(data.train, data.test, trial.config)
            if banks[digest].facts.get("good_alone"):
                notes = "of good parts alone there is nothing to train; kensa retrain makes a release of them"
                raise UnfitData(trial.config.train, (Finding("two modes at least", False, True, notes),))
    return [banks[digest] for digest in digests]


def _trial_result(trial: Trial, future: PrefectFuture[Any], place: str, figure: str) -> TrialResult:
    """Wait for a trial, and print its metric; a KensaError is its result, any other error ends the sweep."""
    try:
        result = TrialResult(trial.candidate, trial.config.seed, future.result().facts)
    except KensaError as error:
        result = TrialResult(trial.candidate, trial.config.seed, {}, failed=str(error))
    value = result.value(figure)
    summary = result.failed or (f"{figure} {value:.4f}" if value is not None else f"no {figure}")
    note_line(f"trial {place}  {trial.title}  {summary}")
    return result
