"""The states in which runs end: named for what came of them, with the reason, and never red."""

from __future__ import annotations

import dataclasses

import pytest
from prefect.states import Completed, Failed

from flows.ui.states import (
    drift_state,
    enrolment_state,
    lines_state,
    not_trained_state,
    reproduction_state,
    retraining_state,
    score_state,
    watch_state,
)
from tasks.core.inspection import DriftResult, ScoreResult, VerdictMix
from tasks.core.results import ReproduceResult, RetrainResult
from tasks.enrolment.request import EnrolResult

RELEASED = RetrainResult(
    status="released",
    release="v2",
    path="artifacts/releases/v2",
    train={"source": "acme/boards", "revision": "a" * 40},
    metrics={"auroc": 0.99},
    champion="v2",
    comparison={"verdict": "better than the champion v1"},
)
REJECTED = dataclasses.replace(
    RELEASED, status="rejected", release=None, champion="v1", reasons=("escapes rose", "a mode is worse")
)
CALM = DriftResult("new", "c" * 40, "v1", "steady", 60, [], None, VerdictMix([1.0], [1.0], 1.0, 0.0, changed=False))


def replaced(result, **changes):
    return retraining_state(dataclasses.replace(result, **changes)).message


def test_a_retraining_ends_in_its_status_with_the_reason():
    state = retraining_state(RELEASED)
    assert (state.name, state.message) == ("Released", "v2 is champion: better than the champion v1")
    assert state.data is RELEASED
    assert replaced(RELEASED, comparison=None) == "v2 is champion: the first of its line"
    zero = replaced(RELEASED, comparison=None, metrics={"good_fpr": 0.05})
    assert zero == "v2 is champion: the first of its line; detection power unknown"
    state = retraining_state(REJECTED)
    assert (state.name, state.message) == ("Rejected", "escapes rose; a mode is worse; champion: v1")
    assert replaced(REJECTED, champion=None).endswith("champion: none yet")


def test_an_unchanged_run_says_what_came_of_it_before():
    before = "the same data and settings were evaluated before, and "
    assert replaced(RELEASED, status="unchanged") == before + "gave release v2; champion: v2"
    expected = before + "rejected: escapes rose; a mode is worse; champion: v1"
    assert replaced(REJECTED, status="unchanged") == expected


def test_a_run_that_trained_nothing_says_why():
    state = not_trained_state("boards", "b" * 40, "skipped")
    assert state.name == "Not trained"
    assert state.message == "boards at bbbbbbbbbbbb: a newer revision came before this one was trained"


def test_a_run_of_all_lines_shows_what_came_of_each():
    states = {"terminal": retraining_state(RELEASED), "nihon": retraining_state(REJECTED)}
    state = lines_state(states)
    assert state.name == "1 released, 1 rejected"
    assert state.message.startswith("terminal: released, v2 is champion")
    assert "; nihon: rejected, escapes rose" in state.message
    assert lines_state({name: Completed(name="Unchanged") for name in "ab"}).name == "2 unchanged"


def test_scoring_says_how_many_verdicts_there_are():
    state = score_state(ScoreResult("new", "c" * 40, "v2", "v.parquet", {"good": 5, "defect": 2}))
    assert (state.name, state.message) == ("Scored", "new, judged by v2: 5 good, 2 defect")


def test_a_drift_is_named_for_its_status_and_several_are_counted():
    state = drift_state([CALM])
    assert (state.name, state.message) == ("Steady", "steady: 60 records of new against v1")
    assert drift_state([CALM, dataclasses.replace(CALM, status="drifted"), CALM]).name == "2 steady, 1 drifted"
    assert drift_state([]).name == "Nothing to compare"


def test_a_reproduction_says_what_differs():
    result = ReproduceResult("equal", "v1", {}, {})
    assert (reproduction_state(result).name, reproduction_state(result).message) == (
        "Equal",
        "v1: the same weights and metrics",
    )
    other = dataclasses.replace(result, verdict="differs", differences=("auroc is outside", "another backend"))
    assert reproduction_state(other).message == "v1: auroc is outside; another backend"


def test_a_look_at_the_sources_says_what_is_new():
    assert watch_state([]).name == "Nothing new"
    state = watch_state(["boards@abc"])
    assert (state.name, state.message) == ("1 new", "boards@abc")


@pytest.mark.parametrize(
    "state",
    [retraining_state(REJECTED), not_trained_state("a", "b", "done"), drift_state([CALM]), watch_state([])],
    ids=lambda state: state.name,
)
def test_no_result_is_a_failure(state):
    assert state.is_completed()
    assert not Failed().is_completed()


def test_an_enrolment_ends_with_what_was_learnt():
    result = EnrolResult("released", "v2", "v1", "releases/v2", "lot", "17", {"parts": 10}, "v1")
    state = enrolment_state(result)
    assert (state.name, state.message) == ("Enrolled", "v2 is v1 with the lot 17 of 10 parts; champion: v1")
    names = [enrolment_state(dataclasses.replace(result, status=status)).name for status in ("candidate", "unchanged")]
    assert names == ["Candidate", "Unchanged"]
