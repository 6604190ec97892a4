"""Every step as a Prefect task: its run name, retries, timeout and tags, on one screen.

The functions themselves know nothing of Prefect. Prefect's own result cache stays off: stages are kept by
content, and a task whose stage was kept ends in a state named Cached.
"""

from __future__ import annotations

import ast
import functools
import logging
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.logging import get_run_logger
from prefect.runtime import task_run
from prefect.states import Completed
from prefect.tasks import exponential_backoff

from tasks.config.run import RunConfig
from tasks.config.search_space import Trial
from tasks.core.errors import KensaError, TrialFailed
from tasks.core.progress import counts_sent_to, step_line
from tasks.core.results import CachedSource, Fold, Stage
from tasks.trial import run_trial as trial_stage
from tasks.workers.child_process import WorkerProcess


def lazy(target: str) -> Callable[..., Any]:
    """The function `module:name`, imported at its first call: a flow loads without Keras and pyarrow.

    Its signature is read from the source, so that Prefect shows every parameter under its own name. Defaults
    must be literals, as ValueError says at import.
    """
    module, _, name = target.partition(":")
    source = Path(find_spec(module).origin).read_text(encoding="utf-8")
    definition = next(node for node in ast.parse(source).body if getattr(node, "name", None) == name)

    def step(*args: Any, **kwargs: Any) -> Any:
        with counts_sent_to(_log):
            return getattr(import_module(module), name)(*args, **kwargs)

    step.__name__ = step.__qualname__ = name
    step.__doc__, step.__signature__ = ast.get_docstring(definition), _signature(definition.args)
    return step


def _log(line: str) -> None:
    """Show a line in the log of the task run; nothing where a step is called outside of one."""
    if task_run.id is not None:
        get_run_logger().info(line)


def _signature(arguments: ast.arguments) -> Signature:
    required = len(arguments.args) - len(arguments.defaults)
    defaults = [*[None] * required, *arguments.defaults, *arguments.kw_defaults]  # None: it has no default
    kinds = [Parameter.POSITIONAL_OR_KEYWORD] * len(arguments.args) + [Parameter.KEYWORD_ONLY] * len(
        arguments.kwonlyargs
    )
    names = [argument.arg for argument in (*arguments.args, *arguments.kwonlyargs)]
    values = [Parameter.empty if default is None else ast.literal_eval(default) for default in defaults]
    return Signature(
        [Parameter(name, kind, default=value) for name, kind, value in zip(names, kinds, values, strict=True)]
    )


class StageTask(Task[..., Any]):
    """A task that returns a stage, and ends in a state named Cached where the stage was kept from an earlier run."""

    def __init__(self, function: Callable[..., Any], **options: Any) -> None:
        super().__init__(_name_state(function), **options)
        self.function, self.options = function, options

    def __call__(self, *args: Any, return_state: bool = False, **kwargs: Any) -> Any:
        """What the function returns: Prefect hands on the state that it was wrapped in."""
        result = super().__call__(*args, return_state=return_state, **kwargs)
        return result.result() if isinstance(result, State) and not return_state else result

    def with_options(self, **options: Any) -> StageTask:
        """The same step with other options."""
        return StageTask(self.function, **{**self.options, **options})


def _name_state(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, announced on the terminal; its result is in a state named Cached where its stage was reused."""

    @functools.wraps(function)
    def step(*args: Any, **kwargs: Any) -> Any:
        step_line(task_run.name or function.__name__)
        result = function(*args, **kwargs)
        stage = result.stage if isinstance(result, CachedSource) else result
        return Completed(name="Cached", message=f"kept: {stage.path}", data=result) if stage.reused else result

    return step


def may_pass(task: Task, run: TaskRun, state: State) -> bool:
    """Retry only errors that can pass by themselves: an unknown dataset stays unknown."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, KensaError) and error.may_pass


def _train_trial(triplets: Stage, config: RunConfig, backend: str) -> dict[str, Any]:
    """Train one trial of a sweep in a process of its own; returns the metrics that the sweep compares."""
    with WorkerProcess(KERAS_BACKEND=backend) as worker:
        model = worker.call("tasks.train:train", triplets, config)
        return worker.call("tasks.evaluation.holdout:trial_facts", triplets, model, config)


def _run_trial(triplets: Stage, trial: Trial) -> Stage:
    """One trial of a sweep; raises TrialFailed for one that diverged or collapsed, in this run or an earlier one."""
    log_known_errors_in_one_line()  # a Dask worker has not done so
    stage = trial_stage(triplets, trial.config, _train_trial)
    if "failed" in stage.facts:
        raise TrialFailed(stage.facts["failed"])
    return stage


def _run_fold(triplets: Stage, fold: Fold, config: RunConfig) -> Stage:
    """A whole fold in a process of its own, on any machine; returns its metrics."""
    log_known_errors_in_one_line()  # a Dask worker has not done so
    with WorkerProcess() as worker:
        variant = worker.call("tasks.folds:make_fold_bank", triplets, fold, config)
        model = worker.call("tasks.train:train", variant, config)
        return worker.call("tasks.folds:fold_metrics", triplets, variant, model, fold, config)


NETWORK: dict[str, Any] = {
    "retries": 4,
    "retry_delay_seconds": exponential_backoff(2),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": may_pass,
    "tags": ["network"],
}
STAGE: dict[str, Any] = {"kind": StageTask}
TRAINING: dict[str, Any] = {"tags": ["training"]}
HOUR = 3600


def bind(step: str | Callable[..., Any], run_name: str, kind: type[Task] = Task, **options: Any) -> Task:
    """A step, given as a function or as `module:name`, as a Prefect task; `run_name` may name its parameters."""
    function = lazy(step) if isinstance(step, str) else step
    plain = {"cache_policy": NO_CACHE, "persist_result": False}
    name = function.__name__.strip("_").replace("_", " ")
    return kind(function, name=name, task_run_name=run_name, **plain, **options)


resolve = bind("tasks.download:resolve", "resolve {source}", timeout_seconds=HOUR // 6, **NETWORK)
download = bind("tasks.download:download", "download {resolved.title}", timeout_seconds=6 * HOUR, **NETWORK)
cache = bind("tasks.cache:cache", "cache {downloaded.resolved.title}", **STAGE)
triplets = bind("tasks.triplets:triplets", "triplets {train.resolved.title}", **STAGE)
find_previous_result = bind("tasks.publish:find_previous_result", "find previous result")
champion = bind("tasks.registry.champion:comparable_champion", "champion")
changes = bind("tasks.changes:changes", "changes")
train = bind("tasks.train:train", "train", **STAGE, **TRAINING)
evaluate = bind("tasks.evaluate:evaluate", "evaluate", **STAGE)
publish = bind("tasks.publish:publish", "publish")
promote_draft = bind("tasks.overrule:promote_draft", "promote {name}")
git_commit = bind("tasks.publish:git_commit", "git commit")
plan_folds = bind("tasks.folds:plan_folds", "plan folds")
make_fold_bank = bind("tasks.folds:make_fold_bank", "fold {fold.title}", **STAGE)
fold_metrics = bind("tasks.folds:fold_metrics", "evaluate {fold.title}", **STAGE)
run_fold = bind(_run_fold, "fold {fold.title}", **TRAINING)
run_trial = bind(_run_trial, "trial {trial.title}", kind=StageTask, **TRAINING)
conclude_sweep = bind("tasks.sweep:conclude_sweep", "compare the trials")
score = bind("tasks.score:score", "score")
drift = bind("tasks.drift:drift", "drift")
recalibrate = bind("tasks.recalibrate:recalibrate", "recalibrate")
enrol = bind("tasks.enrol:enrol", "enrol {request.kind}")
export = bind("tasks.export:export", "export {version}")


class OneLineErrors(logging.Filter):
    """Removes the traceback of a KensaError from the log: its message says in one line all there is to say."""

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
        if not any(isinstance(present, OneLineErrors) for present in logger.filters):
            logger.addFilter(OneLineErrors())
