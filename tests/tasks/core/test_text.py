"""Text of others is one short line without a token, password or signature, and makes no link."""

from __future__ import annotations

import re

import pytest

from tasks.core.text import INVISIBLE, MAX_TEXT, break_links, break_markup, escape_markdown, one_line

TOKEN = "hf_AbCdEf0123456789"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"bad token {TOKEN}.", "bad token …."),
        ("Authorization: Bearer abc.def-1= refused", "Authorization: … refused"),
        ("no answer of https://me:pass@hub.example/api", "no answer of https://…@hub.example/api"),
        (
            "for url 'https://cdn.example/f?X-Amz-Signature=0a1b&Expires=9' and more",
            "for url 'https://cdn.example/f?…' and more",
        ),
        ("two\n lines\tof  text", "two lines of text"),
    ],
)
def test_secrets_are_hidden_and_the_rest_stays(text, expected):
    assert one_line(ValueError(text)) == expected


def test_a_long_answer_is_cut():
    assert one_line("x" * 1000) == "x" * (MAX_TEXT - 1) + "…"


def test_an_error_without_text_is_its_class():
    assert one_line(TimeoutError()) == "TimeoutError"


@pytest.mark.parametrize("function", [escape_markdown, break_links])
@pytest.mark.parametrize("text", ["see http://a.example/x", "see WWW.a.example", "me@a.example", "ftp://a", "~~no~~"])
def test_no_address_in_a_name_becomes_a_link(function, text):
    """GitHub's Markdown, which Prefect's UI and the Hub show, makes links of these."""
    safe = function(text)
    assert "://" not in safe
    assert "www." not in safe.lower()
    assert not re.search(r"@[\w-]", safe)
    assert function is break_links or "~~" not in safe
    assert safe.replace(INVISIBLE, "").replace("\\", "") == text


def test_a_name_makes_no_element_and_no_cell():
    assert escape_markdown("<b>a|b</b>") == "&lt;b&gt;a\\|b&lt;/b&gt;"


def test_a_cell_reads_as_it_is_and_leaves_no_element_and_no_link():
    assert break_markup("good_part *1*") == "good_part *1*"
    for text in ("<img src=x>", "[a](javascript:alert(1))", "[a][b]", "&lt;b&gt;", "http://a.example"):
        safe = break_markup(text)
        assert safe.replace(INVISIBLE, "") == text
        assert not re.search(r"<\w|\]\(|\]\[|&\w|://", safe), safe
