"""Every step as a Prefect task: its name, retries, timeout and tags, on one screen.

The functions themselves know nothing of Prefect. Result caching stays off: the stages keep themselves,
by content, and a step that found its stage good ends in a state named Cached.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.states import Completed
from prefect.tasks import exponential_backoff

from tasks.cache import cache
from tasks.changes import changes
from tasks.config.run import RunConfig
from tasks.config.search_space import Trial
from tasks.core.errors import KensaError, TrialFailed
from tasks.core.inspection import DriftResult, ScoreResult
from tasks.core.progress import step_line
from tasks.core.results import CachedSource, Fold, Stage, SweepResult
from tasks.core.worker_process import WorkerProcess
from tasks.download import download, resolve
from tasks.folds import make_fold_bank, plan_folds
from tasks.publish import find_previous_result, git_commit, publish
from tasks.registry.champion import comparable_champion
from tasks.trial import run_trial
from tasks.triplets import triplets


def may_pass(task: Task, run: TaskRun, state: State) -> bool:
    """Retry only what can pass by itself: an unknown dataset stays unknown."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, KensaError) and error.may_pass


def show_step(task: Task, run: TaskRun, state: State) -> None:
    """Write on the terminal which step begins."""
    step_line(run.name)


def staged(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """`function` as a task that ends in a state named Cached where it found its stage good.

    Prefect hands a returned state on as it is; the flow wants what lies in it.
    """

    @functools.wraps(function)
    def step(*args: Any, **kwargs: Any) -> Any:
        made = function(*args, **kwargs)
        stage = made.stage if isinstance(made, CachedSource) else made
        found = Completed(name="Cached", message=f"found good: {stage.path}", data=made)
        return found if stage.reused else made

    bound = task(step, on_running=[show_step], **options)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        made = bound(*args, **kwargs)
        return made.result() if isinstance(made, State) else made

    return call


def train(*args: Any, **kwargs: Any) -> Stage:
    """Train; Keras is imported when the step runs, not when the flow is loaded."""
    from tasks.train import train as run

    return run(*args, **kwargs)


def score(*args: Any, **kwargs: Any) -> ScoreResult:
    """Score; see `train`."""
    from tasks.score import score as run

    return run(*args, **kwargs)


def drift(*args: Any, **kwargs: Any) -> DriftResult:
    """Compare with the reference; see `train`."""
    from tasks.drift import drift as run

    return run(*args, **kwargs)


def evaluate(*args: Any, **kwargs: Any) -> Stage:
    """Evaluate; see `train`."""
    from tasks.evaluate import evaluate as run

    return run(*args, **kwargs)


def train_fold(variant: Stage, fold: Fold, config: RunConfig) -> Stage:
    """Train on a variant of the bank; see `train`."""
    from tasks.train import train as run

    return run(variant, config)


def fold_metrics(triplets: Stage, variant: Stage, model: Stage, fold: Fold, config: RunConfig) -> Stage:
    """Judge what was trained on a variant; see `train`."""
    from tasks.folds import fold_metrics as run

    return run(triplets, variant, model, fold, config)


def fold_in_process(triplets: Stage, one: Fold, config: RunConfig) -> Stage:
    """A whole fold in a process of its own, on whichever machine; its figures."""
    log_known_errors_in_one_line()  # a Dask worker has not done so
    with WorkerProcess() as worker:
        variant = worker.call("tasks.folds:make_fold_bank", triplets, one, config)
        model = worker.call("tasks.train:train", variant, config)
        return worker.call("tasks.folds:fold_metrics", triplets, variant, model, one, config)


def conclude_sweep(*args: Any, **kwargs: Any) -> SweepResult:
    """Conclude a sweep; pandas and matplotlib are imported when it runs."""
    from tasks.sweep import conclude_sweep as run

    return run(*args, **kwargs)


def train_in_process(triplets: Stage, config: RunConfig, backend: str) -> dict[str, Any]:
    """Train and judge one trial of a sweep, in a process of its own; see tasks/core/worker_process.py."""
    with WorkerProcess(KERAS_BACKEND=backend) as worker:
        model = worker.call("tasks.train:train", triplets, config)
        return worker.call("tasks.evaluation.trial_metrics:trial_facts", triplets, model, config)


def trial(triplets: Stage, trial: Trial) -> Stage | State:
    """One trial of a sweep; raises TrialFailed for one that diverged or collapsed, now or when it was kept."""
    log_known_errors_in_one_line()  # a Dask worker has not done so
    made = run_trial(triplets, trial.config, train_in_process)
    if "failed" in made.facts:
        raise TrialFailed(made.facts["failed"])
    return Completed(name="Cached", message=f"found good: {made.path}", data=made) if made.reused else made


PLAIN: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False}
NETWORK: dict[str, Any] = {
    **PLAIN,
    "retries": 4,
    "retry_delay_seconds": exponential_backoff(2),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": may_pass,
    "tags": ["network"],
}
HOUR = 3600

resolve = task(resolve, name="resolve", task_run_name="resolve {source}", timeout_seconds=10 * 60, **NETWORK)
find_previous_result = task(find_previous_result, name="concluded", task_run_name="concluded before?", **PLAIN)
champion = task(comparable_champion, name="champion", task_run_name="champion", **PLAIN)
download = task(
    download, name="download", task_run_name="download {resolved.title}", timeout_seconds=6 * HOUR, **NETWORK
)
cache = staged(cache, name="cache", task_run_name="cache {downloaded.resolved.title}", **PLAIN)
triplets = staged(triplets, name="triplets", task_run_name="triplets {train.resolved.title}", **PLAIN)
changes = task(changes, name="changes", task_run_name="what changed", **PLAIN)
train = staged(train, name="train", task_run_name="train", tags=["training"], **PLAIN)
plan_folds = task(plan_folds, name="planned", task_run_name="which folds?", **PLAIN)
make_fold_bank = staged(make_fold_bank, name="fold", task_run_name="fold {one.title}", **PLAIN)
train_fold = staged(train_fold, name="train fold", task_run_name="train {fold.title}", tags=["training"], **PLAIN)
fold_metrics = staged(fold_metrics, name="fold figures", task_run_name="judge {fold.title}", **PLAIN)
fold_in_process = task(fold_in_process, name="fold apart", task_run_name="fold {one.title}", tags=["training"], **PLAIN)
evaluate = staged(evaluate, name="evaluate", task_run_name="evaluate", **PLAIN)
score = task(score, name="score", task_run_name="score", **PLAIN)
drift = task(drift, name="drift", task_run_name="compare with the reference", **PLAIN)
trial = task(trial, name="trial", task_run_name="trial {trial.title}", tags=["training"], **PLAIN)
conclude_sweep = task(conclude_sweep, name="conclude", task_run_name="compare the trials", **PLAIN)
git_commit = task(git_commit, name="git commit", task_run_name="Kensa's own commit", **PLAIN)
publish = task(publish, name="publish", task_run_name="publish", **PLAIN)


class OneLineErrors(logging.Filter):
    """Takes the traceback from the log of an error that says in one line all there is to say."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every record."""
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if isinstance(error, KensaError):
            record.exc_info = record.exc_text = None
            record.msg, record.args = str(error), ()
        return True


def log_known_errors_in_one_line() -> None:
    """Put the filter on the loggers of flow and task runs, once."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logger = logging.getLogger(name)
        if not any(isinstance(known, OneLineErrors) for known in logger.filters):
            logger.addFilter(OneLineErrors())
