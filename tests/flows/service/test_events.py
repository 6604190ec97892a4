"""The event that starts a retraining: its id follows from line, revision and try, and it is told once."""

from __future__ import annotations

import json
import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from flows.service.events import EVENT, announce_due_versions, event_of
from flows.service.ledger import REANNOUNCE_SECONDS, RETRY_SECONDS, Ledger
from flows.service.server import PrefectServer
from tasks.core.errors import ServerUnreachable

A, B = "a" * 40, "b" * 40


@pytest.fixture
def server():
    """Takes events as Prefect's server does; `refused` holds the lines whose events it does not take."""

    class Handler(BaseHTTPRequestHandler):
        events, refused = [], set()

        def do_GET(self):
            self.send_error(404)  # no CSRF tokens here

        def do_POST(self):
            (event,) = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            taken = self.path == "/api/events" and event["payload"]["line"] not in self.refused
            if taken:
                self.events.append(event)
            self.send_response(204 if taken else 503)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
        Handler.address = f"http://127.0.0.1:{running.server_port}/api"
        yield Handler
        running.shutdown()


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path)


def later(ledger, seconds):
    with sqlite3.connect(ledger.path) as table:
        table.execute("UPDATE versions SET changed = changed - ?", (seconds,))
    table.close()


def test_what_is_due_is_told_once(ledger, server):
    ledger.note("boards", A)
    assert [version.revision for version in announce_due_versions(ledger, PrefectServer(server.address))] == [A]
    assert announce_due_versions(ledger, PrefectServer(server.address)) == []
    (event,) = server.events
    assert event["event"] == EVENT
    assert event["resource"]["prefect.resource.id"] == "kensa.line.boards"
    assert event["payload"] == {"line": "boards", "revision": A}


def test_two_who_tell_at_once_send_the_same_id(ledger):
    """Both read that it is due before either wrote that it was told: the server drops the second."""
    ledger.note("boards", A)
    assert event_of(ledger.due()[0])["id"] == event_of(ledger.due()[0])["id"]


def test_another_line_revision_try_or_telling_has_another_id(ledger):
    ids = set()
    for line, revision in (("boards", A), ("housings", A), ("boards", B)):
        ledger.note(line, revision)
        ids |= {event_of(version)["id"] for version in ledger.versions()}
    assert len(ids) == 3
    for version in ledger.due():
        ledger.mark_announced(version.line, version.revision)
    later(ledger, REANNOUNCE_SECONDS + 1)
    ids |= {event_of(version)["id"] for version in ledger.due()}
    assert len(ids) == 5
    ledger.claim("boards", B, "run 1")
    ledger.finish("boards", B, "run 1", "failed")
    later(ledger, RETRY_SECONDS + 1)
    ids |= {event_of(version)["id"] for version in ledger.due() if version.line == "boards"}
    assert len(ids) == 6


@pytest.mark.slow
def test_what_the_server_does_not_take_stays_due(ledger, server):
    for line in ("boards", "housings"):
        ledger.note(line, A)
    server.refused = {"housings"}
    with pytest.raises(ServerUnreachable, match="the Prefect server answers"):
        announce_due_versions(ledger, PrefectServer(server.address))
    assert [version.line for version in ledger.due()] == ["housings"]
    server.refused = set()
    assert [version.line for version in announce_due_versions(ledger, PrefectServer(server.address))] == ["housings"]


@pytest.mark.slow
@pytest.mark.parametrize("address", [None, "http://127.0.0.1:9/api", "http://[", "nonsense"])
def test_no_server_is_said_in_one_line_and_loses_nothing(ledger, address):
    ledger.note("boards", A)
    with pytest.raises(ServerUnreachable, match="PREFECT_API_URL"):
        announce_due_versions(ledger, PrefectServer(address) if address is not None else None)
    assert [version.revision for version in ledger.due()] == [A]


def test_nothing_due_needs_no_server(ledger):
    assert announce_due_versions(ledger, None) == []
