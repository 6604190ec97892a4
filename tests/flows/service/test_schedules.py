"""The schedules of the product lines on a real server: as asked for, once, and gone with their line."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from support.factory import until
from support.project import ROOT

from flows.service.next_runs import PLANNED
from flows.service.schedules import main
from flows.service.server import PrefectServer, connect
from flows.ui.run_names import name_planned_runs

pytestmark = pytest.mark.slow
TWO = '{top}\n[lines.a]\ntrain = "demo"\n{a}\n[lines.b]\ntrain = "demo"\ntimezone = "America/New_York"\n'


@pytest.fixture
def deployed(served):
    """A place whose deployments the session's server has just taken."""
    for part in ("flows", "tasks", "prefect.yaml"):
        (served.folder / part).symlink_to(ROOT / part)
    served.env["KENSA_ROOT"] = str(served.folder)
    prefect = [Path(sys.executable).parent / "prefect", "--no-prompt"]
    pool = served.run(*prefect, "work-pool", "create", "kensa", "--type", "process", "--overwrite")
    assert pool.code == 0, pool.err
    done = served.run(*prefect, "deploy", "--all")
    assert done.code == 0, done.err
    return served


@pytest.fixture
def set_from(deployed, server, monkeypatch):
    """Writes kensa.toml, and makes the schedules those of its lines."""
    monkeypatch.setenv("PREFECT_API_URL", server.env["PREFECT_API_URL"])
    monkeypatch.chdir(deployed.folder)

    def write(text):
        Path("kensa.toml").write_text(text, encoding="utf-8")
        assert main() == 0

    return write


def standing(server):
    """Slug to cron, zone, parameters and id; as many as there are schedules."""
    found = server.get("/deployments/name/retrain/weekly")["schedules"]
    made = {s["slug"]: (s["schedule"]["cron"], s["schedule"]["timezone"], s["parameters"], s["id"]) for s in found}
    assert len(made) == len(found)
    return made


def shown(server):
    return {slug: told[:3] for slug, told in standing(server).items()}


def test_each_line_has_its_schedule_once_and_loses_it_when_it_goes(set_from, server):
    soon = datetime.now(ZoneInfo("Asia/Tokyo")) + timedelta(minutes=30)
    cron = f"{soon.minute} {soon.hour} * * *"
    text = TWO.format(top='schedule = "0 6 * * *"', a=f'schedule = "{cron}"\ntimezone = "Asia/Tokyo"')
    set_from(text)
    assert shown(server) == {
        "line-a": (cron, "Asia/Tokyo", {"line": "a"}),
        "line-b": ("0 6 * * *", "America/New_York", {"line": "b"}),
    }
    due = soon.replace(second=0, microsecond=0).astimezone(UTC)
    until(lambda: due in times(server, "a"), 90, "a run of line a is scheduled for its own time in Tokyo")
    with connect(PrefectServer(server.env["PREFECT_API_URL"])) as client:
        assert name_planned_runs(client, PLANNED) > 2
        assert name_planned_runs(client, PLANNED) == 0, "a run is named once"
    assert f"a weekly {soon:%Y-%m-%d %H:%M}" in [run["name"] for run in planned(server, "a")]
    once = standing(server)
    set_from(text)
    assert standing(server) == once, "run again, nothing is made anew"
    set_from('[lines.b]\ntrain = "demo"\ntimezone = "America/New_York"\n')
    assert shown(server) == {"line-b": ("0 5 * * 1", "America/New_York", {"line": "b"})}
    assert times(server, "a") == []
    set_from('[lines.b]\ntrain = "demo"\n')
    assert shown(server) == {"monday-morning": ("0 5 * * 1", "Europe/Berlin", {"line": "all"})}


def planned(server, line):
    """The scheduled runs of a line."""
    runs = server.filter("flow_runs", flow_runs={"state": {"type": {"any_": ["SCHEDULED"]}}})
    return [run for run in runs if run["parameters"].get("line") == line]


def times(server, line):
    """When the scheduled runs of a line are due."""
    return [datetime.fromisoformat(run["expected_start_time"]) for run in planned(server, line)]
