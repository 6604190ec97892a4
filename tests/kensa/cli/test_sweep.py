"""`kensa sweep`: which search the options mean."""

from __future__ import annotations

import pytest

from tasks.config.search_space import Sweep
from tasks.core.results import SweepResult


@pytest.fixture
def plans(monkeypatch, tmp_path):
    """The searches that would run."""
    seen = []
    (tmp_path / "table.md").write_text("| trial |\n")
    result = SweepResult(str(tmp_path), "auroc", {}, [], 4, 1)
    monkeypatch.chdir(tmp_path)
    for name in ("pinned_sources", "require_services"):
        monkeypatch.setattr(f"kensa.cli.sweep.{name}", lambda *_: None)
    monkeypatch.setattr("flows.sweep.run", lambda plan: seen.append(plan) or result)
    return seen


def test_options_become_the_search(run, plans):
    words = [
        "--grid",
        "fit.margin=0.2,0.4",
        "--grid",
        "fit.epochs=1,2",
        "--random",
        "3",
        "--seeds",
        "2",
        "--workers",
        "1",
    ]
    assert run("sweep", *words, "--set", "seed=7", "--artifacts", "a").code == 0
    [plan] = plans
    assert (plan.grid, plan.random, plan.seeds) == (("fit.margin=0.2,0.4", "fit.epochs=1,2"), 3, 2)
    assert (plan.workers, plan.dask, plan.out, plan.run.seed) == (1, None, "a/sweeps", 7)


def test_without_options_the_search_has_its_own_defaults(run, plans):
    run("sweep", "--grid", "fit.margin=0.2,0.4")
    assert (plans[0].seeds, plans[0].figure, plans[0].workers) == (Sweep.seeds, Sweep.figure, Sweep.workers)


def test_the_table_and_what_to_do_next_are_printed(run, plans, tmp_path):
    lines = run("sweep", "--grid", "fit.margin=0.2,0.4").out.splitlines()
    assert lines[0] == "| trial |"
    assert lines[-2:] == [f"4 trials, 1 failed: {tmp_path}", f"next: kensa retrain --settings {tmp_path}/best.toml"]
