"""The bench's own parts: peers that compute the same, and a table that lands where it belongs."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
from support.project import ROOT

from bench.speed import growth
from bench.speed.__main__ import MARKS, PAGE, table, written
from bench.speed.synthetic import bank, wide_triplets
from bench.speed.table import ahead, over
from bench.speed.timing import Way, in_turns
from tasks.data.split import PARTS


def test_a_row_says_who_is_ahead():
    row = ahead("data", "to arrays", 0.5, "the notebook", 100.0, "200")
    assert row.text() == "| data | to arrays | 0.5 s | the notebook 100 s | 200 × | 200 |"
    assert (
        over("data", "memory", 300, "records", 100, unit="MB")
        .text()
        .startswith("| data | memory (less is better) | 300 MB | records 100 MB | 3 × |")
    )


def test_the_table_goes_between_its_marks_and_nowhere_else():
    page = PAGE.read_text(encoding="utf-8")
    new = written(page, table([], {"product": 1, "copy": 2}))
    assert [new.partition(MARKS[0])[0], new.partition(MARKS[1])[2]] == [
        page.partition(MARKS[0])[0],
        page.partition(MARKS[1])[2],
    ]
    assert "copy 2.0 GB/s" in new


def test_the_generated_sets_are_what_the_notebook_has(tmp_path):
    wide_triplets(tmp_path, 50, 40)
    found = pq.read_table(tmp_path / "triplets.parquet")
    assert found.shape == (50, 3 * 1404 + 4)
    assert not np.any(found["pmode"].to_numpy() == found["nmode"].to_numpy())
    known = bank(300, 20, 400)
    assert [len(known.triplets[part]) for part in PARTS] == [300, 20, 0, 0]
    assert set(known.part[known.triplets["train"][:, 1:]].ravel()) == {0}


def test_ways_are_run_in_turns_and_a_failure_ends_the_bench(tmp_path):
    tell = "import json; print(json.dumps({'seconds': [1.0, 3.0]}))"
    one, other = (Way(name, [sys.executable, "-c", tell]) for name in ("one", "other"))
    in_turns([one, other], 2, tmp_path)
    assert one.median("seconds") == 2.0
    assert len(one.told) == len(other.told) == 2
    with pytest.raises(SystemExit, match="bad ended with 3"):
        Way("bad", [sys.executable, "-c", "raise SystemExit(3)"]).run(tmp_path)


@pytest.mark.slow
def test_a_device_is_measured():
    """On the processor, a small product and the small tower; what waits for the host is a share of the whole."""
    words = [sys.executable, "-m", "bench.speed.device", "--presets", "notebook", "--rounds", "3", "--size", "512"]
    env = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("JAX on cpu, float32: matrix product ")
    cells = done.stdout.splitlines()[-1].split(" | ")
    assert cells[0] == "| notebook"
    step, records = float(cells[1].removesuffix(" ms")), float(cells[2].replace(",", ""))
    assert 0 < records < 96 * 1000 / step * 1.5


@pytest.mark.slow
def test_growth_measures_steps_of_maps_of_any_size(tmp_path, monkeypatch):
    """Each in a process of its own, on what the step before has left; what was measured is read again."""
    rows = growth.walk(tmp_path, 400, (3, 4), ["cache", "triplets"])
    assert [row["step"] for row in rows] == ["cache", "triplets"]
    assert all(row["megabytes"] > 20 and row["processor"] > 0 for row in rows)
    assert np.load(next(tmp_path.glob("*/data/stages/triplets-*")) / "maps.npy", mmap_mode="r").shape == (400, 12)
    monkeypatch.setattr(growth, "measured", None)
    assert growth.walk(tmp_path, 400, (3, 4), ["cache", "triplets"]) == rows
    head, _, *lines = growth.table(rows).splitlines()
    assert head == "| step | 400 records: s | processor s | MB |"
    assert [line.split(" | ")[0] for line in lines] == ["| cache", "| triplets"]
