"""Which parts are judged again, the inspectors' sheet, and that a plan is kept as it was written."""

from __future__ import annotations

import csv
import json

import numpy as np
import pyarrow as pa
import pytest
from support.inspected_parts import map_column, source

from tasks.core.errors import UnfitStudy
from tasks.scoring.judging import open_parts
from tasks.study.plan import PLAN_FILE, SHEET_FILE, StudyPlan, StudyRequest, plan_study

ORIGIN = ("acme/study", "abc")


@pytest.fixture(scope="module")
def table(hidden):
    """180 parts with serial numbers, 60 of them good."""
    parts = hidden(each=60, seed=11)
    return map_column(parts).append_column("serial", pa.array([f"SN-{i:04}" for i in range(len(parts))]))


@pytest.fixture
def opened(plain_release, tmp_path):
    return lambda table: open_parts(source(table, tmp_path / "parts"), plain_release)


@pytest.fixture
def plan(plain_release, opened, table):
    request = StudyRequest(parts=60, near=0.4, inspectors=("sato", "ito"), trials=2)
    return plan_study(opened(table), plain_release, request, ORIGIN)


def test_half_are_defects_and_the_stated_share_is_near_the_threshold(plan, plain_release):
    assert (len(plan.parts), int(plan.defect.sum())) == (60, 30)
    assert sum(part.near for part in plan.parts) == 24
    assert len({part.record for part in plan.parts}) == 60
    for defect in (True, False):
        near = [abs(part.margin) for part in plan.parts if part.defect == defect and part.near]
        rest = [abs(part.margin) for part in plan.parts if part.defect == defect and not part.near]
        assert max(near) <= min(rest)
    assert all(part.called == (part.margin < 0) for part in plan.parts)
    assert plan.threshold == plain_release.defect_threshold
    assert (plan.source, plan.revision, plan.trials) == (*ORIGIN, 2)


def test_parts_that_the_release_was_made_with_are_left_out(plain_release, opened, hidden):
    with pytest.raises(UnfitStudy, match="new to v1, good ones and defects, found 0 good and 0 defective"):
        plan_study(opened(map_column(hidden())), plain_release, StudyRequest(50), ORIGIN)


def test_too_few_of_one_kind_are_made_up_by_the_other(plain_release, opened, table):
    few = pa.concat_tables([table.slice(0, 9), table.filter(pa.array(np.array(table["label"]) == 1))])
    plan = plan_study(opened(few), plain_release, StudyRequest(parts=60), ORIGIN)
    assert int((~plan.defect).sum()) == 3
    with pytest.raises(UnfitStudy, match="expected 300 labelled parts"):
        plan_study(opened(table), plain_release, StudyRequest(parts=300), ORIGIN)


def test_the_sheet_has_each_trial_in_an_order_of_its_own_and_no_reference(plan, tmp_path):
    result = plan.save(tmp_path / "study")
    assert (result.parts, result.defects, result.near) == (60, 30, 24)
    with (tmp_path / "study" / SHEET_FILE).open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["inspector", "trial", "place", "part", "answer"]
    orders = [[row["part"] for row in rows[i : i + 60]] for i in range(0, 240, 60)]
    assert all(sorted(order) == sorted(orders[0]) for order in orders)
    assert len(set(map(tuple, orders))) == 4
    assert StudyPlan.load(tmp_path / "study") == plan


def test_a_changed_plan_and_filled_in_answers_are_not_lost_silently(plan, tmp_path):
    plan.save(tmp_path)
    stored = json.loads((tmp_path / PLAN_FILE).read_text())
    stored["parts"][0]["defect"] = not stored["parts"][0]["defect"]
    (tmp_path / PLAN_FILE).write_text(json.dumps(stored))
    with pytest.raises(UnfitStudy, match="differs from its checksum"):
        StudyPlan.load(tmp_path)
    sheet = tmp_path / SHEET_FILE
    sheet.write_text(sheet.read_text().replace(",\n", ",good\n", 1))
    with pytest.raises(UnfitStudy, match="expected a new folder, found answers"):
        plan.save(tmp_path)
    with pytest.raises(UnfitStudy, match=r"expected plan\.json, found none; kensa study plan"):
        StudyPlan.load(tmp_path / "nowhere")
