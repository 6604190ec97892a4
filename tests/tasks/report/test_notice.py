"""The notice above a report, in both languages, and no markup of a name in it."""

from __future__ import annotations

from types import SimpleNamespace

from tasks.report.notice import add_notice, overruled_sentence

OVERRULED = SimpleNamespace(overruled={"by": "<b>Sato</b>", "why": "lot 7 & 8", "draft": "b" * 16})
PASSED = SimpleNamespace(overruled=None)


def test_a_page_has_it_at_its_top():
    page = add_notice("<html><body>\n<header>", OVERRULED)
    assert page.startswith('<html><body>\n<p role="alert"')
    assert "&lt;b&gt;Sato&lt;/b&gt; promoted it: lot 7 &amp; 8</strong></p>\n<header>" in page
    assert add_notice("<body>x", PASSED) == "<body>x"


def test_in_japanese():
    assert overruled_sentence(OVERRULED, "ja").startswith("このモデルはゲートで不合格になったが")
    assert overruled_sentence(PASSED) is None
