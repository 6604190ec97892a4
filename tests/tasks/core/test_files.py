"""Files are written completely or not at all, and refusals of the disk are one line."""

from __future__ import annotations

import errno
import fcntl
import json
import math
import os
import stat
from pathlib import Path

import pytest

from tasks.core.errors import UnusableFolder
from tasks.core.files import (
    add_checksum,
    checksum_matches,
    digest_of,
    draft_prefix,
    ensure_writable,
    file_digest,
    is_locked,
    link_or_copy,
    write_json,
)


def everything(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_json_is_written_completely_or_not_at_all(tmp_path):
    path = tmp_path / "state.json"
    write_json(path, {"a": 1})
    for bad in ({"a": math.nan}, {"a": math.inf}, {"a": {1}}):
        with pytest.raises((ValueError, TypeError)):
            write_json(path, bad)
    assert json.loads(path.read_text()) == {"a": 1}
    assert everything(tmp_path) == {"state.json"}


@pytest.mark.parametrize(
    ("mode", "shared"), [(0o2775, True), (0o755, False), (0o1777, False)], ids=["group", "own", "like /tmp"]
)
def test_a_new_folder_is_writable_for_a_group_that_shares_the_one_above(tmp_path, mode, shared):
    tmp_path.chmod(mode)
    ensure_writable(tmp_path / "a" / "b")
    assert {bool((tmp_path / name).stat().st_mode & stat.S_IWGRP) for name in ("a", "a/b")} == {shared}


def test_a_missing_folder_is_created(tmp_path):
    assert ensure_writable(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert everything(tmp_path) == {"a", "a/b"}


@pytest.mark.parametrize("below", ["file", "file/deeper", "file/deeper/still"])
def test_a_file_is_no_folder(tmp_path, below):
    (tmp_path / "file").write_text("")
    with pytest.raises(UnusableFolder, match=r"expected a folder that can be written, found .*--data or --artifacts"):
        ensure_writable(tmp_path / below)


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    """Tests may run as root, who may write everywhere: here the system refuses."""

    def refused(dir: Path) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", refused)
    with pytest.raises(UnusableFolder, match="found Read-only file system"):
        ensure_writable(tmp_path)


def test_digests_name_values_not_their_order():
    assert digest_of({"a": 1, "b": [1.5, None]}) == digest_of({"b": [1.5, None], "a": 1})
    distinct = [("1",), (1,), (True,), (None,), ("",), (), ([],), ("1", ""), ("", "1"), (["1", ""],)]
    assert len({digest_of(*parts) for parts in distinct}) == len(distinct)
    with pytest.raises(ValueError, match="JSON"):
        digest_of(math.nan)


def test_a_draft_of_a_killed_process_is_removed(tmp_path):
    half = tmp_path / f"{draft_prefix('champion.json').replace(str(os.getpid()), '4000000')}x1"
    half.write_text("{")
    mine = tmp_path / f"{draft_prefix('champion.json')}x2"
    mine.write_text("{")
    write_json(tmp_path / "champion.json", {"a": 1})
    assert not half.exists()
    assert mine.exists()


def test_the_digest_of_a_file_is_its_sha256(tmp_path):
    """Of `abc`, as FIPS 180 gives it."""
    (tmp_path / "file").write_text("abc")
    assert file_digest(tmp_path / "file") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_checksum_matches_until_a_value_changes():
    sealed = add_checksum({"a": (1, 2), "b": None})
    assert checksum_matches(json.loads(json.dumps(sealed)))
    assert add_checksum(sealed) == sealed
    assert not checksum_matches({**sealed, "b": 0})
    assert not checksum_matches({"a": 1})


def test_what_is_written_is_on_the_disk_before_and_after_it_gets_its_name(tmp_path, monkeypatch):
    """The content before the rename, the name in its folder after it."""
    path, events = tmp_path / "state.json", []
    sync, replace = os.fsync, Path.replace

    def watched(descriptor):
        events.append((Path(f"/proc/self/fd/{descriptor}").readlink(), path.exists()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    monkeypatch.setattr(Path, "replace", lambda draft, place: events.append("rename") or replace(draft, place))
    write_json(path, {"a": 1})
    (content, named), rename, folder = events
    assert content.name.startswith(draft_prefix("state.json"))
    assert (named, rename, folder) == (False, "rename", (tmp_path, True))


def test_the_draft_of_another_user_s_process_is_left_alone(tmp_path, monkeypatch):
    """The system does not let us signal it: it lives."""
    half = tmp_path / f"{draft_prefix('champion.json').replace(str(os.getpid()), '4000000')}x1"
    half.write_text("{")

    def refuse(process, number):
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    write_json(tmp_path / "champion.json", {"a": 1})
    assert half.exists()


def test_a_file_is_locked_while_a_process_holds_its_lock(tmp_path):
    path = tmp_path / "run.lock"
    assert not is_locked(path), "there is no file"
    with path.open("w") as file:
        assert not is_locked(path)
        fcntl.flock(file, fcntl.LOCK_EX)
        assert is_locked(path)
    assert not is_locked(path)


def test_a_file_gets_another_name_or_a_copy(tmp_path, monkeypatch):
    """A link where the disk has them; what was there under the name is replaced."""
    file, name = tmp_path / "file", tmp_path / "name"
    file.write_text("content")
    name.write_text("old")
    link_or_copy(file, name)
    assert file.samefile(name)
    with pytest.raises(FileNotFoundError):
        link_or_copy(tmp_path / "missing", name)

    def refuse(*_):
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    link_or_copy(file, name)
    assert not file.samefile(name)
    assert name.read_text() == "content"
