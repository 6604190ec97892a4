"""Values of a page are escaped and written in one form; a value that is missing stops the page."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from tasks.pages.templating import count, environment, figure, gain, share, short, span


def render(text, language="en", **values):
    return environment(language).from_string(text).render(values)


def test_names_from_a_dataset_are_escaped():
    assert render("{{ name }}", name="<script>") == "&lt;script&gt;"


def test_a_value_that_is_missing_stops_the_page():
    with pytest.raises(UndefinedError, match="name"):
        render("{{ name }}")


def test_texts_are_in_the_reader_s_language_and_other_texts_stay():
    assert render("{% trans %}\n  Report\n{% endtrans %}", name="x") == "Report"
    assert render("{{ 'no such text' | say }}", "ja") == "no such text"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (figure(0.12345), "0.123"),
        (figure(None), "–"),
        (share(0.1234), "12.3\u202f%"),
        (share(0.1234, 0), "12\u202f%"),
        (share(None), "–"),
        (span([0.1, 0.25]), "0.100\u2009–\u20090.250"),
        (span(None), ""),
        (gain(-0.25), "\u22120.250"),
        (gain(-0.0001), "+0.000"),
        (count(1234567), "1,234,567"),
    ],
)
def test_numbers_have_one_form(text, expected):
    assert text == expected


def test_a_long_name_keeps_its_head_and_its_last_letters():
    name = "a" * 100 + "-lot-17"
    assert short("lot-17") == "lot-17"
    assert len(short(name)) == 60
    assert short(name).startswith("a" * 40 + "…")
    assert short(name).endswith("-lot-17")
