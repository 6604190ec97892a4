"""The policy of the UI's pages: this machine alone is asked, and the API is as Prefect made it."""

from __future__ import annotations

import urllib.request

import pytest

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
