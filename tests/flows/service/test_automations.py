"""The automations that restart dead runs: on the server once, and replaced only where they differ."""

from __future__ import annotations

import pytest
from prefect.automations import Automation
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.service.automations import automations, ensure

pytestmark = pytest.mark.slow


@pytest.fixture
def on_server(server):
    """Reads our automations by name from the session's server."""
    names = [automation.name for automation in automations()]
    with temporary_settings({PREFECT_API_URL: f"{server.url}/api"}):
        yield lambda: {name: Automation.read(name=name) for name in names}


def test_both_are_made_once_and_one_that_somebody_changed_is_made_right(on_server, server):
    ensure()
    first = on_server()
    assert {name: automation.trigger.within.total_seconds() for name, automation in first.items()} == {
        "kensa: no heartbeat": 90,
        "kensa: take up again": 30,
    }
    ensure()
    assert on_server() == first, "nothing was made anew"
    changed = first["kensa: no heartbeat"].model_copy(update={"enabled": False})
    changed.update()
    assert not on_server()["kensa: no heartbeat"].enabled
    ensure()
    again = on_server()
    assert again["kensa: no heartbeat"].enabled
    assert again["kensa: no heartbeat"].id == first["kensa: no heartbeat"].id
    ours = [item for item in server.filter("automations") if item["name"] in first]
    assert len(ours) == 2
