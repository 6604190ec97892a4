"""Where a person finds a file: by an address where it is served, else by its path alone."""

from __future__ import annotations

import pytest

from flows.ui.page_links import PAGES_URL, find_page, page_url


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A page below the artifacts of the present folder, which are served."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(PAGES_URL, "http://127.0.0.1:4240/")
    path = tmp_path / "artifacts" / "a line" / "report.html"
    path.parent.mkdir(parents=True)
    path.write_text("page")
    return path


def test_a_page_below_the_artifacts_has_an_address(page):
    assert page_url(page) == "http://127.0.0.1:4240/a%20line/report.html"


def test_what_is_not_served_has_none(page, tmp_path, monkeypatch):
    (tmp_path / "elsewhere.html").write_text("page")
    page.with_name("model.keras").write_text("model")
    for path in (tmp_path / "elsewhere.html", page.with_name("model.keras"), page.with_name("absent.html")):
        assert page_url(path) is None
    monkeypatch.delenv(PAGES_URL)
    assert page_url(page) is None


def test_a_link_to_a_file_elsewhere_is_no_page(page, tmp_path):
    (tmp_path / "secret.html").write_text("secret")
    (page.parent / "link.html").symlink_to(tmp_path / "secret.html")
    assert find_page(tmp_path / "artifacts", "a line/report.html") == page
    assert find_page(tmp_path / "artifacts", "a line/link.html") is None
