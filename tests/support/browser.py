"""A real browser that reaches nothing but this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run"]
OURS = ("http://127.0.0.1:", "file:", "data:", "blob:")


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium."""
    from playwright.sync_api import sync_playwright

    assert CHROMIUM.exists(), "the browser tests need Debian's chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, tmp_path, request):
    """A page; it records requests and complaints, and at the end a picture is taken."""
    tab = browser.new_page(viewport={"width": 1400, "height": 1000})
    tab.set_default_timeout(30_000)
    tab.asked, tab.complaints = [], []

    def answer(route):
        tab.asked.append(route.request.url)
        if route.request.url.startswith(OURS):
            route.continue_()
        else:
            route.abort()

    tab.route("**/*", answer)
    tab.on("console", lambda message: tab.complaints.append(f"{message.type}: {message.text}"))
    tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
    yield tab
    tab.screenshot(path=tmp_path / f"{request.node.name}.png", full_page=True)
    tab.close()
