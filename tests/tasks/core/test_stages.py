"""A stage folder is complete or not there, every byte of it is checked, and two processes share one."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import UnusableFolder
from tasks.core.files import digest_of, translate_disk_errors
from tasks.core.stages import (
    digests,
    get_or_make_stage,
    manifest_is_intact,
    quarantine,
    scratch_folder,
    seal_folder,
    verified_manifest,
)

DIGEST = digest_of("x")


def make(draft: Path) -> dict[str, Any]:
    (draft / "deep").mkdir()
    (draft / "a.bin").write_bytes(bytes(range(256)))
    (draft / "deep" / "b.txt").write_text("b")
    return {"figure": 1.5}


def everything(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_step_that_fails_leaves_nothing(tmp_path, error):
    def dying(draft: Path) -> dict[str, Any]:
        make(draft)
        raise error

    with pytest.raises(error):
        get_or_make_stage(tmp_path, "thing", DIGEST, dying)
    assert everything(tmp_path) == set()


def test_facts_that_are_no_json_leave_nothing(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        get_or_make_stage(tmp_path, "thing", DIGEST, lambda draft: {"figure": math.nan})
    assert everything(tmp_path) == set()


def test_a_killed_process_leaves_no_stage(tmp_path):
    """Nor half of one: the next run makes it, and removes what the dead process left."""
    script = (
        "import os, sys; from pathlib import Path; from tasks.core.stages import get_or_make_stage\n"
        "def make(draft): (draft / 'a').write_text('half'); os.kill(os.getpid(), 9)\n"
        f"get_or_make_stage(Path(sys.argv[1]), 'thing', '{DIGEST}', make)"
    )
    died = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert died.returncode == -signal.SIGKILL
    assert not (tmp_path / f"thing-{DIGEST[:16]}").exists()
    created = get_or_make_stage(tmp_path, "thing", DIGEST, make)
    assert not created.reused
    assert [path.name for path in tmp_path.iterdir()] == [Path(created.path).name]


def test_what_another_machine_is_writing_is_left_alone(tmp_path):
    """Its process numbers mean nothing here: the same number may have ended here long ago."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with scratch_folder(tmp_path, "thing") as draft:
        machine = draft.name.split("-")[1]
    for name in (f".thing-0{machine[1:]}x-{ended.pid}-a", f".thing-{machine}-{ended.pid}-b"):
        (tmp_path / name).mkdir()
    get_or_make_stage(tmp_path, "thing", DIGEST, make)
    assert {path.name for path in tmp_path.glob(".thing*")} == {f".thing-0{machine[1:]}x-{ended.pid}-a"}


def test_made_once_and_found_again(tmp_path):
    first = get_or_make_stage(tmp_path, "thing", DIGEST, make)
    again = get_or_make_stage(tmp_path, "thing", DIGEST, None)
    assert (first.reused, again.reused) == (False, True)
    assert first.path == again.path == str(tmp_path / f"thing-{DIGEST[:16]}")
    assert first.facts == again.facts
    assert first.facts["figure"] == 1.5
    assert first.facts["digest"] == DIGEST
    assert set(first.facts["files"]) == {"a.bin", "deep/b.txt"}
    assert everything(tmp_path) == {
        Path(first.path).name + end for end in ("", "/a.bin", "/deep", "/deep/b.txt", "/manifest.json")
    }


def test_the_manifest_holds_sha256(tmp_path):
    """Of `abc`, as FIPS 180 gives it."""
    (tmp_path / "file").write_text("abc")
    assert digests(tmp_path) == {"file": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "a.bin").write_bytes(b"\1" + bytes(range(1, 256))),
        lambda folder: (folder / "a.bin").write_bytes(bytes(range(255))),
        lambda folder: (folder / "deep" / "b.txt").unlink(),
        lambda folder: (folder / "more").write_text(""),
        lambda folder: (folder / "deep" / "b.txt").rename(folder / "b.txt"),
        lambda folder: (folder / "manifest.json").unlink(),
        lambda folder: (folder / "manifest.json").write_text("{"),
        lambda folder: (folder / "manifest.json").write_text("[]"),
        lambda folder: (folder / "manifest.json").write_text("{}"),
        lambda folder: (folder / "manifest.json").write_bytes(b"\xff"),
    ],
    ids=["flip", "truncate", "remove", "add", "move", "no manifest", "half", "list", "empty", "bytes"],
)
def test_damage_is_seen_set_aside_and_mended(tmp_path, damage):
    folder = Path(get_or_make_stage(tmp_path, "thing", DIGEST, make).path)
    damage(folder)
    assert verified_manifest(folder) is None
    assert not get_or_make_stage(tmp_path, "thing", DIGEST, make).reused
    assert verified_manifest(folder)["figure"] == 1.5
    assert {path.name for path in tmp_path.iterdir()} == {folder.name, f"{folder.name}.damaged"}


def test_only_the_last_damaged_one_is_kept(tmp_path):
    folder = Path(get_or_make_stage(tmp_path, "thing", DIGEST, make).path)
    for text in ("first", "second"):
        (folder / "a.bin").write_text(text)
        get_or_make_stage(tmp_path, "thing", DIGEST, make)
    assert (tmp_path / f"{folder.name}.damaged" / "a.bin").read_text() == "second"


def test_a_good_folder_is_never_set_aside(tmp_path):
    """Another process may have made it again after our check."""
    folder = Path(get_or_make_stage(tmp_path, "thing", DIGEST, make).path)
    quarantine(folder)
    assert verified_manifest(folder)
    quarantine(tmp_path / "absent")
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_the_first_twin_wins(tmp_path):
    """Another run finishes the same stage while this one makes it: both get the winner's."""

    def overtaken(draft: Path) -> dict[str, Any]:
        get_or_make_stage(tmp_path, "thing", DIGEST, lambda twin: make(twin) | {"figure": 2.5})
        return make(draft)

    stage = get_or_make_stage(tmp_path, "thing", DIGEST, overtaken)
    assert stage.facts["figure"] == 2.5
    assert stage.facts == json.loads((Path(stage.path) / "manifest.json").read_text())
    assert [path.name for path in tmp_path.iterdir()] == [Path(stage.path).name]


def test_a_rename_that_fails_for_another_reason_is_an_error(tmp_path):
    def blocked(draft: Path) -> dict[str, Any]:
        (tmp_path / f"thing-{DIGEST[:16]}").mkdir()
        (tmp_path / f"thing-{DIGEST[:16]}" / "foreign").write_text("")
        return make(draft)

    with pytest.raises(OSError, match="not empty"):
        get_or_make_stage(tmp_path, "thing", DIGEST, blocked)
    assert not list(tmp_path.glob(".thing*"))


def test_others_may_read_a_stage(tmp_path):
    folder = Path(get_or_make_stage(tmp_path, "thing", DIGEST, make).path)
    assert folder.stat().st_mode & 0o777 == 0o755
    assert (folder / "manifest.json").stat().st_mode & 0o777 == 0o644


def test_a_stage_can_be_removed_by_a_group_that_shares_the_folder(tmp_path):
    tmp_path.chmod(0o775)
    stage = get_or_make_stage(tmp_path, "model", "a" * 64, lambda draft: {})
    assert Path(stage.path).stat().st_mode & 0o777 == 0o775


def test_files_of_sealed_folders_are_not_read_again(tmp_path):
    """Their digests are told while the folder is made; one that is false is found when the folder is used."""
    told = {}

    def make(draft):
        (draft / "linked").write_text("a")
        (draft / "own").write_text("b")
        told["linked"] = "0" * 64
        return {}

    stage = get_or_make_stage(tmp_path, "kind", "d" * 64, make, told)
    files = stage.facts["files"]
    assert (files["linked"], files["own"]) == ("0" * 64, hashlib.sha256(b"b").hexdigest())
    assert verified_manifest(Path(stage.path)) is None


def test_sealing_again_follows_the_change(tmp_path):
    seal_folder(tmp_path, {"n": 1})
    (tmp_path / "file").write_text("new")
    assert verified_manifest(tmp_path) is None
    seal_folder(tmp_path, {"n": 2})
    assert verified_manifest(tmp_path)["n"] == 2


def test_a_disk_that_refuses_is_told_in_one_line_and_nothing_is_left(tmp_path):
    """The disk's own words, and what to do; the timeout of a lock is no error of a disk."""
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):

        def make(draft: Path, number: int = number) -> dict[str, Any]:
            (draft / "half").write_text("")
            raise OSError(number, "as the disk says")

        with pytest.raises(UnusableFolder, match=r"cannot be written .as the disk says.; make room"):
            get_or_make_stage(tmp_path, "model", "a" * 64, make)
        assert list(tmp_path.iterdir()) == []
    with pytest.raises(TimeoutError), translate_disk_errors(tmp_path):
        raise TimeoutError("a lock")


def test_every_file_of_a_sealed_folder_is_on_the_disk(tmp_path, monkeypatch):
    (tmp_path / "stage" / "deep").mkdir(parents=True)
    for name in ("a", "deep/b"):
        (tmp_path / "stage" / name).write_text("x")
    synced = set()
    monkeypatch.setattr("tasks.core.stages.sync_to_disk", synced.add)
    seal_folder(tmp_path / "stage", {})
    assert {path.relative_to(tmp_path).as_posix() for path in synced} == {
        "stage",
        "stage/a",
        "stage/deep",
        "stage/deep/b",
        "stage/manifest.json",
    }


@pytest.mark.parametrize(("form", "intact"), [(None, True), (1, True), (2, False)])
def test_a_manifest_without_a_checksum_is_intact_in_the_first_form_alone(form, intact):
    manifest = {"fingerprint": "f"} | ({} if form is None else {"format": form})
    assert manifest_is_intact(manifest) is intact
