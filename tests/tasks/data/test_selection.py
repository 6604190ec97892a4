"""Which tables are read: by split, by configuration, of one kind; and what an earlier version read otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.config.run import DataConfig
from tasks.core.errors import BadSetting, UnreadableSource
from tasks.data.card import Card, CardConfig
from tasks.data.listing import Listing, list_tables
from tasks.data.selection import card_reading, names_of_classes, select, split_word, was_read_otherwise

FRONT, BACK = (CardConfig(name, False, "", {"train": (f"{name}/*.parquet",)}) for name in ("front", "back"))


def selected(names, card=None, held_out=False, others=(), **data):
    listing = Listing(Path("parts"), tuple(names), tuple(others))
    return select(listing, card or Card(), replace(DataConfig(), **data), held_out, "parts", "--")


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("lot3-re-test.parquet", "test"),
        ("data/train-00000-of-00001.parquet", "train"),
        ("Training/a.csv", "train"),
        ("dev.csv", "validation"),
        ("train/eval.csv", "test"),
        ("latest.csv", None),
        ("trained.csv", None),
        ("contest/a.csv", None),
    ],
)
def test_the_word_of_a_split_is_a_word_of_its_own(name, split):
    assert split_word(name) == split


@pytest.mark.parametrize("held_out", [False, True])
def test_one_name_with_a_word_decides_nothing(held_out):
    names = ("lot1.parquet", "lot2.parquet", "lot3-re-test.parquet")
    selection = selected(names, held_out=held_out)
    assert (selection.files, selection.unread) == (names, {})


def test_splits_are_meant_where_every_name_has_a_word():
    names = ("data/test-00000.parquet", "data/train-00000.parquet", "data/train-00001.parquet")
    selection = selected(names)
    assert (selection.files, selection.unread) == (names[1:], {names[0]: "split test"})
    assert selected(names, held_out=True).files == names[:1]
    assert selected(names, part="test").files == names[:1]
    with pytest.raises(BadSetting, match=r"expected the split night, found test, train; choose with --part=…"):
        selected(names, part="night")


def test_a_table_without_the_word_of_any_split_is_named():
    selection = selected(("more.csv", "test.csv", "train.csv"), others=("train.csv.bak",))
    assert selection.files == ("train.csv",)
    assert selection.unread == {
        "more.csv": "no split in its name",
        "test.csv": "split test",
        "train.csv.bak": "no table by its name",
    }


def test_all_files_of_one_split_are_read():
    names = ("lot1-test.csv", "lot2-test.csv")
    assert selected(names).files == selected(names, held_out=True).files == names


def test_notes_in_json_are_left_out_and_two_kinds_of_tables_are_refused():
    selection = selected(("n0.json", "n1.jsonl", "t.parquet"))
    assert selection.kind == "parquet"
    assert selection.unread == {"n0.json": "JSON beside parquet", "n1.jsonl": "JSON beside parquet"}
    with pytest.raises(UnreadableSource, match="expected tables of one kind, found csv, parquet"):
        selected(("t.csv", "t.parquet"))


def test_the_card_names_configurations():
    names, card = ("back/t.parquet", "front/t.parquet"), Card((FRONT, BACK))
    selection = selected(names, card, config="front")
    assert (selection.files, selection.unread) == (names[1:], {names[0]: "not named by the card"})
    with pytest.raises(
        BadSetting, match="expected one configuration, found front, back; choose one with --config=front"
    ):
        selected(names, card)
    with pytest.raises(BadSetting, match="expected the configuration side, found front, back"):
        selected(names, card, config="side")
    with pytest.raises(BadSetting, match="expected the configuration front, found none; leave --config"):
        selected(names, config="front")
    assert selected(names, Card((FRONT, replace(BACK, is_default=True)))).files == names[:1]
    with pytest.raises(UnreadableSource, match="expected the tables that its card names for front, found none of them"):
        selected(("t.parquet",), card, config="front")


@pytest.mark.parametrize(
    ("pattern", "files"),
    [
        ("*.csv", ["a.csv"]),
        ("**/*.csv", ["a.csv", "b/c.csv", "b/d/e.csv"]),
        ("b/**", ["b/c.csv", "b/d/e.csv"]),
        ("./b/[cd].csv", ["b/c.csv"]),
        ("b/[!d].csv", ["b/c.csv"]),
        ("?.csv", ["a.csv"]),
    ],
)
def test_patterns_of_a_card_are_those_of_the_shell(pattern, files):
    card = Card((CardConfig("default", False, "", {"train": (pattern,)}),))
    assert list(selected(("a.csv", "b/c.csv", "b/d/e.csv"), card).files) == files


def test_a_pattern_that_is_none_is_refused_in_one_line():
    card = Card((CardConfig("default", False, "", {"train": ("a[z-b].csv",)}),))
    with pytest.raises(UnreadableSource, match=r"expected a pattern such as data/\*.csv, found 'a\[z-b\].csv'"):
        selected(("a.csv",), card)


ALL = CardConfig("default", False, "", {"train": ("*.csv",)})


@pytest.mark.parametrize(
    ("card", "decides"),
    [
        (Card(), []),
        (Card((ALL,)), []),
        (Card((replace(ALL, name="boards", patterns={}),)), []),
        (Card((ALL,), {"default": {"label": ["0", "1"]}}), []),
        (Card((ALL, replace(ALL, name="again"))), ["configs"]),
        (Card((replace(ALL, patterns={"train": ("a.csv",)}),)), ["configs"]),
        (Card((replace(ALL, patterns={"test": ("*.csv",)}),)), ["configs"]),
        (Card((replace(ALL, folder="b"),)), ["configs"]),
        (Card((ALL,), {"default": {"label": ["NG", "OK"]}}), ["names"]),
    ],
)
def test_what_a_card_decides_is_known(tmp_path, card, decides):
    reading = card_reading(Listing(tmp_path, ("a.csv", "b.csv"), ()), card)
    assert [name for name, _ in reading] == decides


def test_a_card_may_name_a_folder_and_splits():
    card = Card((CardConfig("x", False, "b", {"train": ("*.csv",), "test": ("d/*.csv",)}),))
    assert selected(("a.csv", "b/c.csv", "b/d/e.csv"), card, held_out=True).files == ("b/d/e.csv",)


def table(**columns):
    return pa.table({"data0": np.zeros(2, np.float32), "label": [0, 1], "fmode": [0, 1], **columns})


NAMES = {b"huggingface": b'{"info": {"features": {"label": {"names": ["NG", "OK"], "_type": "ClassLabel"}}}}'}
CODES = {b"huggingface": b'{"info": {"features": {"label": {"names": ["0", "1"], "_type": "ClassLabel"}}}}'}


@pytest.mark.parametrize(
    ("files", "otherwise"),
    [
        ({"a.parquet": table(), "b.parquet": table()}, False),
        ({"train.parquet": table(), "test.parquet": table()}, False),
        ({"a.parquet": table(), "b-test.parquet": table()}, True),
        ({"a.parquet": table(), "test.parquet": table(), "train.parquet": table()}, False),
        ({"a.parquet": table(), "b.parquet": table(group=["x", "y"])}, True),
        ({"a.parquet": table(group=["x", "y"]), "b.parquet": table(group=["x", "y"])}, False),
        ({"a.parquet": table(data0=np.zeros(2, np.float16)), "b.parquet": table()}, True),
        ({"a.parquet": table().replace_schema_metadata(NAMES)}, True),
        ({"a.parquet": table().replace_schema_metadata(CODES)}, False),
        ({"a.csv": "data0,label,fmode\n0,0,0\n0,1,scratch\n"}, False),
        ({"a.csv": "data0,label,fmode\n0,0,0\n0,1,\n"}, False),
        ({"a.csv": "data0,label,fmode\n0,0.0,0\n0,1.0,1\n"}, False),
        ({"a.csv": "data0,label,fmode\n0,0,001\n0,1,1\n"}, True),
        ({"a.csv": "data0,label,fmode\n0,0,1E2\n0,1,100\n"}, True),
        ({"a.csv": "data0,label,fmode\n0,0,None\n0,1,dent\n"}, True),
        ({"a.csv": "data0,label\n0,0\n", "a.csv.bak": "data0,label\n0,1\n"}, True),
        ({"a.CSV": "data0,label\n0,0\n"}, True),
        ({"a.parquet": table(), "b.txt": "note"}, False),
    ],
)
def test_what_an_earlier_version_read_otherwise(tmp_path, files, otherwise):
    for name, content in files.items():
        if isinstance(content, str):
            (tmp_path / name).write_text(content)
        else:
            pq.write_table(content, tmp_path / name)
    assert was_read_otherwise(list_tables(tmp_path), Card()) is otherwise


def test_names_of_classes_stand_in_the_metadata():
    assert names_of_classes(table().replace_schema_metadata(NAMES).schema) == {"label": ["NG", "OK"]}
    assert names_of_classes(table().replace_schema_metadata({b"huggingface": b"[]"}).schema) == {}
    assert names_of_classes(table().schema) == {}
