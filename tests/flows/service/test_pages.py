"""What `kensa up` serves of artifacts/: pages and pictures, to this machine, and nothing else by whatever address."""

from __future__ import annotations

import contextlib
import http.client
from urllib.parse import urlsplit

import httpx
import pytest
from support.pages import served_pages


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A served folder with a release, beside files that nobody is to see."""
    outside = tmp_path_factory.mktemp("pages")
    (outside / "ledger.html").write_text("secret")
    folder = outside / "artifacts"
    release = folder / "boards" / "releases" / "v1"
    release.mkdir(parents=True)
    for name in ("report.html", "roc.svg", "README.md", "model.keras", "manifest.json", "split.npz", ".draft.html"):
        (release / name).write_text(f"<p>{name}</p>")
    (folder / ".run.lock").write_text("secret")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "page.html").write_text("secret")
    (folder / "boards" / "link.html").symlink_to(outside / "ledger.html")
    (folder / "boards" / "outside").symlink_to(outside)
    (folder / "<b>&").mkdir()
    (folder / "<b>&" / "report.html").write_text("odd")
    with served_pages(folder) as address:
        yield address


def raw(address, path, method="GET", host=None):
    """The answer to a path that is sent as it stands, as no client that tidies it up would."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    connection.putrequest(method, path, skip_host=host is not None)
    if host:
        connection.putheader("Host", host)
    connection.endheaders()
    with contextlib.closing(connection), connection.getresponse() as answer:
        return answer.status, answer.read().decode()


@pytest.mark.parametrize(
    ("name", "kind"),
    [("report.html", "text/html"), ("roc.svg", "image/svg+xml"), ("README.md", "text/plain")],
)
def test_pages_and_pictures_are_shown_and_can_run_nothing(address, name, kind):
    answer = httpx.get(f"{address}/boards/releases/v1/{name}")
    assert (answer.status_code, answer.text) == (200, f"<p>{name}</p>")
    assert answer.headers["content-type"].split(";")[0] == kind
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/boards/releases/v1/model.keras",
        "/boards/releases/v1/manifest.json",
        "/boards/releases/v1/.draft.html",
        "/boards/releases/v1",
        "/.run.lock",
        "/.hidden/page.html",
        "/../ledger.html",
        "/boards/../../ledger.html",
        "/%2e%2e/ledger.html",
        "/boards/..%2f..%2fledger.html",
        "/..%5cledger.html",
        "//etc/hostname.html",
        "/boards/link.html",
        "/boards/outside/ledger.html",
        "/boards/outside/artifacts/boards/releases/v1/report.html/",
        "/report.html%00",
        "/absent.html",
    ],
)
def test_everything_else_is_no_page(address, path):
    status, text = raw(address, path)
    assert (status, text) == (404, "no such page\n")


def test_it_only_reads_and_only_for_this_machine(address):
    page = "/boards/releases/v1/report.html"
    for method in ("POST", "PUT", "DELETE"):
        assert raw(address, page, method)[0] == 405
    assert raw(address, page, host="rebound.example")[0] == 400


def test_health_and_metrics_are_served_beside_the_pages(address, tmp_path, monkeypatch):
    """A real `kensa up` has its own in test_up.py; here nothing runs but the pages."""
    monkeypatch.chdir(tmp_path)
    health = httpx.get(f"{address}/health")
    assert (health.status_code, health.json()["status"] in ("ok", "warning")) == (200, True)
    metrics = httpx.get(f"{address}/metrics")
    assert metrics.headers["content-type"].startswith("text/plain; version=")
    assert 'kensa_up{part="pages"} 1.0' in metrics.text


def test_the_list_names_every_page_and_each_opens(address):
    text = httpx.get(address).text
    assert "boards/releases/v1/report.html" in text
    assert "<b>" not in text.partition("<ul>")[2]
    for link in ("/boards/releases/v1/report.html", "/%3Cb%3E%26/report.html"):
        assert f'href="{link}"' in text
        assert httpx.get(address + link).status_code == 200
