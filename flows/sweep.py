"""A search over settings and seeds: the data once, then every trial, on threads or a Dask cluster.

It ends in a table and a settings file, never in a release: that is `kensa retrain`'s to make and judge.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.retrain import cached
from flows.service.cluster import runner
from flows.ui import artifacts
from tasks import steps
from tasks.config.fingerprints import triplets_digest
from tasks.config.search_space import Sweep, Trial
from tasks.core.errors import KensaError
from tasks.core.results import CachedSource, Stage, SweepResult, TrialResult


def _name() -> str:
    plan: Any = flow_run.parameters["plan"]
    return f"{plan.run.train} sweep {' '.join(word.partition('=')[0] for word in plan.grid)}"


@flow(name="sweep", flow_run_name=_name, persist_result=False)
def sweep(plan: Sweep) -> SweepResult:
    """Try every combination with every seed, and write down which to take; a failed trial is a row of the table.

    Args:
        plan: The search; its `run` holds the source and every setting that the search leaves alone.
    """
    steps.log_known_errors_in_one_line()
    config = replace(plan.run, data_folder=str(Path(plan.run.data_folder).resolve()))  # as a Dask worker needs it
    plan = replace(plan, run=config)
    source = steps.resolve(config.train, config.revision, config.data_path)
    test_source = steps.resolve(config.test, None, config.data_path) if config.test else None
    train_set = cached(source, config)
    test_set = cached(test_source, config, held_out=True) if test_source else None
    trials = plan.trials()
    banks = _banks(trials, train_set, test_set)
    futures = [steps.run_trial.submit(bank, trial) for trial, bank in zip(trials, banks, strict=True)]
    tried = [
        _ended(trial, future, f"{number} of {len(trials)}", plan.figure)
        for number, (trial, future) in enumerate(zip(trials, futures, strict=True), 1)
    ]
    swept = steps.conclude_sweep(plan, source, test_source, tried)
    artifacts.swept(swept, config)
    return swept


def run(plan: Sweep) -> SweepResult:
    """The flow on the plan's own threads, or on its Dask cluster."""
    return sweep.with_options(task_runner=_runner(plan))(plan)


def _runner(plan: Sweep) -> TaskRunner[Any]:
    if plan.dask is None:
        return ThreadPoolTaskRunner(max_workers=plan.workers)
    return runner(plan.dask)


def _banks(trials: list[Trial], train: CachedSource, test: CachedSource | None) -> list[Stage]:
    """The bank of every trial. Those that read the same settings, so most of them, share one; it is made once."""
    made: dict[str, Stage] = {}
    found = []
    for trial in trials:
        digest = triplets_digest(train.stage.digest, test.stage.digest if test else None, trial.config)
        if digest not in made:
            made[digest] = steps.triplets(train, test, trial.config)
        found.append(made[digest])
    return found


def _ended(trial: Trial, future: PrefectFuture[Any], place: str, figure: str) -> TrialResult:
    """What came of a trial once it has ended; what Kensa cannot say in one line ends the sweep."""
    try:
        tried = TrialResult(trial.candidate, trial.config.seed, future.result().facts)
    except KensaError as error:
        tried = TrialResult(trial.candidate, trial.config.seed, {}, failed=str(error))
    value = tried.value(figure)
    said = tried.failed or (f"{figure} {value:.4f}" if value is not None else f"no {figure}")
    print(f"  trial {place}  {trial.title}  {said}", file=sys.stderr, flush=True)
    return tried
