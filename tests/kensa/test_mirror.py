"""Artifacts at an address: each machine works in its copy, one of two at once wins, and no work is lost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support import inspected_parts as parts
from support.releases import NO_DRAFTS, reseal
from support.s3_server import s3_server

from kensa.mirror import MIRRORS, address_of, local_copies
from tasks.core.errors import BadSetting, ChampionMoved
from tasks.core.stages import get_or_make_stage
from tasks.registry.champion import champion_state, promote


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("s3://factory/boards", "s3://factory/boards"),
        ("file:///mnt/store", "file:///mnt/store"),
        ("gs://bucket", "gs://bucket"),
        ("artifacts", None),
        ("/mnt/store", None),
        ("a:b/c", None),
    ],
)
def test_an_option_is_an_address_or_a_folder(typed, address):
    assert address_of(Path(typed)) == address


@pytest.fixture
def address(tmp_path):
    return (tmp_path / "store").as_uri()


@pytest.fixture
def at(monkeypatch, tmp_path, address):
    """Has a machine work on its copy of what is at the address: `with at("first") as (data, artifacts)`."""

    def machine(name, data=True):
        monkeypatch.setenv(MIRRORS, str(tmp_path / name))
        return Copies({"artifacts": Path(address), **({"data": Path(address)} if data else {})})

    return machine


class Copies:
    """The folders that a command gets in the place of its options."""

    def __init__(self, options):
        self.options, self.copies = options, local_copies(options)

    def __enter__(self):
        self.copies.__enter__()
        return self.options.get("data"), self.options["artifacts"]

    def __exit__(self, *error):
        return self.copies.__exit__(*error)


def release(artifacts, version, note=""):
    folder = parts.release(artifacts, version)
    (folder / "README.md").write_text(f"{version} {note}")
    reseal(folder)
    promote(artifacts, version)


def note_of(artifacts):
    champion = champion_state(artifacts).champion
    return (artifacts / "releases" / champion / "README.md").read_text()


def test_what_one_machine_made_another_has(at):
    with at("first") as (data, artifacts):
        get_or_make_stage(data / "stages", "model", "a" * 64, lambda draft: {"made": (draft / "x").write_text("x")})
        release(artifacts, "v1")
    with at("second", data=False) as (data, artifacts):
        assert data is None
        assert champion_state(artifacts).champion == "v1"
    with at("second") as (data, _):
        assert [path.name for path in (data / "stages").glob("model-*")] == [f"model-{'a' * 16}"]


def test_before_the_first_release_nothing_is_there_and_nothing_is_sent(at, tmp_path, capfd):
    with at("first") as (_, artifacts):
        assert list(artifacts.iterdir()) == []
    assert "nothing was sent, because there is no release yet" in capfd.readouterr().err
    assert not (tmp_path / "store").exists()


def test_of_two_machines_at_once_one_wins_and_the_work_of_the_other_is_kept(at):
    with at("first") as (_, artifacts):
        release(artifacts, "v1")
    slow = at("second")
    _, slower = slow.__enter__()
    release(slower, "v2", "of the second")
    with at("first") as (_, faster):
        release(faster, "v2", "of the first")
    with pytest.raises(ChampionMoved, match=r"kept in .*artifacts-.* not sent: run the command again") as error:
        slow.__exit__(None, None, None)
    assert "\n" not in str(error.value)
    (kept,) = slower.parent.glob("artifacts-*")
    assert note_of(kept) == "v2 of the second"
    with at("second") as (_, artifacts):
        assert note_of(artifacts) == "v2 of the first"


def test_what_a_killed_command_could_not_send_the_next_one_sends(at):
    with at("first") as (_, artifacts):
        release(artifacts, "v1")
    with pytest.raises(KeyboardInterrupt), at("first") as (_, artifacts):
        release(artifacts, "v2", "before the kill")
        raise KeyboardInterrupt
    with at("second") as (_, artifacts):
        assert champion_state(artifacts).champion == "v1"
    with at("first"):
        pass
    with at("second") as (_, artifacts):
        assert note_of(artifacts) == "v2 before the kill"


def test_what_came_too_late_is_set_aside_when_the_next_command_begins(at, capfd):
    with at("first") as (_, artifacts):
        release(artifacts, "v1")
    with pytest.raises(KeyboardInterrupt), at("first") as (_, artifacts):
        release(artifacts, "v2", "of the first")
        raise KeyboardInterrupt
    with at("second") as (_, artifacts):
        release(artifacts, "v2", "of the second")
    with at("first") as (_, artifacts):
        assert note_of(artifacts) == "v2 of the second"
        (kept,) = artifacts.parent.glob("artifacts-*")
    assert note_of(kept) == "v2 of the first"
    assert str(kept) in capfd.readouterr().err


@pytest.mark.parametrize(("artifacts", "found"), [("artifacts", "a folder"), ("s3://other/line", "s3://other/line")])
def test_data_alone_or_elsewhere_is_refused(address, artifacts, found):
    copies = local_copies({"data": Path(address), "artifacts": Path(artifacts)})
    with pytest.raises(BadSetting, match=f"expected --artifacts at the same address, found {found}"):
        copies.__enter__()


@pytest.mark.slow
def test_commands_work_on_s3_as_in_a_folder(place, small_line, tmp_path):
    """Two machines with a copy each: one makes and promotes a release, the other finds it and rolls it back."""
    shutil.copytree(small_line.artifacts_folder, place.folder / "artifacts", ignore=NO_DRAFTS)
    line = "s3://mirrored/line"

    def run(machine, *words):
        place.env[MIRRORS] = str(tmp_path / machine)
        done = place.kensa(*words, "--artifacts", line, "--json")
        assert done.code == 0, done.err
        return json.loads(done.out)

    def champion(machine):
        return [entry["version"] for entry in run(machine, "releases")["releases"] if entry["champion"]]

    with s3_server("mirrored") as env:
        place.env |= env
        pushed = place.kensa("store", "push", line)
        assert pushed.code == 0, pushed.err
        run("first", "recalibrate", "v1", "--rule", "youden", "--promote")
        assert champion("second") == ["v2"]
        run("second", "rollback")
        assert champion("first") == ["v1"]
        missing = place.kensa("releases", "--artifacts", "s3://nowhere/line")
        assert (missing.code, missing.err.count("\n")) == (2, 1), missing.err
        assert "s3://nowhere/line: expected a bucket that exists, found none" in missing.err
