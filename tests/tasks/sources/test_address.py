"""How a source is written, and what that names."""

from __future__ import annotations

import pytest

from tasks.core.errors import UnknownSource
from tasks.sources.address import (
    Choice,
    HubName,
    at_revision,
    hub_branches,
    hub_name,
    is_pattern,
    join_sources,
    split_choice,
    split_sources,
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("acme/boards", HubName("acme/boards")),
        ("acme/boards@v2", HubName("acme/boards", "v2")),
        ("hf://datasets/acme/boards", HubName("acme/boards")),
        ("hf://datasets/acme/boards@v2", HubName("acme/boards", "v2")),
        ("hf://datasets/acme/boards@refs%2Fpr%2F1/front/*.csv", HubName("acme/boards", "refs/pr/1", "front/*.csv")),
        ("hf://datasets/acme/boards/front/", HubName("acme/boards", None, "front")),
        ("https://huggingface.co/datasets/acme/boards", HubName("acme/boards")),
        ("https://huggingface.co/datasets/acme/boards/tree/main/front", HubName("acme/boards", "main", "front")),
        (
            "https://huggingface.co/datasets/acme/boards/resolve/v2/a.csv?download=true",
            HubName("acme/boards", "v2", "a.csv"),
        ),
        ("s3://acme/boards", None),
        ("./boards", None),
        ("boards", None),
        ("acme/boards/front", None),
        ("/acme/boards", None),
        ("https://example.org/acme/boards", None),
    ],
)
def test_a_dataset_of_the_hub_in_all_its_spellings(text, name):
    assert hub_name(text) == name


@pytest.mark.parametrize(
    ("text", "source", "choice"),
    [
        ("acme/boards", "acme/boards", Choice()),
        ("acme/boards@v2#config=front", "acme/boards@v2", Choice("front")),
        ("./boards#part=holdout", "./boards", Choice(None, "holdout")),
        ("s3://a/b#part=x,config=front", "s3://a/b", Choice("front", "x")),
    ],
)
def test_a_choice_stands_behind_a_source(text, source, choice):
    assert split_choice(text) == (source, choice)


@pytest.mark.parametrize(
    "text", ["acme/boards#", "acme/boards#front", "acme/boards#split=x", "a#config=", "a#part=x;config=y"]
)
def test_another_choice_is_refused(text):
    with pytest.raises(UnknownSource, match=r"expected #config=NAME, #part=NAME or both"):
        split_choice(text)


def test_several_sources_are_one_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert split_sources(join_sources(["acme/boards", "./night"])) == ("acme/boards", "./night")
    assert split_sources("a ; b;c;") == ("a", "b", "c")
    assert join_sources("acme/boards") == "acme/boards"
    assert split_sources(";") == (";",)


def test_what_is_there_is_one_source_whatever_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a; b", "lot#part=3"):
        (tmp_path / name).mkdir()
        assert split_sources(name) == (name,)
        assert split_choice(name) == (name, Choice())


@pytest.mark.parametrize(
    ("source", "pinned"),
    [
        ("acme/boards", "acme/boards@abc"),
        ("acme/boards@v2#part=x", "acme/boards@abc#part=x"),
        ("hf://datasets/acme/boards@v2/front/*.csv", "hf://datasets/acme/boards@abc/front/*.csv"),
        ("./boards", "./boards"),
    ],
)
def test_a_source_at_a_revision_is_found_again(source, pinned):
    assert at_revision(source, "abc") == pinned
    assert at_revision(source, None) == pinned.replace("@abc", "")


def test_the_branches_of_all_datasets_of_a_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here" / "parts").mkdir(parents=True)
    assert hub_branches("acme/a#part=x; hf://datasets/acme/b@v2; s3://c/d; demo; here/parts") == [
        ("acme/a", "main"),
        ("acme/b", "v2"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"), [("a*.csv", True), ("lot[12].csv", True), ("a?.csv", True), ("a.csv", False)]
)
def test_the_signs_of_a_pattern(text, expected):
    assert is_pattern(text) is expected
