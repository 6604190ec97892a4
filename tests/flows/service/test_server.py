"""The server that is configured, and the way to it: a password is sent as Prefect sends it, and never shown."""

from __future__ import annotations

import base64
import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from flows.service.server import PrefectServer, configured_server, connect, require_server
from tasks.core.errors import BadSetting, ServerUnreachable, UnusableFolder

SECRET = "admin:very secret"


class Guarded(BaseHTTPRequestHandler):
    """Answers requests with the right password, and no other."""

    def do_GET(self):
        right = "Basic " + base64.b64encode(SECRET.encode()).decode()
        known = self.path.endswith("/admin/version")
        self.send_response((200 if known else 404) if self.headers.get("Authorization") == right else 401)
        self.end_headers()
        self.wfile.write(json.dumps("3.8.8").encode())

    def log_message(self, *_):
        """Quiet."""


@pytest.fixture(scope="module")
def address():
    with ThreadingHTTPServer(("127.0.0.1", 0), Guarded) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/api"
        server.shutdown()


@pytest.fixture
def configure(monkeypatch, tmp_path):
    """Sets the environment of a user without profiles."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    for name in ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    return lambda **values: [monkeypatch.setenv(f"PREFECT_{name}", value) for name, value in values.items()]


def version(server):
    with connect(server) as client:
        return client.api_version()


def test_the_environment_names_the_server_and_wins_over_the_active_profile(configure, tmp_path):
    assert configured_server() is None
    (tmp_path / "prefect").mkdir()
    profiles = 'active = "factory"\n[profiles.factory]\nPREFECT_API_URL = "http://a/api"\n[profiles.other]\n'
    (tmp_path / "prefect" / "profiles.toml").write_text(profiles)
    assert configured_server() == PrefectServer("http://a/api")
    configure(API_URL="http://b/api", API_AUTH_STRING=SECRET)
    assert configured_server() == PrefectServer("http://b/api", SECRET)
    configure(API_URL="")
    assert configured_server() is None


def test_the_right_password_is_admitted_by_both_ways(address, configure):
    assert version(PrefectServer(address, SECRET)) == "3.8.8"
    configure(API_URL=address, API_AUTH_STRING=SECRET)
    require_server()


@pytest.mark.parametrize("auth", [None, "admin:wrong", "no colon"])
def test_a_wrong_password_is_told_with_a_hint(address, configure, auth):
    text = r"answers 401; is PREFECT_API_AUTH_STRING \(user:password\) right"
    with pytest.raises(ServerUnreachable, match=text):
        version(PrefectServer(address, auth))
    configure(API_URL=address, **({"API_AUTH_STRING": auth} if auth else {}))
    with pytest.raises(ServerUnreachable, match=text + r".*prefect server start"):
        require_server()


def test_passwords_are_never_shown(address):
    server = PrefectServer(address.replace("//", "//me:hidden@"), "admin:wrong secret")
    with pytest.raises(ServerUnreachable) as error:
        version(server)
    assert "hidden" not in str(error.value)
    assert "secret" not in str(error.value) + repr(server)


@pytest.mark.parametrize("address", ["http://me:hidden@127.0.0.1:none/api", "http://me:hidden@[::1/api", "prefect"])
def test_an_address_that_is_none_does_not_show_its_password(address, configure):
    configure(API_URL=address)
    for attempt in (lambda: version(configured_server()), require_server):
        with pytest.raises(ServerUnreachable, match="no Prefect server answers") as error:
            attempt()
        assert "hidden" not in str(error.value)


def test_no_server_is_told_where_one_is_needed(configure):
    with pytest.raises(ServerUnreachable, match="expected the address of a Prefect server, found none"):
        version(None)
    with pytest.raises(ServerUnreachable, match="found none; see kensa up"):
        require_server(needed=True)


def test_what_is_gone_from_the_server_is_told_in_one_line(address):
    with (
        pytest.raises(ServerUnreachable, match="the Prefect server answers 404"),
        connect(PrefectServer(address, SECRET)) as client,
    ):
        client.read_flow_run(uuid.uuid4())


def test_a_temporary_server_needs_a_folder_for_its_database(configure, tmp_path):
    (tmp_path / "prefect").write_text("a file")
    with pytest.raises(UnusableFolder, match=r"PREFECT_HOME=.*Prefect keeps its database there"):
        require_server()


def test_a_proxy_that_no_client_can_use_is_told_before_any_request(configure, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "socks4://proxy:1080")
    with pytest.raises(BadSetting, match="HTTP_PROXY: expected a proxy such as"):
        require_server()


def test_a_server_that_a_proxy_hides_is_told_with_the_cure(configure, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    configure(API_URL="http://prefect.invalid:4200/api")
    with pytest.raises(ServerUnreachable, match="HTTP_PROXY is set: name the server's host in NO_PROXY"):
        require_server()
