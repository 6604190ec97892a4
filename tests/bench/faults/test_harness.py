"""A quick sample of each kind of fault; `make faults` puts all of them, some thousand."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys

import pytest
from support.project import ROOT

import bench.faults.__main__ as faults
from bench.faults.result_row import Row

SAMPLE = """
import json, sys
from pathlib import Path
import bench.faults.__main__
from bench.faults import concurrency, disk, killed_steps, result_row
folder = Path(sys.argv[1])
prepared = killed_steps.Prepared(folder)
rows = [result_row.Row("kill", step) for step in ("triplets", "publish")]
for row in rows:
    killed_steps.at_every_operation(prepared, row.kind, row, 15)
rows.append(result_row.Row("disk", "turned", 7))
disk._every_file(prepared, rows[-1], disk.flipped, 8)
rows.append(result_row.Row("pairs", "moves"))
concurrency._moves(prepared, rows[-1], 2)
print(json.dumps([[row.kind, row.tried, row.lost] for row in rows]))
"""


@pytest.mark.slow
def test_a_sample_of_kills_damage_and_crowds(tmp_path):
    """In a process of its own, because the children are forked from one that has trained nothing."""
    done = subprocess.run(
        [sys.executable, "-c", SAMPLE, tmp_path], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    for kind, tried, lost in json.loads(done.stdout):
        assert tried >= 2, kind
        assert lost == [], kind


def test_a_part_that_was_run_alone_leaves_the_rows_of_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(faults, "KEPT", tmp_path / "faults.json")
    monkeypatch.setattr(faults, "PAGE", tmp_path / "reliability.md")
    shutil.copy(ROOT / "docs" / "reliability.md", faults.PAGE)
    before = faults.PAGE.read_text()
    faults.keep("soak", [Row("soak", "many", recovered=1_007, lost=["a", "b"], notes="in a row")], 7, 0.5)
    faults.write_table()
    after = faults.PAGE.read_text()
    changed = {*before.splitlines()} ^ {*after.splitlines()}
    assert "| soak | many (in a row) | 1,009 | 1,007 | 0 | 2 |" in changed
    assert {re.match(r"\| soak|\| \| \*\*all|Seeds: ", line)[0] for line in changed} == {
        "| soak",
        "| | **all",
        "Seeds: ",
    }
    assert "soak 7 (share 0.5)" in after
    lost = sum(int(line.split("|")[-2]) for line in after.splitlines() if re.match(r"\| \w+ \|.*\d \|$", line))
    assert f"| **{lost}** |" in after
