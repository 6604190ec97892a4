"""Answers of inspectors and of the release on repeats: complete, of the plan's parts, or refused in one line."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from support.inspected_parts import map_column, source

from tasks.core.errors import UnfitStudy
from tasks.scoring.judging import open_parts
from tasks.study.answers import inspectors_answers, release_answers
from tasks.study.plan import SHEET_COLUMNS, StudyRequest, plan_study


@pytest.fixture
def release(plain_release):
    """It knows the column of serial numbers."""
    return replace(plain_release, data=replace(plain_release.data, id="serial"))


@pytest.fixture
def table(hidden):
    parts = hidden(each=20, seed=11)
    return map_column(parts).append_column("serial", pa.array([f"SN-{i:04}" for i in range(len(parts))]))


@pytest.fixture
def plan(release, table, tmp_path):
    opened = open_parts(source(table, tmp_path / "first"), release)
    return plan_study(opened, release, StudyRequest(parts=12, inspectors=("sato", "ito"), trials=2), ("acme", "abc"))


def sheet(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([SHEET_COLUMNS, *rows])
    return path


def filled(plan, inspector, word=lambda part, trial: "defect" if part.defect else "good"):
    return [(inspector, t, i, part.part, word(part, t)) for t in (1, 2) for i, part in enumerate(plan.parts)]


def test_answers_are_by_inspector_part_and_trial_whatever_their_order(plan, tmp_path):
    turned = filled(plan, "ito", lambda part, trial: "NG" if part.defect == (trial == 1) else " ok ")
    path = sheet(tmp_path / "sheet.csv", [*filled(plan, "sato")[::-1], *turned])
    said = inspectors_answers(plan, [path])
    np.testing.assert_array_equal(said["sato"], np.stack([plan.defect] * 2, axis=1))
    np.testing.assert_array_equal(said["ito"], np.stack([plan.defect, ~plan.defect], axis=1))


def test_who_has_not_begun_is_left_out_and_a_trial_that_was_begun_must_be_whole(plan, tmp_path):
    blank = filled(plan, "ito", lambda part, trial: "")
    assert list(inspectors_answers(plan, [sheet(tmp_path / "a.csv", filled(plan, "sato") + blank)])) == ["sato"]
    first = [row for row in filled(plan, "sato") if row[1] == 1]
    assert inspectors_answers(plan, [sheet(tmp_path / "b.csv", first)])["sato"].shape == (12, 1)
    with pytest.raises(UnfitStudy, match=r"sato: expected an answer for each part in each trial .* found 1 without"):
        inspectors_answers(plan, [sheet(tmp_path / "c.csv", filled(plan, "sato")[1:])])


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (("sato", 1, 1, "SN-9999", "good"), "line 2: expected a part of the plan, found 'SN-9999'"),
        (("sato", 1, 1, None, "perhaps"), "line 2: expected good or defect, found 'perhaps'"),
        (("sato", "one", 1, None, "good"), "line 2: expected a trial such as 1, found 'one'"),
    ],
    ids=["part", "answer", "trial"],
)
def test_a_wrong_line_is_named(plan, tmp_path, row, expected):
    cells = [plan.parts[0].part if cell is None else cell for cell in row]
    with pytest.raises(UnfitStudy, match=expected):
        inspectors_answers(plan, [sheet(tmp_path / "sheet.csv", [cells])])


def test_an_answer_twice_and_a_file_that_is_no_sheet_are_refused(plan, tmp_path):
    twice = sheet(tmp_path / "sheet.csv", [*filled(plan, "sato"), filled(plan, "sato")[0]])
    with pytest.raises(UnfitStudy, match="line 26: expected one answer for a part in a trial"):
        inspectors_answers(plan, [twice])
    (tmp_path / "other.csv").write_text("inspector,part\nsato,SN-1\n")
    with pytest.raises(UnfitStudy, match="expected the columns inspector, trial, place, part, answer, found no answer"):
        inspectors_answers(plan, [tmp_path / "other.csv"])
    with pytest.raises(UnfitStudy, match="expected a sheet as CSV"):
        inspectors_answers(plan, [tmp_path / "nowhere.csv"])


def test_the_release_judges_each_repeat_by_the_names_of_parts(plan, release, table, tmp_path):
    again = table.take(np.random.default_rng(0).permutation(len(table)))
    said = release_answers(plan, release, [open_parts(source(again, tmp_path / "second"), release)])
    np.testing.assert_array_equal(said[:, 0], said[:, 1])
    np.testing.assert_array_equal(said[:, 0], [part.called for part in plan.parts])
    zeros = pa.array([[0.0] * 20] * len(table), table["map"].type)
    flat = table.set_column(table.column_names.index("map"), "map", zeros)
    assert not release_answers(plan, release, [open_parts(source(flat, tmp_path / "flat"), release)])[:, 1].any()


def test_a_repeat_without_a_part_and_another_release_are_refused(plan, release, table, tmp_path):
    few = open_parts(source(table.slice(0, 5), tmp_path / "few"), release)
    with pytest.raises(UnfitStudy, match="expected another measurement of every part of the plan, found none of"):
        release_answers(plan, release, [few])
    with pytest.raises(UnfitStudy, match="v1: expected the release of the plan, found another of that name"):
        release_answers(replace(plan, digest="0" * 16), release, [])
