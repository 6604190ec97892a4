"""The temporary server's process: it is Prefect's, and ends with its parent."""

from __future__ import annotations

import sys

import httpx
import pytest
from prefect.server.api import server as prefect_server

from flows.service import temporary_server
from flows.service.temporary_server import StartingProcess, TemporaryServer, prepare_temporary_server
from tasks.core.errors import ServerUnreachable


@pytest.fixture
def fresh(monkeypatch):
    """Prefect without a temporary server."""
    monkeypatch.setattr(prefect_server.SubprocessASGIServer, "_instances", {})


def test_prefect_starts_the_server_that_is_prepared(fresh):
    prepare_temporary_server()
    assert isinstance(prefect_server.SubprocessASGIServer(), TemporaryServer)


def test_it_is_started_in_a_session_of_its_own(fresh, monkeypatch):
    started = {}
    monkeypatch.setattr(
        temporary_server, "StartingProcess", lambda words, **options: started.update(options, words=words)
    )
    server = TemporaryServer()
    server.port = 8999
    server._run_uvicorn_command()
    assert started["start_new_session"] is True
    assert started["words"][:4] == [sys.executable, "-P", "-m", "flows.service.temporary_server_process"]
    assert started["env"]["PREFECT__SERVER_EPHEMERAL"] == "1"


@pytest.mark.parametrize("error", [RuntimeError("Timed out"), httpx.ConnectError("refused")])
def test_a_server_that_does_not_start_is_told_in_one_line(fresh, monkeypatch, error):
    def start(self, timeout):
        raise error

    monkeypatch.setattr(prefect_server.SubprocessASGIServer, "start", start)
    with pytest.raises(ServerUnreachable, match=f"Prefect's temporary server does not answer: {error}"):
        TemporaryServer().start()


def test_a_server_that_ends_while_it_starts_is_not_waited_for(fresh, monkeypatch):
    ended = StartingProcess([sys.executable, "-c", "raise SystemExit(5)"])
    monkeypatch.setattr(TemporaryServer, "_run_uvicorn_command", lambda self: ended)
    with pytest.raises(ServerUnreachable, match="its process ended with 5; see its messages above"):
        TemporaryServer().start(timeout=60)
    assert ended.poll() == 5
