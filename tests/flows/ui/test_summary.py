"""The five answers in a run's log."""

from __future__ import annotations

import dataclasses

from support.evaluations import report

from flows.ui.summary import answers
from tasks.core.results import RetrainResult
from tasks.evaluation.evaluation_report import SettingChange

RELEASED = RetrainResult("released", "v2", "artifacts/releases/v2", {}, {}, "v2")
REJECTED = dataclasses.replace(
    RELEASED, status="rejected", release=None, champion="v1", reasons=("escapes rose", "dents")
)
CHANGES = {"against": "v1", "added": 3, "removed": 0, "relabelled": 1}


def test_the_first_release_has_nothing_to_compare_with():
    nothing = "there was no champion to compare with"
    assert answers(RELEASED, report(), "terminal") == [
        "What ran: a retraining, line terminal, preset notebook: released",
        "On what data: acme/boards at 0123abc, 200 records of 3 modes",
        f"What changed in the data: {nothing}",
        f"What changed in the settings: {nothing}",
        "Was it promoted: yes; champion: v2",
    ]


def test_of_good_parts_alone_it_says_what_is_not_known():
    answer = answers(RELEASED, report(zero={"parts": 204}))[0]
    assert answer == "What ran: a retraining, good parts alone, detection power unknown: released"


def test_a_rejection_says_what_changed_and_each_reason():
    changed = report(changes=CHANGES, setting_changes=(SettingChange("seed", 42, 7), SettingChange("fit.batch", 1, 2)))
    assert answers(REJECTED, changed)[2:] == [
        "What changed in the data: 3 records added, 1 records relabelled, since v1",
        "What changed in the settings: seed 42 → 7, fit.batch 1 → 2",
        "Was it promoted: no; champion: v1",
        "Why not: escapes rose",
        "Why not: dents",
    ]
    same = report(changes=dict.fromkeys(CHANGES, 0) | {"against": "v1"}, setting_changes=())
    assert answers(REJECTED, same)[2:4] == [
        "What changed in the data: nothing, since v1",
        "What changed in the settings: nothing",
    ]


def test_an_unchanged_run_was_promoted_if_its_release_is_champion():
    unchanged = dataclasses.replace(RELEASED, status="unchanged")
    assert answers(unchanged, report())[4] == "Was it promoted: yes; champion: v2"
    older = dataclasses.replace(unchanged, champion="v3")
    assert answers(older, report())[4] == "Was it promoted: no; champion: v3"
