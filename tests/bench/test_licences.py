"""What is installed is pinned, hashed, and its licences are listed: what can be audited without a network."""

from __future__ import annotations

import re

from support.project import ROOT


def locked() -> dict[str, str]:
    """Each requirement of the lock with its version and the lines that belong to it."""
    text = (ROOT / "requirements.lock").read_text()
    parts = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.M)[1:]
    return {re.match(r"[A-Za-z0-9_.-]+", part)[0]: part for part in parts}


def test_every_requirement_is_one_version_with_its_hashes():
    known = locked()
    assert len(known) > 100
    for name, part in known.items():
        assert re.match(rf"{re.escape(name)}(\[[^]]*\])?==[^ ;\\]+", part), f"{name} is not pinned"
        assert "--hash=sha256:" in part, f"{name} has no hash"
        assert not re.search(r"==[^ ;\\]*\*|@ ", part.splitlines()[0]), f"{name} is no plain version"


def test_no_requirement_comes_from_elsewhere():
    text = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"^(-e|--index-url|--extra-index-url|--find-links|git\+|https?:)", text, re.M)


def test_the_page_of_licences_names_every_requirement():
    page = (ROOT / "docs" / "licences.md").read_text()
    listed = set(re.findall(r"^\| ([A-Za-z0-9_.-]+) \|", page, re.M))
    listed |= set(re.findall(r"[A-Za-z0-9_.-]+[A-Za-z0-9]", page.partition("Not installed here:")[2]))
    assert set(locked()) - listed == set(), "make the page anew: python -m bench.licences"
