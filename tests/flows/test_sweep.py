"""`kensa sweep` as it is typed: on threads, on a real Dask cluster, killed, and with a ruined test part."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from support.factory import dask_cluster, until
from support.inspected_parts import map_column
from support.prefect_server import free_port
from support.project import BIN

from tasks.core.stages import MANIFEST, seal_folder, verified_manifest
from tasks.data.bank import load_bank

pytestmark = pytest.mark.slow
SHORT = ("--set", "fit.epochs=4")
SEARCH = ("sweep", "--train", "boards", "--grid", "fit.margin=0.2,0.4", *SHORT)


@pytest.fixture(scope="module")
def place(a_place, tmp_path_factory, server, hidden):
    """A folder with a source, whose runs go to the session's server."""
    made = a_place(tmp_path_factory.mktemp("sweep") / "place", server.env)
    (made.folder / "boards").mkdir()
    pq.write_table(map_column(hidden()), made.folder / "boards" / "table.parquet")
    return made


@pytest.fixture(scope="module")
def swept(place):
    """Two margins with two seeds, for all tests that look at what they left."""
    return place.kensa(*SEARCH, "--seeds", 2, "--json")


def table(folder):
    with (folder / "table.csv").open() as file:
        return [{key: row[key] for key in row if key != "seconds"} for row in csv.DictReader(file)]


def states(server, run_id):
    """The last state of every trial of a run, by its name; the server notes it some time after the run's."""

    def ended():
        trials = {run["name"]: run["state_name"] for run in server.tasks(run_id) if run["name"].startswith("trial ")}
        return None if {"Pending", "Running"} & set(trials.values()) else trials

    return until(ended, 60, "all trials have ended")


def test_it_ends_with_a_sealed_folder(place, swept):
    assert swept.code == 0, swept.err
    told = swept.told
    assert (told["trials"], told["failed"], told["figure"]) == (4, 0, "auroc")
    folder = place.folder / told["path"]
    assert folder.parent == place.folder / "artifacts" / "sweeps"
    assert verified_manifest(folder)["chosen"] == told["chosen"]
    assert {float(row["fit.margin"]) for row in table(folder)} == {0.2, 0.4}
    assert all(float(row["low"]) < float(row["mean"]) for row in table(folder))
    assert place.left_over() == []
    assert not (place.folder / "artifacts" / "releases").exists()


def test_each_trial_is_a_task_with_a_name_that_says_what_it_tries(server, swept):
    names = {f"trial margin={margin} seed {seed}" for margin in ("0.2", "0.4") for seed in (42, 43)}
    assert set(states(server, swept.run_id)) == names


def test_the_ui_has_table_and_verdict(place, server, swept):
    made = server.artifacts(swept.run_id)
    rows = json.loads(made["sweep-boards"]["data"])
    assert sorted(row["fit.margin"] for row in rows) == ["0.2", "0.4"]
    assert made["sweep-verdict-boards"]["type"] == "markdown"
    assert "optimistic" in made["sweep-verdict-boards"]["data"]
    assert (
        f"- best.toml: `{(place.folder / swept.told['path']).resolve()}/best.toml`"
        in (made["sweep-verdict-boards"]["data"])
    )


def test_again_it_trains_nothing(place, server, swept):
    again = place.kensa(*SEARCH, "--seeds", 2)
    assert again.code == 0, again.err
    assert set(states(server, again.run_id).values()) == {"Cached"}
    assert swept.told["path"] in again.out
    assert "next: kensa retrain --settings" in again.out


def test_the_settings_file_retrains_the_chosen_run(place, server, swept):
    """The first seed's model is the sweep's own, found good; what is new is its judgement on the test part."""
    done = place.kensa("retrain", "--settings", swept.told["settings_file"], "--json", small=False)
    assert done.code == 0, done.err
    (train,) = [run for run in server.tasks(done.run_id) if run["name"] == "train"]
    assert train["state_name"] == "Cached"
    manifest = json.loads((place.folder / done.told["path"] / "manifest.json").read_text())
    assert manifest["config"]["fit"]["margin"] == swept.told["chosen"]["settings"]["fit.margin"]
    assert manifest["config"]["fit"]["epochs"] == 4


def test_a_word_beside_the_settings_file_wins(place, swept):
    words = ("--settings", swept.told["settings_file"], "--set", "fit.margin=none")
    done = place.kensa("retrain", *words, "--train", "absent", small=False)
    assert done.code == 2
    assert "kensa: absent: expected org/name" in done.err


def ruin(stage, part="test"):
    """Make a part's maps and labels wrong, under the stage's own digest."""
    bank, facts = load_bank(stage), verified_manifest(stage)
    rows, maps, mode, good = bank.rows(part), np.array(bank.maps), bank.mode.copy(), bank.good.copy()
    maps[rows] *= -1000
    mode[rows], good[rows] = (mode[rows] + 1) % len(bank.modes), ~good[rows]
    (stage / MANIFEST).unlink()
    replace(bank, maps=maps, mode=mode, good=good).save(stage)
    seal_folder(stage, {name: value for name, value in facts.items() if name != "files"})


def test_all_failed(place):
    words = ("--grid", "fit.learning_rate=9,10", *SHORT, "--seeds", 1)
    before = set((place.folder / "artifacts").rglob("*"))
    done = place.kensa("sweep", "--train", "boards", *words)
    assert (done.code, done.out) == (1, "")
    assert re.match(r"kensa: all 2 trials failed, the first: epoch [12]: ", done.err.splitlines()[-1])
    assert "Traceback" not in done.err
    assert set((place.folder / "artifacts").rglob("*")) == before


def children(place):
    """Every living process of a trial that belongs to the place."""
    mark = f"PREFECT_HOME={place.env['PREFECT_HOME']}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            ours = mark in (process / "environ").read_bytes().split(b"\0")
            if ours and b"tasks.workers.child_process" in (process / "cmdline").read_bytes():
                found.append(process.name)
        except OSError:
            continue  # it has ended
    return found


def test_a_killed_sweep_leaves_no_process_and_goes_on(place, server):
    words = ("--grid", "fit.margin=0.3,0.5,0.6", "--seeds", 1, *SHORT)
    env = {**os.environ, **place.env}
    small = [word for key in ("data.rows=4", "data.cols=5", "tower.widths=64-32-8") for word in ("--set", key)]
    command = [str(word) for word in (BIN / "kensa", "sweep", "--train", "boards", *words, *small)]
    known = set((place.folder / "data" / "stages").glob("trial-*"))
    with (place.folder / "killed.log").open("w") as log:
        process = subprocess.Popen(command, cwd=place.folder, env=env, stdout=log, stderr=log)
    made = lambda: set((place.folder / "data" / "stages").glob("trial-*")) - known  # noqa: E731
    until(lambda: made() and children(place), 180, "a trial is done and another under way")
    process.send_signal(signal.SIGKILL)
    process.wait()
    until(lambda: not children(place), 60, "its processes have ended")
    done_before = len(made())
    assert 0 < done_before < 3, "it was killed too late"
    done = place.run(*command, "--json")
    assert done.code == 0, done.err
    assert done.told["trials"] == 3
    found = list(states(server, done.run_id).values())
    assert sorted(found) == ["Cached"] * done_before + ["Completed"] * (3 - done_before)
    assert place.left_over() == []


@pytest.fixture(scope="module")
def cluster(place, tmp_path_factory):
    """The address of a Dask cluster, and the folder of its logs."""
    with dask_cluster(tmp_path_factory.mktemp("dask"), place.env) as made:
        yield made


def test_a_cluster_and_a_ruined_test_part_change_neither_table_nor_choice(place, server, swept, cluster, tmp_path):
    """All trials are made anew, on both workers, from banks whose test records are wrong in every way."""
    (address, home), data = cluster, tmp_path / "data"
    shutil.copytree(place.folder / "data", data)
    for kind in ("model", "trial", "report"):
        for folder in data.glob(f"stages/{kind}-*"):
            shutil.rmtree(folder)
    banks = list(data.glob("stages/triplets-*"))
    assert len(banks) == 2, "one for each seed"
    for bank in banks:
        ruin(bank)
    folders = ("--data", data, "--out", tmp_path / "out")
    done = place.kensa(*SEARCH, "--seeds", 2, "--dask", address, *folders, "--json")
    assert done.code == 0, done.err
    assert len(list(data.glob("stages/model-*"))) == 4
    first = place.folder / swept.told["path"]
    assert table(Path(done.told["path"])) == table(first)
    assert (Path(done.told["path"]) / "best.toml").read_text() == (first / "best.toml").read_text()
    assert set(states(server, done.run_id).values()) == {"Completed"}
    for name in ("one", "two"):
        assert "Task run 'trial margin=" in (home / f"{name}.log").read_text(), name


def test_a_failed_trial_is_a_row_on_a_cluster_too(place, server, cluster):
    grid = ("--grid", "fit.learning_rate=0.01,10")
    done = place.kensa("sweep", "--train", "boards", *grid, *SHORT, "--seeds", 1, "--dask", cluster[0], "--json")
    assert done.code == 0, done.err
    assert (done.told["trials"], done.told["failed"]) == (2, 1)
    assert done.told["chosen"]["settings"] == {"fit.learning_rate": 0.01}
    assert "every record has the same embedding" in done.told["rows"][1]["failed"]
    assert "Traceback" not in done.err
    assert states(server, done.run_id)["trial learning_rate=10 seed 42"] == "Failed"


def test_no_cluster_there_is_one_line_of_the_command(place):
    address = f"tcp://127.0.0.1:{free_port()}"
    done = place.kensa(*SEARCH, "--dask", address)
    assert (done.code, done.out) == (2, "")
    *waited, said = done.err.splitlines()
    assert said.startswith(f"kensa: --dask {address}: expected a Dask scheduler")
    assert all(line.startswith("  sweep: ") and line.endswith(" s so far") for line in waited)
