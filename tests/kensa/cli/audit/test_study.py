"""`kensa study`: from labelled parts to a plan, and from the filled-in sheet to what is shown."""

from __future__ import annotations

import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.inspected_parts import map_column


@pytest.fixture
def parts(hidden, tmp_path):
    """120 labelled parts with serial numbers, as a file."""
    records = hidden(each=40, seed=11)
    table = map_column(records).append_column("serial", pa.array([f"SN-{i:04}" for i in range(len(records))]))
    pq.write_table(table, tmp_path / "parts.parquet")
    return tmp_path / "parts.parquet"


def fill_in(folder):
    """Every answer as the reference says, as an inspector would who makes no mistake."""
    plan = json.loads((folder / "plan.json").read_text())
    defect = {part["part"]: part["defect"] for part in plan["parts"]}
    sheet = folder / "sheet.csv"
    with sheet.open() as file:
        rows = list(csv.DictReader(file))
    with sheet.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({**row, "answer": "defect" if defect[row["part"]] else "good"} for row in rows)


@pytest.mark.slow
def test_a_study_from_plan_to_verdict(run, small_line, parts, tmp_path):
    place = ["--artifacts", small_line.artifacts_path, "--folder", tmp_path / "study", "--id", "serial"]
    words = ["--parts", "40", "--inspectors", "sato, ito", "--trials", "2"]
    lines = run("study", "plan", parts, *place, *words).out.splitlines()
    assert lines[0] == "planned: 40 parts for v1, 20 defective, 16 near the threshold"
    assert lines[-1] == "  149 defects without a miss show at most 2%; here are 20"
    fill_in(tmp_path / "study")
    ended = run("study", "judge", parts, *place)
    assert ended.code == 0, ended.err
    assert "sato, 2 trials: not shown to be acceptable" in ended.out, "20 defects are too few"
    assert "at least 90%: shown" in ended.out
    assert "at most 2%: not shown (149 parts without an error show it)" in ended.out
    assert "kappa of sato and ito" in ended.out
    result = json.loads(run("study", "judge", parts, *place, "--json").out)
    release, sato, ito = result["appraisals"]
    assert (release["name"], release["trials"], release["repeatability"]["value"]) == ("release v1", 2, 1.0)
    assert sato["misses"]["count"] == ito["false_alarms"]["count"] == 0
    assert sato["kappa"]["value"] == 1.0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["plan"], "SOURCE: expected labelled parts, found none; see kensa study --help"),
        (["judge"], "expected plan.json, found none; kensa study plan SOURCE makes it"),
        (["plan", "--parts", "5"], "--parts: expected a number greater than or equal to 10, found '5'"),
    ],
    ids=["no source", "no plan", "parts"],
)
def test_wrong_words_are_one_line(run, small_line, tmp_path, words, expected):
    ended = run("study", *words, "--artifacts", small_line.artifacts_path, "--folder", tmp_path / "study")
    assert ended.code == 2
    assert expected in ended.err
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "study").exists()
