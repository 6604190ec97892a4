"""Manifests: read as they were written by this Kensa and by older ones, and refused in one line where they changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.releases import manifest

from tasks.config.fingerprints import RELEASE_FORMAT
from tasks.core.errors import DamagedRelease, NewerRelease
from tasks.core.files import add_checksum
from tasks.core.stages import MANIFEST, seal_folder
from tasks.registry.manifest import FrozenSet, ReleaseManifest, SourceSummary, read_manifest

FIRST_FORM = {  # as the first Kensa wrote it: no format, no checksum, and only these keys
    "version": "v1",
    "status": "released",
    "reasons": [],
    "fingerprint": "f" * 64,
    "train": {"source": "acme/boards", "revision": "0123abc"},
    "test": None,
    "metrics": {"auroc": 1},
    "compared_with": None,
    "config": {"data": {"rows": 4, "cols": 5}},
    "files": {},
}


def written(folder: Path, entries: Any, sealed: bool = True) -> Path:
    """The folder with these entries as its manifest, with a checksum that fits."""
    (folder / MANIFEST).write_text(json.dumps(add_checksum(entries) if sealed else entries))
    return folder


def without(key: str) -> dict[str, Any]:
    """The entries of a manifest but for one; `a.b` is a key within `a`."""
    entries = json.loads(json.dumps(manifest().as_json() | {"files": {}}))
    *outer, last = key.split(".")
    place = entries
    for name in outer:
        place = place[name]
    del place[last]
    return entries


def test_a_manifest_is_read_as_it_was_sealed(tmp_path):
    sealed = manifest(test=SourceSummary(source="acme/later", revision="9", triplets=7), reasons=("too weak",))
    (tmp_path / "a.txt").write_text("a")
    seal_folder(tmp_path, sealed.as_json())
    read = read_manifest(tmp_path)
    assert read == manifest(test=sealed.test, reasons=sealed.reasons, files=read.files)
    assert list(read.files) == ["a.txt"]


def test_of_several_sources_each_has_its_revision_and_is_found_again(tmp_path):
    each = [
        {"source": "acme/boards#part=x", "kind": "hub", "revision": "abc"},
        {"source": "acme/night", "kind": "folder", "revision": "def"},
    ]
    train = SourceSummary(source="acme/boards#part=x; acme/night", kind="several", revision="9", sources=each)
    seal_folder(tmp_path, manifest(train=train).as_json())
    read = read_manifest(tmp_path).train
    assert read == train
    assert read.pinned == "acme/boards@abc#part=x; acme/night"


def test_a_single_source_is_stored_as_ever():
    train = SourceSummary(source="acme/boards", kind="hub", revision="abc")
    assert train.as_json() == {"source": "acme/boards", "kind": "hub", "revision": "abc"}
    assert train.pinned == "acme/boards@abc"
    assert SourceSummary(source="demo", kind="demo", revision="1").pinned == "demo"


def test_what_readers_ask_of_the_settings():
    settings = {"data": {"rows": 4, "cols": 5}, "fit": {"distance": "rt"}, "report": {"language": "ja"}}
    read = manifest(config=settings)
    assert (read.map_size, read.distance, read.language) == ((4, 5), "rt", "ja")
    oldest = manifest(config={"data": {"rows": 4, "cols": 5}})
    assert (oldest.distance, oldest.language) == (None, "en")


@pytest.mark.parametrize(
    ("parent", "name"), [(None, None), ("v1", "v1"), ({"version": "v2", "fingerprint": "f"}, "v2")]
)
def test_a_parent_is_named_by_itself_or_in_a_record(parent, name):
    assert manifest(parent=parent).parent_version == name


def test_a_manifest_of_the_first_form_is_read(tmp_path):
    read = read_manifest(written(tmp_path, FIRST_FORM, sealed=False))
    assert (read.format, read.created, read.frozen, read.stages) == (1, None, None, {})
    assert read.train.as_json() == FIRST_FORM["train"]


def test_a_manifest_of_this_form_without_a_checksum_is_refused(tmp_path):
    with pytest.raises(DamagedRelease, match="it differs from its checksum"):
        read_manifest(written(tmp_path, FIRST_FORM | {"format": 2}, sealed=False))


def test_keys_of_a_later_kensa_are_read_and_written_again(tmp_path):
    entries = json.loads(json.dumps(manifest().as_json())) | {"files": {}, "later": [1]}
    entries["train"]["later"] = entries["frozen"]["later"] = entries["config"]["later"] = 1
    read = read_manifest(written(tmp_path, entries))
    assert read.as_json() | {"files": {}} == entries


@pytest.mark.parametrize(
    "key",
    [
        *("status", "reasons", "compared_with", "metrics", "train", "test", "config", "files"),
        *("train.source", "train.revision", "config.data", "config.data.rows"),
    ],
)
def test_a_key_that_every_reader_needs_must_be_there(tmp_path, key):
    with pytest.raises(DamagedRelease, match=rf"manifest.json cannot be read \(expected {key}, found none\); restore"):
        read_manifest(written(tmp_path, without(key)))


@pytest.mark.parametrize("key", ["created", "frozen", "comparison", "stages", "packages", "git_commit", "config.fit"])
def test_a_key_that_older_manifests_lack_may_be_missing(tmp_path, key):
    assert read_manifest(written(tmp_path, without(key))).version == "v1"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metrics": {"auroc": "high"}}, "expected metrics.auroc as int | float, found 'high'"),
        ({"reasons": [1]}, "expected each of reasons as str, found '1'"),
        ({"stages": []}, "expected stages as dict, found '[]'"),
        ({"train": {"source": 3, "revision": "0"}}, "expected train.source as str, found '3'"),
        ({"frozen": "f1"}, "expected frozen as dict | None, found 'f1'"),
        ({"format": "two"}, "expected format as int, found 'two'"),
        ({"config": {"data": {"rows": "x" * 99, "cols": 5}}}, f"expected config.data.rows as int, found '{'x' * 60}'"),
    ],
)
def test_another_kind_of_value_is_told(tmp_path, changes, message):
    with pytest.raises(DamagedRelease) as error:
        read_manifest(written(tmp_path, FIRST_FORM | changes))
    assert f"({message}); restore it from a backup" in str(error.value)


@pytest.mark.parametrize("text", [None, "", "{", "[]", "{}", '{"files": {}}', "\x00", "[" * 100_000])
def test_what_is_no_manifest_is_refused_in_one_line(tmp_path, text):
    if text is not None:
        (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(DamagedRelease, match=r"manifest.json (cannot be read|is nested without end)") as error:
        read_manifest(tmp_path)
    assert "\n" not in str(error.value)


def test_a_later_form_is_read_where_it_fits_and_told_where_not(tmp_path):
    later = FIRST_FORM | {"format": RELEASE_FORMAT + 1}
    assert read_manifest(written(tmp_path, later)).format == RELEASE_FORMAT + 1
    with pytest.raises(NewerRelease, match=rf"format {RELEASE_FORMAT} at most, found {RELEASE_FORMAT + 1}; a later"):
        read_manifest(written(tmp_path, later | {"metrics": []}))


def test_a_turned_bit_is_found_wherever_it_is(tmp_path):
    """`v3` and `v2` are one bit apart, and both are JSON."""
    seal_folder(tmp_path, FIRST_FORM | {"format": 2})
    path = tmp_path / MANIFEST
    content = path.read_bytes()
    for bit in range(0, 8 * len(content), 7):  # every byte or nearly, and every bit of a byte in turn
        turned = bytearray(content)
        turned[bit // 8] ^= 1 << bit % 8
        path.write_bytes(turned)
        if _json(turned) != json.loads(content):  # else it is white space that turned
            with pytest.raises((DamagedRelease, NewerRelease)):
                read_manifest(tmp_path)


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


def test_records_within_a_manifest_keep_what_they_do_not_know():
    entries = {"version": "f1", "digest": "d", "records": 40, "modes": 3, "later": {"a": 1}}
    assert FrozenSet.from_json(entries).as_json() == entries
    source = {"source": "./parts", "kind": "folder", "revision": "0", "later": 2}
    assert SourceSummary.from_json(source).as_json() == source


def test_a_release_that_was_trained_stores_no_parent():
    assert not {"parent", "recalibrated"} & set(manifest().as_json())
    assert manifest(parent={"version": "v1", "fingerprint": "f"}).as_json()["parent"]["version"] == "v1"
    assert isinstance(ReleaseManifest.from_json(FIRST_FORM), ReleaseManifest)
