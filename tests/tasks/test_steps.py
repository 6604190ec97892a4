"""The steps as Prefect tasks: their true signatures, and the state in which a kept stage ends."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest
from prefect import Task, flow
from prefect.settings import PREFECT_API_URL, temporary_settings

from tasks import (
    cache,
    changes,
    download,
    drift,
    enrol,
    evaluate,
    export,
    folds,
    overrule,
    publish,
    recalibrate,
    score,
    steps,
    sweep,
    train,
    triplets,
)
from tasks.core.results import Stage
from tasks.registry.champion import comparable_champion

FUNCTIONS = {
    "resolve": download.resolve,
    "download": download.download,
    "cache": cache.cache,
    "triplets": triplets.triplets,
    "find_previous_result": publish.find_previous_result,
    "champion": comparable_champion,
    "changes": changes.changes,
    "train": train.train,
    "evaluate": evaluate.evaluate,
    "publish": publish.publish,
    "promote_draft": overrule.promote_draft,
    "git_commit": publish.git_commit,
    "plan_folds": folds.plan_folds,
    "make_fold_bank": folds.make_fold_bank,
    "fold_metrics": folds.fold_metrics,
    "conclude_sweep": sweep.conclude_sweep,
    "score": score.score,
    "drift": drift.drift,
    "recalibrate": recalibrate.recalibrate,
    "enrol": enrol.enrol,
    "export": export.export,
}


def arguments(function):
    """Name, kind and default of every parameter."""
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_step_that_is_imported_late_has_its_functions_own_signature(name):
    step = getattr(steps, name)
    assert isinstance(step, Task)
    assert arguments(step.fn) == arguments(FUNCTIONS[name])
    assert step.description == inspect.getdoc(FUNCTIONS[name])


def test_every_task_is_checked_here_or_written_here():
    bound = {name for name, value in vars(steps).items() if isinstance(value, Task)}
    assert bound == {*FUNCTIONS, "run_fold", "run_trial"}


@pytest.mark.slow
def test_a_flow_loads_without_what_its_steps_need():
    code = "import sys; from tasks import steps; print(*{'keras', 'pyarrow', 'pandas', 'matplotlib'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


@pytest.mark.slow
def test_a_kept_stage_is_a_cached_task_and_its_value_is_the_stage(server, capsys):
    def make(reused: bool) -> Stage:
        return Stage("stages/one", "1" * 64, {}, reused)

    step = steps.bind(make, "make", steps.StageTask)

    @flow
    def run():
        renamed = step.with_options(task_run_name="renamed")
        return (
            [step(True), step(reused=False), renamed(True), step.submit(True).result()],
            [step(reused, return_state=True).name for reused in (True, False)],
        )

    with temporary_settings({PREFECT_API_URL: f"{server.url}/api"}):
        stages, states = run()
    assert [stage.reused for stage in stages] == [True, False, True, True]
    assert states == ["Cached", "Completed"]
    assert [line for line in capsys.readouterr().err.splitlines() if line.endswith(" …")] == [
        *["make …"] * 2,
        "renamed …",
        *["make …"] * 3,
    ]
