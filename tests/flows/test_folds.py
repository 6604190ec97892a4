"""Trainings anew by the real command: their runs in Prefect, their figures, and a second run that finds them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from support.factory import dask_cluster
from support.flow_runs import in_place, run_flow
from support.inspected_parts import map_column

from flows.retrain import retrain
from tasks.config.overrides import apply_overrides

pytestmark = pytest.mark.slow
UNSEEN, PERMUTATION = "evaluate.unseen=true", "evaluate.permutation=true"


@pytest.fixture(scope="module")
def line(a_place, server, hidden, small_config, tmp_path_factory):
    """A run with both kinds of folds, and one that is judged by the fused score."""
    place = a_place(tmp_path_factory.mktemp("folds") / "place", server.env)
    (place.folder / "boards").mkdir()
    pq.write_table(map_column(hidden(140)), place.folder / "boards" / "table.parquet")
    config = apply_overrides(small_config("boards"), [UNSEEN, PERMUTATION])
    with in_place(place.folder, server):
        first = run_flow(retrain, config=config)
        fused = run_flow(retrain, config=apply_overrides(config, ["evaluate.score=fused"]))
    assert (first.error, fused.error) == (None, None)
    return place, (first, fused)


def of(server, artifact: str):
    """The flow runs that left an artifact of that kind, in order."""
    made = server.filter("artifacts", artifacts={"key": {"like_": f"{artifact}%"}}, sort="ID_DESC")
    return sorted(made, key=lambda one: one["created"])


def test_each_fold_is_a_bank_a_training_and_a_judgement(line, server):
    first = of(server, "unseen-boards")[0]["flow_run_id"]
    names = [task["name"] for task in server.tasks(first)]
    for title in ("without mode 1", "without mode 2", "modes permuted, 1", "modes permuted, 3"):
        found = [name for name in names if name.endswith(title)]
        assert found == [f"{word} {title}" for word in ("fold", "train", "evaluate")]
    assert names.index("evaluate") > names.index("evaluate modes permuted, 3")


def test_progress_and_figures_stand_in_the_ui(line, server):
    first = of(server, "unseen-boards")[0]
    table = first["data"]
    assert "| mode not trained | records | good or defect, distance | good or defect, peak |" in table
    assert "| 1 | " in table
    assert "| **mean** |" in table
    assert "Modes permuted, verification AUROC 0." in table
    bar = server.artifacts(first["flow_run_id"])["folds-boards"]
    assert bar["data"] == 100
    assert bar["description"] == "fold 5/5: modes permuted, 3"


def test_the_command_tells_both_questions_apart(line):
    place, (first, fused) = line
    told = [run.result.metrics for run in (first, fused)]
    for metrics in told:
        assert 0 <= metrics["unseen_good_auroc"] <= 1
        assert metrics["permutation_auroc"] == pytest.approx(0.5, abs=0.15)  # of some 50 records
    assert told[0]["unseen_good_auroc"] == told[0]["unseen_good_auroc_distance"]
    assert told[1]["unseen_good_auroc"] == told[1]["unseen_good_auroc_fused"]
    assert told[1]["good_auroc"] == told[1]["good_auroc_fused"]
    report = json.loads((place.folder / first.result.path / "report.json").read_text())
    assert set(report["unseen"]["modes"]) == {"1", "2"}


def test_finished_folds_are_kept(line, server):
    """Another score is another judgement: nothing is trained for it."""
    _, (first, fused) = line
    assert "fold 1/5: without mode 1" in first.err
    assert "epoch" in first.err
    assert "epoch" not in fused.err
    second = of(server, "unseen-boards")[1]["flow_run_id"]
    states = {task["name"]: task["state_name"] for task in server.tasks(second)}
    assert {states[f"train {title}"] for title in ("without mode 1", "modes permuted, 1")} == {"Cached"}


def test_a_cluster_finds_what_one_after_the_other_finds(line, tmp_path):
    """By the command and in other folders, so that every fold is made anew; both workers take part."""
    place, (first, _) = line
    folders = ("--data", tmp_path / "data", "--artifacts", tmp_path / "artifacts")
    with dask_cluster(tmp_path, place.env) as (address, home):
        words = ("--set", UNSEEN, "--set", f"evaluate.dask={address}")
        done = place.kensa("retrain", "--train", "boards", "--json", *words, *folders)
    assert done.code == 0, done.err
    expected = {name: value for name, value in first.result.metrics.items() if not name.startswith("permutation")}
    assert done.told["metrics"] == expected
    for name in ("one", "two"):
        assert "Task run 'fold " in (home / f"{name}.log").read_text(), name


def test_every_group_is_tested_once_by_the_command(line, hidden, tmp_path):
    """Four lots in four sets, then the same on a cluster; a second run finds the trainings."""
    place, _ = line
    (place.folder / "lots").mkdir()
    parts = hidden(120)
    parts = replace(parts, group=np.array([f"L{number % 4}" for number in np.arange(len(parts)) // 3]))
    pq.write_table(map_column(parts), place.folder / "lots" / "table.parquet")
    words = ("retrain", "--train", "lots", "--json", "--set", "evaluate.cross=4", "--data", tmp_path / "data")
    done = place.kensa(*words, "--artifacts", tmp_path / "first")
    assert done.code in (0, 1), done.err
    assert "fold 4/4: groups tested, 4/4" in done.err
    metrics = done.told["metrics"]
    report = json.loads((place.folder / done.told["path"] / "report.json").read_text())
    assert report["cross"]["metrics"]["good_fpr"]["value"] == metrics["cross_good_fpr"]
    assert {name: group["n"] for name, group in report["cross"]["by_group"].items()} == {f"L{i}": 90 for i in range(4)}
    assert report["thresholds"][0]["crossed"] is True
    assert report["thresholds"][0]["negatives"] == 120, "the good records of every lot"
    with dask_cluster(tmp_path, place.env) as (address, _):
        other = ("--artifacts", tmp_path / "second", "--set", f"evaluate.dask={address}")
        again = place.kensa(*words, *other)
    assert again.told["metrics"] == metrics
    assert "epoch" not in again.err
