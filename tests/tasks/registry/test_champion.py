"""The champion: a pointer that always names a verified release, and never one by accident."""

from __future__ import annotations

import errno
import json
import stat
import threading
from pathlib import Path

import pytest
from support import inspected_parts as parts

from tasks.config.run import DataConfig
from tasks.core.errors import DamagedRelease, MapSizeChanged, UnknownRelease, UnusableFolder
from tasks.registry.champion import (
    ChampionState,
    champion_state,
    comparable_champion,
    current_champion,
    exclusive_run,
    init_champion_file,
    promote,
    registry_lock,
    rollback,
    select_release,
    set_champion,
)

NAMES = ("v1", "v2", "v3")


@pytest.fixture(scope="module")
def three(tmp_path_factory) -> Path:
    """Releases v1, v2 and v3, each made champion in its turn; not to be changed, but for the pointer."""
    folder = tmp_path_factory.mktemp("three")
    for version in NAMES:
        parts.release(folder, version)
        promote(folder, version)
    return folder


@pytest.fixture
def artifacts(three, tmp_path) -> Path:
    """The three releases with a pointer of the test's own."""
    (tmp_path / "releases").mkdir()
    for version in NAMES:
        (tmp_path / "releases" / version).symlink_to(three / "releases" / version)
    (tmp_path / "champion.json").write_bytes((three / "champion.json").read_bytes())
    return tmp_path


def test_before_the_first_release_there_is_no_champion(tmp_path):
    assert champion_state(tmp_path) == ChampionState(None, (), ())
    assert current_champion(tmp_path) is None
    assert comparable_champion(parts.configured(tmp_path)) is None
    with pytest.raises(UnknownRelease, match="expected an earlier champion"):
        rollback(tmp_path)
    with pytest.raises(UnknownRelease, match=r"v1: no such release in .* there are none yet"):
        promote(tmp_path, "v1")
    with pytest.raises(UnknownRelease, match="expected a champion, found none; kensa retrain makes the first"):
        select_release(tmp_path, None)


def test_a_mistyped_folder_is_not_made(tmp_path):
    for move in (rollback, lambda folder: promote(folder, "v1")):
        with pytest.raises(UnknownRelease):
            move(tmp_path / "artefacts")
    assert not list(tmp_path.iterdir())


def test_promote_and_rollback_follow_the_history(artifacts):
    assert champion_state(artifacts) == ChampionState("v3", NAMES, NAMES)
    assert rollback(artifacts).version == "v2"
    assert promote(artifacts, "v3").version == "v3"
    assert promote(artifacts, "v1").version == "v1"
    assert champion_state(artifacts).history == ("v1", "v2", "v3", "v1")
    assert [rollback(artifacts).version for _ in range(3)] == ["v3", "v2", "v1"]
    with pytest.raises(UnknownRelease):
        rollback(artifacts)
    assert champion_state(artifacts) == ChampionState("v1", ("v1",), NAMES)


def test_promoting_the_champion_changes_nothing(artifacts):
    promote(artifacts, "v3")
    assert champion_state(artifacts).history == NAMES


def test_every_champion_is_named_once_among_those_that_ever_were(artifacts):
    for version in ("v1", "v2", "v1"):
        set_champion(artifacts, version)
    assert champion_state(artifacts) == ChampionState("v1", ("v1", "v2", "v3", "v1", "v2", "v1"), NAMES)


def test_a_release_is_selected_by_name_or_as_the_champion(artifacts):
    assert [select_release(artifacts, version).version for version in (None, "v1")] == ["v3", "v1"]


@pytest.mark.parametrize("version", ["v4", "v0", "3", "", "..", "v1/", "../releases/v1", "drafts"])
def test_an_unknown_name_changes_nothing(artifacts, version):
    with pytest.raises(UnknownRelease, match="there are v1, v2, v3") as error:
        promote(artifacts, version)
    assert error.value.exit_code == 2
    assert champion_state(artifacts).champion == "v3"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '"v3"', '{"champion": "v3"}', '{"champion": 1, "history": 2}'])
def test_a_damaged_pointer_is_told_and_mended_by_a_promotion(artifacts, text):
    (artifacts / "champion.json").write_text(text)
    for use in (current_champion, rollback, lambda folder: promote(folder, "v1")):
        with pytest.raises(DamagedRelease, match=r"champion.json: expected JSON"):
            use(artifacts)
    (artifacts / "champion.json").unlink()  # as the message says
    assert promote(artifacts, "v2").version == "v2"


def test_a_missing_pointer_is_no_beginning(artifacts):
    """A run that took it for one would replace a champion that it was never compared with."""
    (artifacts / "champion.json").unlink()
    for use in (current_champion, rollback, init_champion_file):
        with pytest.raises(DamagedRelease, match=r"champion.json: is missing, and there are releases"):
            use(artifacts)
    assert promote(artifacts, "v2").version == "v2"
    assert champion_state(artifacts) == ChampionState("v2", ("v2",), NAMES)


def test_every_turned_bit_of_the_pointer_is_found():
    """`v3` and `v2` are one bit apart, and both are JSON."""
    content = json.dumps(ChampionState("v3", NAMES, NAMES).as_json()).encode()
    for bit in range(8 * len(content)):
        turned = bytearray(content)
        turned[bit // 8] ^= 1 << bit % 8
        if bytes(turned).strip() != content.strip():
            with pytest.raises((ValueError, KeyError, TypeError)):
                _unchanged(ChampionState.from_json(json.loads(turned)))


def _unchanged(state: ChampionState) -> None:
    """White space that turned between two values leaves the state as it was."""
    if state == ChampionState("v3", NAMES, NAMES):
        raise ValueError


def test_a_pointer_from_before_there_were_checksums_is_read(artifacts):
    path = artifacts / "champion.json"
    entries = json.loads(path.read_text())
    del entries["seal"], entries["moved"]
    path.write_text(json.dumps(entries))
    assert current_champion(artifacts).version == "v3"
    assert rollback(artifacts).version == "v2"
    assert "seal" in json.loads(path.read_text())


def test_the_stored_names_of_the_pointer_stay(artifacts):
    assert list(json.loads((artifacts / "champion.json").read_text())) == [
        "champion",
        "history",
        "ever",
        "moved",
        "seal",
    ]


def test_a_champion_whose_folder_is_missing_is_told(artifacts):
    (artifacts / "releases" / "v3").unlink()
    with pytest.raises(UnknownRelease, match=r"v3: no such release .* there are v1, v2"):
        current_champion(artifacts)
    assert rollback(artifacts).version == "v2"


def test_the_pointer_moves_in_one_step(artifacts, monkeypatch):
    """A writer that dies before the rename leaves the old pointer complete."""

    def dying(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", dying)
    with pytest.raises(KeyboardInterrupt):
        promote(artifacts, "v1")
    assert json.loads((artifacts / "champion.json").read_text())["champion"] == "v3"
    monkeypatch.undo()
    assert promote(artifacts, "v1").version == "v1"


def test_a_champion_of_another_map_size_is_told(artifacts):
    assert comparable_champion(parts.configured(artifacts, artifacts_folder=str(artifacts))).version == "v3"
    config = parts.configured(artifacts, artifacts_folder=str(artifacts), data=DataConfig(rows=5, cols=4))
    with pytest.raises(MapSizeChanged, match="v3 takes 4×5 maps, this run has 5×4") as error:
        comparable_champion(config)
    assert error.value.exit_code == 2


def test_a_second_run_waits_for_the_first_and_says_so(tmp_path, capfd):
    order: list[str] = []

    def second() -> None:
        with exclusive_run(tmp_path):
            order.append("second")

    with exclusive_run(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        while "another run retrains into" not in capfd.readouterr().err:
            thread.join(0.01)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


@pytest.mark.parametrize("size", [(4, 6), (5, 5)])
def test_one_side_of_the_map_is_enough_to_differ(artifacts, size):
    data = DataConfig(rows=size[0], cols=size[1])
    with pytest.raises(MapSizeChanged):
        comparable_champion(parts.configured(artifacts, artifacts_folder=str(artifacts), data=data))


@pytest.mark.parametrize(("mode", "shared"), [(0o2775, True), (0o755, False)])
def test_locks_are_writable_for_a_group_that_shares_the_folder(tmp_path, mode, shared):
    tmp_path.chmod(mode)
    with exclusive_run(tmp_path), registry_lock(tmp_path):
        modes = {path.name: bool(path.stat().st_mode & stat.S_IWGRP) for path in tmp_path.glob(".*lock")}
    assert modes == {".lock": shared, ".run.lock": shared}


@pytest.mark.parametrize(("hold", "name"), [(registry_lock, ".lock"), (exclusive_run, ".run.lock")])
def test_a_lock_that_cannot_be_opened_is_named(tmp_path, monkeypatch, hold, name):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tasks.registry.champion.FileLock.acquire", refuse)
    with pytest.raises(UnusableFolder, match=rf"/\{name}: cannot be written .Permission denied"), hold(tmp_path):
        pass
