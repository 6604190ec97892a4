"""Proxies of the environment: those that no client can use are told in one line, without their password."""

from __future__ import annotations

import httpx
import pytest

from tasks.core.errors import BadSetting
from tasks.core.proxies import PROXIES, configured_proxies, require_usable_proxies


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch):
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("HTTP_PROXY", "socks4://me:hidden@proxy:1080", "socks4"),
        ("https_proxy", "http://me:hidden@proxy:port", "an invalid address"),
        ("ALL_PROXY", "ftp://proxy", "ftp"),
    ],
)
def test_a_proxy_that_no_client_can_use_is_told_without_its_password(monkeypatch, name, value, found):
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSetting, match=f"{name.upper()}: expected a proxy such as .*, found {found}$") as error:
        require_usable_proxies()
    assert "hidden" not in str(error.value)


@pytest.mark.parametrize(
    "value", ["", "proxy:8080", "http://proxy:8080", "socks5://proxy:1080", "socks5h://proxy:1080"]
)
def test_other_proxies_make_a_client(monkeypatch, value):
    monkeypatch.setenv("ALL_PROXY", value)
    require_usable_proxies()
    httpx.Client().close()


def test_the_small_spelling_wins(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://large")
    monkeypatch.setenv("https_proxy", "http://small")
    monkeypatch.setenv("http_proxy", "")
    assert configured_proxies() == {"HTTPS_PROXY": "http://small"}
