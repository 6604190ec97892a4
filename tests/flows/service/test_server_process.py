"""Prefect's server as `kensa up` starts it: whom its pages ask, and how its database holds under load."""

from __future__ import annotations

import asyncio
import collections
import urllib.request

import httpx
import pytest
from support.postgres import can_run_postgres, postgres
from support.prefect_server import prefect_server

from flows.service.server_process import content_policy


def directives(policy):
    return {rule.split()[0]: rule.split()[1:] for rule in policy.split("; ")}


def test_pages_reach_this_machine_and_the_addresses_of_a_proxy_only():
    policy = directives(content_policy(["https://kensa.example/api", ""]))
    hosts = {source.partition("//")[2] for source in policy["connect-src"] if "//" in source}
    assert hosts == {"127.0.0.1:*", "localhost:*", "kensa.example"}
    assert "wss://kensa.example" in policy["connect-src"]
    assert "https://kensa.example" in policy["img-src"]


@pytest.mark.slow
def test_pages_of_both_uis_have_the_policy_and_the_api_has_none(server):
    for path in ("/dashboard", "/v2/dashboard"):
        page = urllib.request.Request(server.url + path, headers={"Accept": "text/html"})
        with urllib.request.urlopen(page, timeout=30) as answer:
            assert directives(answer.headers["content-security-policy"])["connect-src"][0] == "'self'", path
    with urllib.request.urlopen(f"{server.url}/api/health", timeout=30) as answer:
        assert answer.headers["content-security-policy"] is None
    with urllib.request.urlopen(f"{server.url}/api/admin/settings", timeout=30) as answer:
        assert b'"analytics_enabled":false' in answer.read()


async def client(api, number, answers):
    """What a run asks of the API from its first state to its last."""
    async with httpx.AsyncClient(base_url=api, timeout=120) as session:

        async def post(path, body):
            answer = await session.post(path, json=body)
            answers[answer.status_code] += 1
            return answer.json() if answer.is_success and answer.content else {"id": None}

        flow = await post("/flows/", {"name": f"load-{number % 5}"})
        run = await post("/flow_runs/", {"flow_id": flow["id"], "name": f"load-{number}", "state": {"type": "PENDING"}})
        for state in ("RUNNING", "COMPLETED"):
            await post(f"/flow_runs/{run['id']}/set_state", {"state": {"type": state}})
        await post("/artifacts/", {"key": f"load-{number % 10}", "data": "x", "flow_run_id": run["id"]})


async def load(api, clients):
    answers = collections.Counter()
    await asyncio.gather(*(client(api, number, answers) for number in range(clients)))
    return answers


@pytest.mark.slow
def test_forty_runs_at_once_are_all_kept(tmp_path):
    """Before transactions took turns, most answers were 500 and 503, and the log was full of tracebacks."""
    ended = {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
    with prefect_server(tmp_path) as url:
        answers = asyncio.run(load(f"{url}/api", 40))
        runs = httpx.post(f"{url}/api/flow_runs/count", json=ended)
    assert set(answers) <= {200, 201}, answers
    assert runs.json() == 40
    log = (tmp_path / "server.log").read_text()
    assert "Traceback" not in log
    assert "database is locked" not in log


@pytest.mark.slow
@pytest.mark.skipif(not can_run_postgres(), reason="needs Debian's package postgresql")
def test_one_setting_has_the_runs_kept_by_postgres(tmp_path):
    with postgres(tmp_path / "postgres") as database:
        setting = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://{database}"}
        with prefect_server(tmp_path, **setting) as url:
            answers = asyncio.run(load(f"{url}/api", 20))
        assert set(answers) <= {200, 201}, answers
        assert asyncio.run(count_runs(database)) == 20
    assert not (tmp_path / "prefect.db").exists()
    assert "Traceback" not in (tmp_path / "server.log").read_text()


async def count_runs(database):
    import asyncpg

    connection = await asyncpg.connect(f"postgresql://{database}")
    try:
        return await connection.fetchval("SELECT count(*) FROM flow_run WHERE state_type = 'COMPLETED'")
    finally:
        await connection.close()
