"""The way to Prefect's API: who comes is told as Prefect's own client tells it, and never shown."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from flows.service.prefect_api import PrefectApi
from tasks.core.errors import ServerUnreachable

SECRET = "admin:very secret"


class Guarded(BaseHTTPRequestHandler):
    """Answers who brings the right words, and nobody else."""

    def do_GET(self):
        right = "Basic " + base64.b64encode(SECRET.encode()).decode()
        status = 200 if self.headers.get("Authorization") == right else 401
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps("3.8.8").encode())

    def log_message(self, *words):
        """Quiet."""


@pytest.fixture
def address():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Guarded)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/api"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_right_words_open(address):
    assert PrefectApi(address, SECRET).get("/admin/version") == "3.8.8"


@pytest.mark.parametrize("words", [None, "admin:wrong", "no colon"])
def test_others_are_told_what_to_look_at(address, words):
    with pytest.raises(ServerUnreachable, match=r"answers 401; is PREFECT_API_AUTH_STRING \(user:password\) right"):
        PrefectApi(address, words).get("/admin/version")


def test_the_words_are_never_shown(address):
    with_words = PrefectApi(address.replace("//", "//me:hidden@"), "admin:wrong secret")
    with pytest.raises(ServerUnreachable) as error:
        with_words.get("/admin/version")
    assert "hidden" not in str(error.value)
    assert "secret" not in str(error.value) + repr(with_words)


def test_nobody_answers():
    with pytest.raises(ServerUnreachable, match="no Prefect server answers"):
        PrefectApi("http://127.0.0.1:9/api").post("/events", [])


@pytest.mark.parametrize("address", ["http://me:hidden@127.0.0.1:none/api", "http://me:hidden@[::1/api"])
def test_an_address_that_is_none_does_not_tell_its_password(address):
    with pytest.raises(ServerUnreachable) as error:
        PrefectApi(address).get("/health")
    assert "hidden" not in str(error.value)
