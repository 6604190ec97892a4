"""A sweep's conclusion: its folder, what each file says, and a settings file that makes the chosen run again."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from support.sweeps import RUN, by_margin, ended

from tasks.config.model import TrainingConfig
from tasks.config.overrides import read_run
from tasks.config.search_space import OPTIMISM_NOTE, Sweep
from tasks.core.errors import NoTrialLeft
from tasks.core.results import PinnedSource
from tasks.core.stages import verified_manifest
from tasks.evaluation.ranking import rank
from tasks.sweep import conclude_sweep, verdict

SOURCE = PinnedSource("acme/boards", "hub", "acme/boards", "0123456789abcdef")


@pytest.fixture
def plan(tmp_path):
    grid = ("fit.margin=0.2,0.6,9", "fit.learning_rate=0.001,0.01")
    return Sweep(run=RUN, grid=grid, seeds=2, out=str(tmp_path / "sweeps"))


@pytest.fixture
def conclusion(plan):
    return conclude_sweep(plan, SOURCE, None, ended(plan, by_margin))


def test_the_folder_is_sealed_and_named_after_the_source(conclusion):
    folder = Path(conclusion.path)
    assert folder.name.startswith("boards-")
    manifest = verified_manifest(folder)
    assert set(manifest["files"]) == {"table.md", "table.csv", "trials.parquet", "figure.svg", "best.toml"}
    assert manifest["note"] == OPTIMISM_NOTE
    assert manifest["train"]["revision"] == SOURCE.revision
    assert manifest["chosen"] == conclusion.chosen


def test_it_counts_what_failed(conclusion):
    assert (conclusion.trials, conclusion.failed) == (12, 4)
    assert conclusion.as_json()["settings_file"] == f"{conclusion.path}/best.toml"


def test_the_table_has_a_row_for_each_combination_best_first(conclusion):
    with (Path(conclusion.path) / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert float(rows[0]["mean"]) == pytest.approx(0.9005)
    assert [row["verdict"] for row in rows] == ["chosen", "tied with the best", "", "", "", ""]
    assert rows[-1]["mean"] == ""
    assert rows[-1]["failed"] == "seed 42: epoch 1: the loss is nan; seed 43: epoch 1: the loss is nan"
    assert {"fit.margin", "fit.learning_rate", "seeds", "low", "high", "seconds", "parameters"} < set(rows[0])


def test_every_trial_is_kept_with_every_figure(conclusion):
    table = pq.read_table(Path(conclusion.path) / "trials.parquet").to_pylist()
    assert len(table) == 12
    assert table[0] == {
        "fit.margin": 0.2, "fit.learning_rate": 0.001, "seed": 42, "auroc": 0.9, "d_prime": 1.0,
        "seconds": 1.5, "parameters": 100.0, "best_epoch": 2.0, "failed": None,
    }  # fmt: skip
    dead = next(row for row in table if row["fit.margin"] == 9)
    assert (dead["auroc"], dead["failed"]) == (None, "epoch 1: the loss is nan")


def test_the_settings_file_makes_the_chosen_run(conclusion):
    assert read_run(Path(conclusion.path) / "best.toml") == replace(
        RUN, fit=TrainingConfig(epochs=3, margin=0.2, learning_rate=0.001)
    )


def test_the_settings_file_carries_the_test_source(tmp_path, plan):
    plan = replace(plan, run=replace(plan.run, test="acme/more", seed=7))
    results = conclude_sweep(plan, SOURCE, replace(SOURCE, source="acme/more"), ended(plan, by_margin))
    run = read_run(Path(results.path) / "best.toml")
    assert (run.test, run.seed) == ("acme/more", 7)


def test_the_page_warns_and_shows_failures(conclusion):
    text = (Path(conclusion.path) / "table.md").read_text()
    assert "optimistic" in text
    assert "kensa retrain --settings" in text
    assert "| 9 | 0.01 | – | – | 0 | – | – | failed |" in text
    assert "- margin=9 learning_rate=0.01: seed 43: epoch 1: the loss is nan" in text


def test_the_same_outcomes_are_the_same_sweep_and_others_another(plan, conclusion):
    assert conclude_sweep(plan, SOURCE, None, ended(plan, by_margin)).path == conclusion.path
    other = conclude_sweep(plan, SOURCE, None, ended(plan, lambda config: 0.5))
    assert other.path != conclusion.path


def test_all_failed(plan):
    with pytest.raises(NoTrialLeft, match="all 12 trials failed, the first: epoch 1: the loss is nan"):
        conclude_sweep(plan, SOURCE, None, ended(plan, lambda config: None))
    assert list(Path(plan.out).glob("*")) == []


def verdict_of(plan, figure_of, **size):
    results = ended(plan, figure_of, **size)
    return verdict(plan, rank(plan.candidates(), results, plan.figure, 0.95))


def test_the_verdict_says_how_sure_it_is(plan):
    """Seeds 0.001 apart: ± t(0.975, 1) · 0.0005 = ± 12.706 · 0.0005 = ± 0.00635."""
    clear = replace(plan, grid=("fit.margin=0.2,0.6",))
    assert "No other combination's mean lies within its interval, 0.8941 to 0.9069" in verdict_of(clear, by_margin)
    near = replace(plan, grid=("fit.margin=0.2,0.21",))
    assert "2 combinations cannot be distinguished" in verdict_of(near, by_margin)
    assert "none of them is simpler" in verdict_of(near, by_margin)
    simpler = verdict_of(near, by_margin, size_of=lambda config: 10 if config.fit.margin == 0.21 else 100)
    assert "Chosen: margin=0.21" in simpler
    assert "margin=0.2 has the best mean, 0.9005; the chosen one is simpler" in simpler
    single = replace(clear, seeds=1)
    assert "With one seed, its lead may be chance" in verdict_of(single, by_margin)
    assert "2 combinations have the same mean" in verdict_of(single, lambda config: 0.5)
