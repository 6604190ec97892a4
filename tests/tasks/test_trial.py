"""A trial: the same weights whatever runs beside it, kept by its content, failed or not."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from support.inspected_parts import configured, inspected, map_column, split_stage

from tasks.config.model import TrainingConfig
from tasks.core.errors import ProcessDied, TrainingCollapsed, TrainingDiverged
from tasks.train import train
from tasks.trial import run_trial
from tasks.workers.child_process import WorkerProcess


@pytest.fixture
def triplets(tmp_path):
    return split_stage(map_column(inspected(each=60)), tmp_path)


def trained_apart(triplets, config):
    with WorkerProcess() as worker:
        return worker.call("tasks.train:train", triplets, config).facts["weights"]


@pytest.mark.slow
def test_two_at_once_have_the_weights_of_each_alone(tmp_path, triplets):
    """In two threads of one process they would not: each would set the other's seed."""
    seeds = (42, 43)
    configs = [configured(tmp_path / str(i), seed=seed) for i, seed in enumerate(seeds)]
    with ThreadPoolExecutor(2) as threads:
        beside = list(threads.map(lambda config: trained_apart(triplets, config), configs))
    alone = [train(triplets, configured(tmp_path / "alone", seed=seed)).facts["weights"] for seed in seeds]
    assert beside == alone
    assert alone[0] != alone[1]


class Runs:
    """Counts how often a trial is made, and makes it end as told."""

    def __init__(self, *ends):
        self.ends, self.made = list(ends), 0

    def __call__(self, triplets, config, backend):
        self.made += 1
        end = self.ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end


def test_a_trial_is_made_once(tmp_path, triplets):
    runs = Runs({"figures": {"auroc": 0.9}})
    first = run_trial(triplets, configured(tmp_path), runs)
    again = run_trial(triplets, configured(tmp_path), runs)
    assert (first.reused, again.reused, runs.made) == (False, True, 1)
    assert again.facts["figures"] == {"auroc": 0.9}


@pytest.mark.parametrize("error", [TrainingDiverged("epoch 1: the loss is nan"), TrainingCollapsed("all alike")])
def test_a_dead_training_is_kept_with_its_reason(tmp_path, triplets, error):
    runs = Runs(error)
    facts = [run_trial(triplets, configured(tmp_path), runs).facts for _ in range(2)]
    assert [variant["failed"] for variant in facts] == [str(error)] * 2
    assert runs.made == 1


def test_a_process_that_died_is_tried_again(tmp_path, triplets):
    runs = Runs(ProcessDied("killed"), {"figures": {}})
    with pytest.raises(ProcessDied):
        run_trial(triplets, configured(tmp_path), runs)
    assert not list((tmp_path / "data" / "stages").glob("trial-*"))
    assert not run_trial(triplets, configured(tmp_path), runs).reused


def test_what_changes_the_model_makes_another_trial(tmp_path, triplets, monkeypatch):
    config = configured(tmp_path)
    changed = [config, replace(config, seed=1), replace(config, fit=TrainingConfig(learning_rate=0.003, epochs=4))]
    paths = {run_trial(triplets, variant, Runs({})).path for variant in changed}
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow" if os.environ.get("KERAS_BACKEND") == "jax" else "jax")
    paths.add(run_trial(triplets, config, Runs({})).path)
    paths.add(run_trial(replace(triplets, digest="another bank"), config, Runs({})).path)
    assert len(paths) == 5


def test_the_presets_value_named_or_not_is_the_same_trial(tmp_path, triplets):
    config = configured(tmp_path)
    named = replace(config, fit=replace(config.fit, margin=0.4))
    assert run_trial(triplets, config, Runs({})).path == run_trial(triplets, named, Runs()).path
