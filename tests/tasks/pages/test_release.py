"""A release's report rendered anew: the same page in its own language, and all of it in another."""

from __future__ import annotations

import re

import pytest

from tasks.core.errors import MissingStage
from tasks.pages.release import render_release
from tasks.registry.release_files import REPORT_PAGE


@pytest.mark.slow
def test_in_its_own_language_it_is_the_page_that_was_written(small_line, small_release):
    page = render_release(small_release, small_line.data_path, "en")
    assert page == (small_release.path / REPORT_PAGE).read_text(encoding="utf-8")


@pytest.mark.slow
def test_in_japanese_it_has_the_same_figures(small_line, small_release):
    english = (small_release.path / REPORT_PAGE).read_text(encoding="utf-8")
    japanese = render_release(small_release, small_line.data_path, "ja")
    assert '<html lang="ja">' in japanese
    assert "主な指標" in japanese
    cells = [re.findall(r"<td>([\d.]+)</td>", page) for page in (english, japanese)]
    assert len(cells[0]) > 10
    assert cells[0] == cells[1]


def test_without_its_records_it_cannot_be_drawn(small_release, tmp_path):
    with pytest.raises(MissingStage, match="needed for the pictures"):
        render_release(small_release, tmp_path, "en")
