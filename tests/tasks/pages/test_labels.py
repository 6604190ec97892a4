"""The page of possible label errors: a figure for each of the first suspects, names escaped, and a table beside it."""

from __future__ import annotations

import re
from dataclasses import replace

from support.classifiers import embedded_prototypes
from support.inspected_parts import banked, hidden_bank

from tasks.pages.labels import MAX_SHOWN, write_labels
from tasks.registry.loading import load_release

FIGURE = '<figure class="triplet">'


def test_the_page_has_a_figure_for_each_suspect_and_no_more_than_fit(tmp_path):
    bank, rows = hidden_bank(12)
    counts = write_labels(*embedded_prototypes(bank), (4, 5), tmp_path, "en")
    page = (tmp_path / "labels.html").read_text()
    assert counts["checked"] == 300
    assert counts["suspects"] >= len(rows) - 2
    assert page.count(FIGURE) == min(counts["suspects"], MAX_SHOWN)
    parts = re.findall(r"confidence [\d.]+, (\w+)", page)
    assert len(parts) == page.count(FIGURE)
    assert set(parts) <= {"train", "validation", "calibration", "test"}


def test_names_of_modes_are_text_on_the_page(tmp_path):
    bank, _ = hidden_bank(12)
    bank = replace(bank, modes=["<script>alert(1)</script>", *bank.modes[1:]])
    write_labels(*embedded_prototypes(bank), (4, 5), tmp_path, "en")
    assert "<script>alert" not in (tmp_path / "labels.html").read_text()


def test_a_clean_set_gives_an_empty_page(tmp_path):
    bank = banked(hidden_bank(0, parts=True))
    assert write_labels(*embedded_prototypes(bank), (4, 5), tmp_path, "en")["suspects"] < 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.html", "labels.parquet"]


def test_a_release_brings_its_page(small_line):
    folder = load_release(small_line.artifacts_path).release.path
    assert (folder / "labels.html").read_text().count(FIGURE) <= MAX_SHOWN
    assert 'href="labels.html"' in (folder / "report.html").read_text()
