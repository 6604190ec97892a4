"""`kensa history`: the list, its JSON, the page, of a line of kensa.toml."""

from __future__ import annotations

import pytest
from support.releases import stored_release

from tasks.core.authorship import Authorship
from tasks.registry.champion import promote


@pytest.fixture
def told(place):
    """A folder with two releases, of which v2 is champion."""
    artifacts = place.folder / "artifacts"
    for version, day, before in (("v1", 1, None), ("v2", 2, "v1")):
        stored_release(artifacts, version, created=f"2026-01-0{day}T03:04:05+00:00", compared_with=before)
        promote(artifacts, version, Authorship("line", "by the gate: better"))
    return place


def test_the_list_and_the_page(told):
    done = told.kensa("history")
    assert done.code == 0, done.err
    titles, first, second, page = done.out.splitlines()
    assert titles.split()[:2] == ["model", "created"]
    assert first.split()[:3] == ["v1", "2026-01-01", "03:04"]
    assert second.split()[:2] == ["*", "v2"]
    assert "0.900 [0.850, 0.950]" in second
    assert page == "page: artifacts/history.html"
    assert "A person promoted v2" in (told.folder / "artifacts" / "history.html").read_text()


@pytest.mark.slow
def test_json_language_and_another_file(told):
    values = told.kensa("history", "--json", "--language", "ja", "--out", "monday.html").told
    assert (values["page"], values["champion"], len(values["models"])) == ("monday.html", "v2", 2)
    assert "モデルの履歴" in (told.folder / "monday.html").read_text()


@pytest.mark.slow
def test_of_a_line_and_of_no_folder(told):
    (told.folder / "kensa.toml").write_text('[lines.boards]\ntrain = "acme/boards"\n')
    done = told.kensa("history", "--line", "boards")
    assert done.code == 2
    assert done.err == ("kensa: artifacts/boards: expected a folder of releases, found none; kensa retrain makes it\n")
    stored_release(told.folder / "artifacts" / "boards", "v1")
    promote(told.folder / "artifacts" / "boards", "v1")
    done = told.kensa("history", "--line", "boards")
    assert done.out.splitlines()[-1] == "page: artifacts/boards/history.html"


@pytest.mark.slow
def test_of_all_lines(told):
    (told.folder / "kensa.toml").write_text('[lines.boards]\ntrain = "acme/boards"\n[lines.glass]\ntrain = "demo"\n')
    stored_release(told.folder / "artifacts" / "boards", "v1")
    promote(told.folder / "artifacts" / "boards", "v1")
    done = told.kensa("history", "--line", "all")
    assert done.code == 0, done.err
    assert done.out.splitlines()[0] == "boards:"
    assert done.out.splitlines()[-1] == "glass: no releases yet"
    assert list(told.kensa("history", "--line", "all", "--json").told["lines"]) == ["boards"]
    done = told.kensa("history", "--line", "all", "--out", "x.html")
    assert (done.code, done.err) == (2, "kensa: --out: expected one line with it, found all; each has its own page\n")
