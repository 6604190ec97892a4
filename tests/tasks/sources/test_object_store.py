"""Objects that several machines write: what a machine has not seen it does not overwrite."""

from __future__ import annotations

import importlib.util
import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.s3_server import s3_server

from tasks.core.errors import BadSetting, MissingExtra, UnknownSource, UnusableFolder
from tasks.sources.object_store import ObjectChanged, ObjectStore, open_address, translate_store_errors

BUCKETS = (f"objects-{number}" for number in itertools.count())


@pytest.fixture(params=["disk", "s3", "memory"])
def address(request, tmp_path, monkeypatch):
    """An empty store."""
    if request.param != "s3":
        yield tmp_path.as_uri() if request.param == "disk" else f"memory://{tmp_path.name}"
        return
    bucket = next(BUCKETS)
    with s3_server(bucket) as env:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        yield f"s3://{bucket}/line"


def test_an_object_is_written_and_read(address):
    store = ObjectStore(address)
    assert (store.read("a/b"), store.version("a/b"), store.names("a")) == (None, None, [])
    store.write("a/b", b"1")
    store.write("a/c/d", b"2")
    store.write("other", b"3")
    assert store.read("a/b") == b"1"
    assert ObjectStore(address).names("a") == ["a/b", "a/c/d"]


def test_a_version_changes_with_the_content(address):
    store = ObjectStore(address)
    store.write("a", b"1")
    version = store.version("a")
    assert ObjectStore(address).version("a") == version
    store.write("a", b"2")
    assert store.version("a") not in (None, version)


def test_what_was_not_seen_is_not_overwritten(address):
    ours, theirs = ObjectStore(address), ObjectStore(address)
    ours.write_unchanged("a", b"1", None)
    seen = theirs.version("a")
    ours.write_unchanged("a", b"2", ours.version("a"))
    for version in (None, seen):
        with pytest.raises(ObjectChanged):
            theirs.write_unchanged("a", b"3", version)
    with pytest.raises(ObjectChanged):
        theirs.write_unchanged("gone", b"3", seen)
    assert (theirs.read("a"), theirs.read("gone")) == (b"2", None)


def test_an_object_that_is_as_it_should_be_is_no_conflict(address):
    """As after a write whose answer was lost."""
    store = ObjectStore(address)
    store.write_unchanged("a", b"1", None)
    store.write_unchanged("a", b"1", None)
    assert store.read("a") == b"1"


@pytest.mark.slow
@pytest.mark.parametrize("address", ["disk", "s3"], indirect=True)  # others cannot compare and write at once
@pytest.mark.parametrize("is_new", [True, False])
def test_of_many_writers_at_once_one_wins(address, is_new):
    store = ObjectStore(address)
    for turn in range(3):
        name, version = f"a{turn}", None
        if not is_new:
            store.write(name, b"first")
            version = store.version(name)

        def write(number: int, name: str = name, version: str | None = version) -> bool:
            try:
                ObjectStore(address).write_unchanged(name, str(number).encode(), version)
            except ObjectChanged:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            won = list(pool.map(write, range(4)))
        assert won.count(True) == 1
        assert store.read(name) == str(won.index(True)).encode()


def test_names_that_lead_out_of_the_folder_are_left_out(monkeypatch, tmp_path):
    with s3_server("traps", {"line/a/../../evil": b"x", "line/a/b": b"y"}) as env:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        assert ObjectStore("s3://traps/line").names("a") == ["a/b"]


def test_what_is_no_address_is_refused_in_one_line():
    with pytest.raises(BadSetting, match="boards: expected an address such as s3://bucket/folder"):
        ObjectStore("boards")
    with pytest.raises(UnusableFolder, match="cannot be read or written") as error, translate_store_errors("no://x"):
        ObjectStore("no://x")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("address", "extra"), [("s3://a/b", "s3"), ("gs://a/b", "gs"), ("https://a/b.csv", "http")])
def test_a_package_that_is_missing_is_an_extra(monkeypatch, address, extra):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for opened in (open_address, ObjectStore):
        with pytest.raises(MissingExtra, match=f"run make setup EXTRAS={extra} in the folder of Kensa's source"):
            opened(address)


def test_a_store_without_a_known_package_is_one_line():
    with pytest.raises(UnknownSource, match="expected the package that reads abfs://, found none"):
        ObjectStore("abfs://box/line")
