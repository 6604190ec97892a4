"""The names of runs: line, dataset and day; a name that a person gave stays."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import uuid4

import pytest

from flows.ui.run_names import RANDOM_NAME, name_planned_runs, planned_name, retrain_name
from tasks.config.run import RunConfig
from tasks.core.results import PinnedSource

DEMO = PinnedSource("demo", "demo", "", "0123456789")
MONDAY = datetime(2026, 11, 30, 4, tzinfo=UTC)
SCHEDULE = SimpleNamespace(id=uuid4(), schedule=SimpleNamespace(timezone="Europe/Berlin"))
WEEKLY = SimpleNamespace(id=uuid4(), name="weekly", entrypoint="flows/retrain.py:retrain", schedules=[SCHEDULE])


def planned(name="brave-otter", schedule=SCHEDULE.id, **parameters):
    return SimpleNamespace(
        id=uuid4(),
        name=name,
        auto_scheduled=True,
        deployment_id=WEEKLY.id,
        parameters=parameters,
        expected_start_time=MONDAY,
        created_by=SimpleNamespace(id=schedule),
    )


def test_two_lines_on_one_dataset_have_names_of_their_own():
    assert retrain_name(DEMO, RunConfig(), "terminal") == "terminal demo@0123456 best"
    assert retrain_name(DEMO, RunConfig(), "nihon") == "nihon demo@0123456 best"
    assert retrain_name(DEMO, RunConfig(), None) == "demo@0123456 best"
    assert retrain_name(DEMO, RunConfig(), "demo") == "demo@0123456 best", "it is named already"


@pytest.mark.parametrize(
    ("run", "name"),
    [
        (planned(line="terminal"), "terminal weekly 2026-11-30 05:00"),
        (planned(line="all"), "all lines weekly 2026-11-30 05:00"),
        (planned(schedule=uuid4()), "retrain 2026-11-30 04:00"),
    ],
    ids=["line", "all", "none"],
)
def test_a_planned_run_is_named_for_line_and_time_in_the_zone_of_its_schedule(run, name):
    assert planned_name(run, WEEKLY) == name
    assert not RANDOM_NAME.fullmatch(name), "it would be named again and again"


def test_only_random_names_are_replaced():
    runs, named = [planned(line="a"), planned("Monday's first", line="b")], {}
    client = SimpleNamespace(
        read_flow_runs=lambda **_: runs,
        read_deployments=lambda **_: [WEEKLY],
        update_flow_run=lambda run, name: named.update({run: name}),
    )
    assert name_planned_runs(client, ("weekly",)) == 1
    assert named == {runs[0].id: "a weekly 2026-11-30 05:00"}
