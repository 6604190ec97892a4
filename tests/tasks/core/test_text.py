"""What is told of an error holds no token, password or signature, and stays one short line."""

from __future__ import annotations

import re

import pytest

from flows.service.prefect_api import PrefectApi
from tasks.core.errors import ServerUnreachable
from tasks.core.text import INVISIBLE, MAX_TEXT, escape_markdown, one_line
from tasks.report.model_card import _plain

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
def test_secrets_are_hidden_and_the_rest_is_told(text, expected):
    assert one_line(ValueError(text)) == expected


def test_a_long_answer_is_cut():
    assert one_line("x" * 1000) == "x" * (MAX_TEXT - 1) + "…"


def test_an_error_without_words_is_told_by_its_name():
    assert one_line(TimeoutError()) == "TimeoutError"


@pytest.mark.parametrize("address", ["http://me:hidden@127.0.0.1:none/api", "http://me:hidden@[::1/api"])
def test_an_address_that_is_none_does_not_tell_its_password(address):
    with pytest.raises(ServerUnreachable) as error:
        PrefectApi(address).get("/health")
    assert "hidden" not in str(error.value)


@pytest.mark.parametrize("made", [escape_markdown, _plain])
@pytest.mark.parametrize("text", ["see http://a.example/x", "see WWW.a.example", "me@a.example", "ftp://a", "~~no~~"])
def test_no_address_in_a_name_makes_a_link_of_itself(made, text):
    """GitHub's Markdown, as Prefect's UI and the Hub show it, links these where they stand bare."""
    found = made(text)
    assert "://" not in found
    assert "www." not in found.lower()
    assert not re.search(r"@[\w-]", found)
    assert "~~" not in found
    assert found.replace(INVISIBLE, "").replace("\\", "") == text
