"""The page of an enrolled release: what was learnt, with intervals, whatever a mode is called."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from support.releases import manifest

from tasks.evaluation.costs import error_rate
from tasks.pages.enrolment import render_enrolled


def rate(count, of):
    return asdict(error_rate(np.arange(of) < count, np.arange(of), 0.95))


PARTS = {"parts": 6, "margin": 0.05, "source": "acme/parts", "revision": "0123456789abcdef"}
MODE = {"kind": "mode", "name": "<b>bridge", "recall": rate(5, 6), "named": rate(4, 6), "stopped": rate(6, 6),
        "changed": rate(1, 90), "by_mode": {"<i>2": rate(1, 30)}, **PARTS}  # fmt: skip
LOT = {"kind": "lot", "name": "17", "alarms": {"before": rate(9, 10), "after": rate(1, 10)},
       "escapes": {"before": rate(2, 60), "after": rate(3, 60)}, "lost": rate(1, 60),
       "thresholds": {"before": 0.5, "after": 0.75}, **PARTS}  # fmt: skip


def page(facts, language="en", **changes):
    described = manifest(version="v2", parent={"version": "v1", "fingerprint": "f"}, enrolled=facts, **changes)
    described.config["report"]["language"] = language
    return render_enrolled(described)


def test_a_mode_is_told_with_its_intervals_and_its_name_is_no_markup():
    html = page(MODE)
    assert "v2: the model of v1 with the mode &lt;b&gt;bridge" in html
    assert "<i>2" not in html
    assert "1.1" in html
    assert "83.3" in html
    assert "A person must approve it" not in html


def test_a_lot_is_told_before_and_after_and_what_is_not_known():
    html = page(LOT, status="candidate")
    assert "v2: the model of v1 for the lot 17" in html
    assert "The threshold was 0.5 and is 0.75" in html
    assert "How many defects of this lot pass is not known" in html
    assert "kensa approve v2" in html


@pytest.mark.parametrize("facts", [MODE, LOT], ids=["mode", "lot"])
def test_the_page_is_in_japanese(facts):
    assert "登録されたリリース" in page(facts, "ja")


def test_in_another_language_and_place_it_links_to_the_report_of_its_parent():
    described = manifest(version="v2", parent={"version": "v1", "fingerprint": "f"}, enrolled=LOT)
    html = render_enrolled(described, "ja", "file:///releases/v2/parent.html")
    assert '<html lang="ja">' in html
    assert 'href="file:///releases/v2/parent.html"' in html
