"""README.ja.md says what README.md says: the same headings, code, tables, links and options, in the same order."""

from __future__ import annotations

import re

import pytest
from support.project import ROOT

ENGLISH, JAPANESE = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.ja.md"))
FENCE = re.compile(r"^```.*?^```", re.M | re.S)


def levels(text):
    return [len(marks) for marks in re.findall(r"^(#+) ", FENCE.sub("", text), re.M)]


def tables(text):
    """Rows and columns of each table."""
    return [
        (block.count("\n"), block.splitlines()[0].count("|"))
        for block in re.findall(r"(?:^\|.*\n)+", FENCE.sub("", text), re.M)
    ]


@pytest.mark.parametrize(
    "told",
    [
        levels,
        tables,
        FENCE.findall,
        lambda text: sorted(re.findall(r"`(kensa [a-z]+)", text)),
        lambda text: sorted(set(re.findall(r"\]\(([^)]+)\)", text)) - {"README.md", "README.ja.md"}),
        lambda text: sorted(re.findall(r"\*\*(\.\d+)\*\*|(?<=\| )(\.\d+)", text)),
        lambda text: len(re.findall(r"^- ", FENCE.sub("", text), re.M)),
    ],
    ids=["headings", "tables", "code", "commands", "links", "figures", "points"],
)
def test_both_tell_alike(told):
    found = told(JAPANESE)
    assert found
    assert found == told(ENGLISH)


def test_each_leads_to_the_other():
    assert "(README.ja.md)" in ENGLISH.split("\n## ")[0]
    assert "(README.md)" in JAPANESE.split("\n## ")[0]


def test_links_lead_somewhere():
    for text in (ENGLISH, JAPANESE):
        for link in re.findall(r"\]\(([^)#]+)\)", text):
            assert "://" in link or (ROOT / link).exists(), link
