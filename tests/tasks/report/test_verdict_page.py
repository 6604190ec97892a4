"""The page of verdicts: by the real walk, hostile names escaped, whatever is missing left out, no script or request."""

from __future__ import annotations

import shutil

import numpy as np
import pyarrow as pa
import pytest
from playwright.sync_api import sync_playwright
from support.inspected_parts import configured, map_column, source

from tasks.core.errors import UnknownRelease
from tasks.score import score

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


@pytest.fixture(scope="module")
def config(small_line, tmp_path_factory):
    """The small line with its release twice, under two names."""
    folder = tmp_path_factory.mktemp("two")
    shutil.copytree(small_line.artifacts_folder, folder / "artifacts")
    shutil.copytree(folder / "artifacts" / "releases" / "v1", folder / "artifacts" / "releases" / "v2")
    return configured(folder)


@pytest.fixture(scope="module")
def made(config, hidden, tmp_path_factory):
    """A page on labelled records with a hostile group, compared with another release; its folder."""
    folder = tmp_path_factory.mktemp("page")
    table = map_column(hidden(each=20, seed=2))
    table = table.append_column("group", pa.array([HOSTILE] * len(table)))
    scored = score(source(table, folder / "new"), config, "v1", str(folder / "v.parquet"), str(folder / "v.html"), "v2")
    return folder, scored


def test_page_and_flips_lie_beside_the_verdicts(made):
    folder, scored = made
    assert {path.name for path in folder.iterdir()} == {"new", "v.parquet", "v.flips.parquet", "v.html"}
    assert scored.page == str(folder / "v.html")
    assert scored.flips["flipped"] == 0


def test_hostile_text_is_text_and_nothing_is_loaded(made):
    folder, _ = made
    assert HOSTILE not in (folder / "v.html").read_text()
    said, asked = [], []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 400, "height": 800})
        page.on("console", lambda message: said.append(message.text))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((folder / "v.html").as_uri())
        assert page.locator("article.case").count() == 18
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
        browser.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_without_labels_nothing_is_said_of_their_worth(config, hidden, tmp_path):
    table = map_column(hidden(each=3, seed=2)).select(["map"])
    score(source(table, tmp_path / "new"), config, "v1", str(tmp_path / "v.parquet"), str(tmp_path / "v.html"))
    text = (tmp_path / "v.html").read_text()
    assert "What the verdicts are worth" not in text
    assert "differ from those of" not in text
    assert text.count('<article class="case">') == 18


def test_one_record_is_enough(config, hidden, tmp_path):
    table = map_column(hidden(each=1, seed=2)).slice(0, 1)
    score(source(table, tmp_path / "new"), config, "v1", str(tmp_path / "v.parquet"), str(tmp_path / "v.html"))
    assert (tmp_path / "v.html").read_text().count('<article class="case">') == 3


def test_a_mistake_leaves_no_page(config, hidden, tmp_path):
    parts = hidden(each=3)
    parts.maps[4, 2] = np.nan
    out = tmp_path / "out"
    with pytest.raises(UnknownRelease):
        score(source(map_column(hidden(each=3)), tmp_path / "a"), config, "v1", str(out / "v.parquet"), against="v9")
    assert not out.exists()
