"""Sources are pinned to a revision and brought here: from a server shaped like the Hub, a folder, or the demo."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from huggingface_hub import constants
from support.fake_hub import Fault, Hub

from tasks.core.errors import (
    NoPermission,
    SourceUnreachable,
    UnknownRevision,
    UnknownSource,
    UnreadableSource,
)
from tasks.core.files import file_digest
from tasks.core.results import PinnedSource
from tasks.download import download, resolve

FILES = {"README.md": b"a card", "data/train.csv": b"map,label\n", "notes.txt": b"no table", ".hidden/x.csv": b"x"}


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A Hub with one dataset, and a client in this process that knows no other."""
    with Hub() as hub:
        template = hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
        hub.commit("acme/boards", FILES)
        yield hub


def test_a_branch_is_pinned_to_its_commit_and_its_tables_are_brought(hub, tmp_path):
    pinned = resolve("acme/boards", None, tmp_path / "data")
    first = hub.commit("acme/boards", {"data/train.csv": b"later"})
    assert pinned.revision != first
    folder = Path(download(pinned).folder)
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {
        "README.md",
        "data/train.csv",
        ".hidden/x.csv",
    }
    assert (folder / "data" / "train.csv").read_bytes() == b"map,label\n"
    assert resolve("acme/boards@main", None, tmp_path / "data").revision == first
    assert resolve("acme/boards@main", pinned.revision, tmp_path / "data").revision == pinned.revision


def test_the_standard_of_photographs_is_brought_too(hub, tmp_path):
    hub.commit("acme/boards", {"standard.npz": b"a standard", "old/standard.npz": b"another"})
    folder = Path(download(resolve("acme/boards", None, tmp_path / "data")).folder)
    assert (folder / "standard.npz").read_bytes() == b"a standard"
    assert not (folder / "old" / "standard.npz").exists()


def test_files_that_look_like_data_and_are_not_fetched_are_known_without_another_request(hub, tmp_path):
    files = {"new/parts.xlsx": b"PK", "data/train.csv.bak": b"1", ".git/old.xlsx": b"PK", "photo.png": b"x"}
    hub.commit("acme/boards", files)
    before = len(hub.requests)
    assert resolve("acme/boards", None, tmp_path).not_fetched == ("data/train.csv.bak", "new/parts.xlsx")
    assert len(hub.requests) == before + 1


def test_what_was_downloaded_is_not_fetched_again(hub, tmp_path):
    pinned = resolve("acme/boards", None, tmp_path)
    download(pinned)
    before = len(hub.requests)
    download(pinned)
    assert not [seen for seen in hub.requests[before:] if "train.csv" in seen.path]


def test_offline_the_last_commit_is_known_and_no_other(hub, tmp_path, monkeypatch):
    pinned = resolve("acme/boards", None, tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert resolve("acme/boards", None, tmp_path) == pinned
    assert resolve("acme/boards", "a" * 40, tmp_path).revision == "a" * 40
    with pytest.raises(UnknownRevision, match="no earlier run saw this revision"):
        resolve("acme/boards", "later", tmp_path)


@pytest.mark.parametrize(
    ("prepare", "revision", "error"),
    [
        (lambda hub: hub.private("acme/boards", "hf_secret"), None, UnknownSource),
        (lambda hub: hub.gated("acme/boards", "hf_secret"), None, NoPermission),
        (lambda hub: None, "v9", UnknownRevision),
        (lambda hub: hub.faults.append(Fault("/api/datasets/", status=503, times=99)), None, SourceUnreachable),
    ],
    ids=["private", "gated", "revision", "503"],
)
def test_what_the_hub_refuses_is_one_line(hub, tmp_path, prepare, revision, error):
    prepare(hub)
    with pytest.raises(error) as raised:
        download(resolve("acme/boards", revision, tmp_path))
    assert str(raised.value).startswith("acme/boards@")
    assert len(str(raised.value).splitlines()) == 1


def test_a_dataset_without_tables_is_refused(hub, tmp_path):
    hub.commit("acme/texts", {"README.md": b"a card", "notes.txt": b"no table"})
    with pytest.raises(UnreadableSource, match="found none at this revision"):
        download(resolve("acme/texts", None, tmp_path))
    hub.commit("acme/texts", {"parts.xlsx": b"PK"})
    with pytest.raises(UnreadableSource, match=r"found none, but parts.xlsx at this revision"):
        download(resolve("acme/texts", None, tmp_path))


def test_a_folder_is_pinned_by_the_names_and_contents_of_its_tables(tmp_path):
    (tmp_path / "parts").mkdir()
    table = tmp_path / "parts" / "a.csv"
    table.write_text("1")
    source = str(tmp_path / "parts")
    pinned = resolve(source, None, tmp_path)
    assert (pinned.kind, download(pinned).folder) == ("folder", source)
    assert len(pinned.revision) == 40
    (tmp_path / "parts" / "notes.txt").write_text("no table")
    assert resolve(source, None, tmp_path) == pinned
    table.write_text("2")
    changed = resolve(source, None, tmp_path)
    table.rename(table.with_name("b.csv"))
    assert len({pinned.revision, changed.revision, resolve(source, None, tmp_path).revision}) == 3


def test_the_demo_needs_no_files(tmp_path):
    pinned = resolve("demo", None, tmp_path)
    assert pinned == PinnedSource("demo", "demo", "demo", pinned.revision)
    assert download(pinned).folder == ""


@pytest.mark.parametrize("source", ["no such folder", "boards", "acme/boards/train", "no such file.csv"])
def test_what_is_no_source_is_told(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownSource, match="expected org/name"):
        resolve(source, None, tmp_path)


def test_a_folder_without_tables_is_refused(tmp_path):
    with pytest.raises(UnreadableSource, match=r"expected a folder with parquet, csv, .*, found none$"):
        resolve(str(tmp_path), None, tmp_path)
    (tmp_path / "parts.xlsx").write_text("x")
    with pytest.raises(UnreadableSource, match=r"found none, but parts.xlsx"):
        resolve(str(tmp_path), None, tmp_path)


def test_linked_folders_and_endings_in_capitals_count_in_the_revision(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "more").mkdir()
    (tmp_path / "parts" / "a.csv").write_text("data0,label\n1,0\n")
    revisions = {resolve(str(tmp_path / "parts"), None, tmp_path).revision}
    (tmp_path / "parts" / "linked").symlink_to(tmp_path / "more")
    for place in ("parts/B.CSV", "more/c.csv"):
        (tmp_path / place).write_text("data0,label\n2,0\n")
        revisions.add(resolve(str(tmp_path / "parts"), None, tmp_path).revision)
    assert len(revisions) == 3


def test_what_an_earlier_version_read_otherwise_has_another_revision(tmp_path):
    """`001` was 1: what was stored of it must not be used."""
    (tmp_path / "a.csv").write_text("data0,label,fmode\n1,0,10\n")
    contents = [("a.csv", file_digest(tmp_path / "a.csv"))]
    plain = hashlib.sha256(json.dumps(contents).encode()).hexdigest()[:40]
    assert resolve(str(tmp_path), None, tmp_path).revision == plain
    (tmp_path / "a.csv").write_text("data0,label,fmode\n1,0,010\n")
    contents = [("a.csv", file_digest(tmp_path / "a.csv"))]
    plain = hashlib.sha256(json.dumps(contents).encode()).hexdigest()[:40]
    assert resolve(str(tmp_path), None, tmp_path).revision != plain


def test_what_a_card_decides_is_part_of_the_revision_and_nothing_else_of_it(tmp_path):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("data0,label,fmode\n1,0,0\n")
    revisions = {"none": resolve(str(tmp_path), None, tmp_path).revision}
    cards = {
        "words": "# Boards\n",
        "all": "---\nlicense: mit\nconfigs:\n- config_name: default\n  data_files: '*.csv'\n---\n",
        "a": "---\nconfigs:\n- config_name: default\n  data_files: a.csv\n---\n",
        "b": "---\nconfigs:\n- config_name: default\n  data_files: b.csv\n---\n",
        "names": "---\ndataset_info:\n  features:\n  - {name: label, dtype: {class_label: {names: [NG, OK]}}}\n---\n",
        "turned": "---\ndataset_info:\n  features:\n  - {name: label, dtype: {class_label: {names: [OK, NG]}}}\n---\n",
    }
    for name, card in cards.items():
        (tmp_path / "README.md").write_text(card)
        revisions[name] = resolve(str(tmp_path), None, tmp_path).revision
    assert revisions["none"] == revisions["words"] == revisions["all"]
    assert len(set(revisions.values())) == 5
