"""The page of verdicts: hostile names escaped, whatever is missing left out, no script and no request."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from support.inspected_parts import map_column, source

from tasks.core.inspection import ScoreRequest
from tasks.score import score

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


@pytest.fixture(scope="module")
def against(small_line, small_release):
    """Loads the small release as v1, and with a threshold half as high as v2."""
    halved = replace(small_release.thresholds["good or defect"], value=small_release.defect_threshold / 2)
    thresholds = small_release.thresholds | {halved.name: halved}
    strict = replace(small_release, thresholds=thresholds, release=replace(small_release.release, version="v2"))
    return lambda artifacts, version=None: strict if version == "v2" else small_release


def scored(table, folder, **options):
    """The page on a table."""
    request = ScoreRequest(folder / "v.parquet", folder / "v.html", **options)
    score(source(table, folder / "new"), Path("unused"), request)
    return folder / "v.html"


def test_hostile_text_is_text_and_nothing_is_loaded(against, hidden, tmp_path, monkeypatch, page):
    """Labelled records with a hostile group, compared with another release, as wide as a telephone."""
    monkeypatch.setattr("tasks.score.load_release", against)
    table = map_column(hidden(each=20, seed=2))
    html = scored(table.append_column("group", pa.array([HOSTILE] * len(table))), tmp_path, against="v2")
    assert HOSTILE not in html.read_text()
    page.set_viewport_size({"width": 400, "height": 800})
    page.goto(html.as_uri())
    assert page.locator("#flips article.case").count() > 0
    assert page.locator("#worst article.case, #uncertain article.case, #random article.case").count() == 18
    assert page.locator("#labels .confused").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert page.complaints == []
    assert [url for url in page.asked if not url.startswith(("file:", "data:"))] == []


def test_one_record_without_label_is_enough(against, hidden, tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.score.load_release", against)
    text = scored(map_column(hidden(each=1, seed=2)).select(["map"]).slice(0, 1), tmp_path).read_text()
    assert "Agreement with labels" not in text
    assert "differ from those of" not in text
    assert text.count('<article class="case">') == 3


def test_a_release_without_good_parts_says_so_in_the_readers_language(small_release, hidden, tmp_path, monkeypatch):
    classifier = replace(small_release.classifier, good=None)
    release = replace(small_release, classifier=classifier, thresholds={})
    monkeypatch.setattr("tasks.score.load_release", lambda *_: release)
    text = scored(map_column(hidden(each=1, seed=2)), tmp_path, language="ja").read_text()
    assert "このリリースには良品がない" in text
    assert "nan" not in text


def test_records_that_made_the_release_are_named_as_left_out(small_release, hidden, tmp_path, monkeypatch, against):
    monkeypatch.setattr("tasks.score.load_release", against)
    with np.load(small_release.path / "split.npz") as split:
        assert len(split["hash"]) == 600
    text = scored(map_column(hidden().take(slice(0, 30))), tmp_path).read_text()
    assert "These metrics exclude" in text


def test_a_verdict_that_its_label_contradicts_is_marked_as_such(small_release, hidden, tmp_path, monkeypatch):
    """Good parts of which half are labelled as defects: those pass as escapes, and no green badge stands there."""
    monkeypatch.setattr("tasks.score.load_release", lambda *_: small_release)
    parts = hidden(each=40, seed=9)
    good = parts.take(parts.mode == 0)
    labelled = replace(good, label=np.arange(len(good)) % 2)
    heads = re.findall(r"<h3><bdi.*?</h3>", scored(map_column(labelled), tmp_path).read_text(), re.S)
    assert all(">table.parquet:" in head and '<span class="soft">row ' in head for head in heads)
    escapes = [head for head in heads if "escape: good by the verdict, a defect by its label" in head]
    assert len(escapes) >= 2
    assert not any('class="badge good"' in head for head in escapes)
    defects = parts.take(parts.mode > 0)
    labelled = replace(defects, label=np.arange(len(defects)) % 2)
    text = scored(map_column(labelled), tmp_path).read_text()
    assert "false alarm: defect by the verdict, good by its label" in text
