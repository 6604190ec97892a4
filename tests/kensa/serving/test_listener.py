"""Where the service listens and who may ask; what `kensa serve` refuses before it listens."""

from __future__ import annotations

import socket

import pytest

from kensa.serving.listener import read_token, require_safe_host
from tasks.core.errors import BadSetting


@pytest.fixture(autouse=True)
def no_token(monkeypatch):
    for name in ("KENSA_SERVE_TOKEN", "KENSA_SERVE_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_this_machine_needs_no_token(host):
    require_safe_host(host, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "kensa.example"])
def test_others_need_one(host):
    require_safe_host(host, "a token of sixteen")
    with pytest.raises(BadSetting, match=rf"--host {host}: expected KENSA_SERVE_TOKEN with it, found none"):
        require_safe_host(host, None)


def test_a_token_comes_from_the_environment_or_a_file(monkeypatch, tmp_path):
    assert read_token() is None
    monkeypatch.setenv("KENSA_SERVE_TOKEN", "a token of sixteen")
    assert read_token() == "a token of sixteen"
    path = tmp_path / "token"
    path.write_text("another token of the file\n")
    monkeypatch.setenv("KENSA_SERVE_TOKEN_FILE", str(path))
    assert read_token() == "another token of the file"
    for text in ("", "short"):
        path.write_text(text)
        with pytest.raises(BadSetting, match="expected a token of 16 characters or more"):
            read_token()
    path.unlink()
    with pytest.raises(BadSetting, match="expected a file that can be read"):
        read_token()


@pytest.mark.slow
def test_bad_words_are_one_line(place):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for words, text in (
            (("--port", str(port)), f"--host 127.0.0.1 --port {port}: cannot listen there (Address already in use)"),
            (("--host", "0.0.0.0"), "--host 0.0.0.0: expected KENSA_SERVE_TOKEN with it, found none"),
            ((), "artifacts: expected a champion, found none"),
            (("--release", "v9"), "v9: no such release in artifacts"),
            (("--standard", "none.npz"), "none.npz: expected a standard as kensa maps writes it, found none"),
        ):
            done = place.kensa("serve", *words)
            assert (done.code, done.out, done.err.count("\n")) == (2, "", 1), done.err
            assert done.err.startswith(f"kensa: {text}")
