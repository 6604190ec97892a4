"""`make docs`: the site is built without a warning, shows every page, asks no other host, and its commands are run."""

from __future__ import annotations

import ast
import contextlib
import functools
import os
import re
import subprocess
import threading
from collections import defaultdict
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support.project import BIN, ROOT

import kensa
from kensa.cli.main import COMMANDS
from kensa.cli.retrain import setting_rows

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
FENCE = re.compile(r"^```\w*\n(.*?)^```", re.M | re.S)
CALL = re.compile(r"(?:^|[ /])kensa ([a-z]+)((?: +[^#|&\n]+)?)", re.M)
HELPERS = {"VerdictService": "serve"}  # what tests call in place of a command


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, and what its making said."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    command = [BIN / "mkdocs", "build", "--strict", "--site-dir", folder]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr, done.stderr
    return folder


@pytest.mark.slow
def test_every_page_is_there_and_the_navigation_leads_to_it(site):
    start = (site / "index.html").read_text(encoding="utf-8")
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")}
    pages |= {"index.ja", "evaluation", "evaluation.ja", "settings", "api", "rooms", "architecture", "changelog"}
    for page in pages:
        assert (site / f"{page}.html").exists(), page
        assert f'href="{page}.html"' in start, page


@pytest.mark.slow
def test_the_reference_is_that_of_the_code(site):
    settings, api, rooms = (
        (site / f"{name}.html").read_text(encoding="utf-8") for name in ("settings", "api", "rooms")
    )
    assert all(f"<code>{key}</code>" in settings for key, _ in setting_rows())
    assert set(re.findall(r'id="kensa\.\w+\.(\w+)"', api)) == set(kensa.__all__)
    assert "thresholds.py" in rooms


@pytest.mark.slow
def test_nothing_is_loaded_from_another_host(site):
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.findall(r"<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=[\"']?(?:https?:)?//[^>]*>", text), path


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(folder):
    """The address of the files of a folder."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.slow
@pytest.mark.parametrize("width", [1200, 400])
def test_pages_fit_the_screen_and_are_found(site, page, width):
    page.set_viewport_size({"width": width, "height": 900})
    with served(site) as address:
        for name in sorted(path.name for path in site.glob("*.html")):
            page.goto(f"{address}/{name}")
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0 or name == "404.html", name
        if width == 1200:
            page.fill("input[name=query]", "MLflow alias champion")
            page.wait_for_selector(".md-search-result__item a")
            found = page.locator(".md-search-result__link").evaluate_all("links => links.map(link => link.href)")
            assert any("trackers.html" in link for link in found), found
    assert not [url for url in page.asked if not url.startswith((address, "data:", "blob:"))]
    assert page.complaints == []


def shown_calls():
    """The commands and options in blocks of the pages: (page, command, options)."""
    for page in PAGES:
        if page.name == "commands.md":
            continue
        for block in FENCE.findall(page.read_text(encoding="utf-8")):
            for command, words in CALL.findall(block):
                if command in COMMANDS:
                    yield page.name, command, set(re.findall(r"(?<!\S)(--[a-z-]+)", words))


def options_in_tests():
    """For each command the options in test modules that run it."""
    options = defaultdict(set)
    for path in (ROOT / "tests").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        words = {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        commands = (words & set(COMMANDS)) | {HELPERS[name] for name in names & set(HELPERS)}
        for command in commands:
            options[command] |= {word.partition("=")[0] for word in words if word.startswith("--")}
    return options


def test_a_test_runs_every_command_that_a_page_shows_with_its_options():
    """As far as its words tell: a test module names the command and the option."""
    tested, shown = options_in_tests(), list(shown_calls())
    assert len(shown) > 60
    assert not [
        (page, command, options - tested[command]) for page, command, options in shown if options - tested[command]
    ]
    assert {command for _, command, _ in shown} <= set(tested)
