"""The releases on disk: verified before use, and one pointer that always names a sound one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import inspected_parts as parts

from tasks.config.run import DataConfig
from tasks.core.errors import DamagedRelease, MapSizeChanged, NewerRelease, UnknownRelease
from tasks.core.stages import seal_folder
from tasks.registry.champion import (
    ChampionState,
    champion_state,
    comparable_champion,
    current_champion,
    promote,
    rollback,
    set_champion,
)
from tasks.registry.placement import next_version
from tasks.registry.releases import get_release, rejected_drafts, releases, verify_release

FILES = ("model.keras", "anchors.npz", "split.npz", "threshold.json", "report.json", "report.html", "README.md")


@pytest.fixture
def artifacts(tmp_path) -> Path:
    """Releases v1, v2 and v3, each made champion in its turn."""
    for version in ("v1", "v2", "v3"):
        parts.release(tmp_path, version)
        promote(tmp_path, version)
    return tmp_path


def test_before_the_first_release(tmp_path):
    assert releases(tmp_path) == rejected_drafts(tmp_path) == []
    assert champion_state(tmp_path) == ChampionState(None, (), ())
    assert current_champion(tmp_path) is None
    assert comparable_champion(parts.configured(tmp_path)) is None
    assert next_version(tmp_path) == "v1"
    with pytest.raises(UnknownRelease, match="expected an earlier champion"):
        rollback(tmp_path)
    with pytest.raises(UnknownRelease, match=r"v1: no such release in .* there are none yet"):
        promote(tmp_path, "v1")


def test_releases_are_numbered_not_spelled(tmp_path):
    for number in (10, 9, 2, 1):
        parts.release(tmp_path, f"v{number}")
    for strange in ("v0", "v01", "vx", "v1.damaged", "v²"):
        (tmp_path / "releases" / strange).mkdir()
    assert [release.version for release in releases(tmp_path)] == ["v1", "v2", "v9", "v10"]
    promote(tmp_path, "v9")
    assert next_version(tmp_path) == "v11"


def test_the_name_of_a_removed_champion_is_not_given_again(artifacts):
    """`history` and `ever` would speak of another model under the same name."""
    rollback(artifacts)
    (artifacts / "releases" / "v3").rename(artifacts / "gone")
    assert next_version(artifacts) == "v4"


def test_promote_and_rollback_walk_the_history(artifacts):
    assert champion_state(artifacts) == ChampionState("v3", ("v1", "v2", "v3"), ("v1", "v2", "v3"))
    assert rollback(artifacts).version == "v2"
    assert promote(artifacts, "v3").version == "v3"
    assert promote(artifacts, "v1").version == "v1"
    assert champion_state(artifacts).history == ("v1", "v2", "v3", "v1")
    assert [rollback(artifacts).version for _ in range(3)] == ["v3", "v2", "v1"]
    with pytest.raises(UnknownRelease):
        rollback(artifacts)
    assert champion_state(artifacts) == ChampionState("v1", ("v1",), ("v1", "v2", "v3"))


def test_promoting_the_champion_changes_nothing(artifacts):
    promote(artifacts, "v3")
    assert champion_state(artifacts).history == ("v1", "v2", "v3")


@pytest.mark.parametrize("version", ["v4", "v0", "3", "", "..", "v1/", "../releases/v1", "drafts"])
def test_unknown_names(artifacts, version):
    with pytest.raises(UnknownRelease, match="there are v1, v2, v3") as error:
        promote(artifacts, version)
    assert error.value.exit_code == 2
    assert champion_state(artifacts).champion == "v3"


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_a_release_with_a_damaged_file_is_refused_everywhere(artifacts, name, damage):
    for version in ("v2", "v3"):
        file = artifacts / "releases" / version / name
        whole = file.read_bytes()
        if damage == "remove":
            file.unlink()
        else:
            file.write_bytes(whole[:-1] + (bytes([whole[-1] ^ 1]) if damage == "flip" else b""))
    before = champion_state(artifacts)
    for use in (
        current_champion,
        rollback,
        lambda folder: promote(folder, "v2"),
        lambda folder: verify_release(get_release(folder, "v2")),
    ):
        with pytest.raises(DamagedRelease, match="differs from the digest") as error:
            use(artifacts)
        assert error.value.exit_code == 1
    assert champion_state(artifacts) == before
    assert promote(artifacts, "v1").version == "v1"


def test_a_release_with_something_added_is_refused(artifacts):
    (artifacts / "releases" / "v3" / "more").write_text("")
    with pytest.raises(DamagedRelease):
        current_champion(artifacts)


@pytest.mark.parametrize("text", [None, "", "{", "[]", "{}", '{"files": {}}', "\x00"])
def test_a_damaged_manifest_is_refused_and_hinders_no_other(artifacts, text):
    manifest = artifacts / "releases" / "v3" / "manifest.json"
    manifest.unlink() if text is None else manifest.write_text(text)
    for use in (current_champion, releases, lambda folder: promote(folder, "v3")):
        with pytest.raises(DamagedRelease, match=r"manifest.json cannot be read"):
            use(artifacts)
    assert promote(artifacts, "v2").version == "v2"
    assert current_champion(artifacts).version == "v2"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '"v3"', '{"champion": "v3"}', '{"champion": 1, "history": 2}'])
def test_a_damaged_pointer_is_told(artifacts, text):
    (artifacts / "champion.json").write_text(text)
    for use in (current_champion, rollback, lambda folder: promote(folder, "v1")):
        with pytest.raises(DamagedRelease, match=r"champion.json: expected JSON"):
            use(artifacts)
    (artifacts / "champion.json").unlink()  # as the message says
    assert promote(artifacts, "v2").version == "v2"


def test_a_pointer_that_is_gone_is_no_beginning(artifacts):
    """A run that took it for one would replace a champion that it was never compared with."""
    (artifacts / "champion.json").unlink()
    for use in (current_champion, rollback, next_version):
        with pytest.raises(DamagedRelease, match=r"champion.json: is missing, and there are releases"):
            use(artifacts)
    assert promote(artifacts, "v2").version == "v2"
    assert champion_state(artifacts) == ChampionState("v2", ("v2",), ("v1", "v2", "v3"))


def test_every_turned_bit_of_the_pointer_is_found(artifacts):
    """`v3` and `v2` are one bit apart, and both are JSON."""
    path = artifacts / "champion.json"
    whole = path.read_bytes()
    for place in range(8 * len(whole)):
        path.write_bytes(turned(whole, place))
        if json.loads(whole) != readable_json(path):  # else it is white space that turned
            with pytest.raises(DamagedRelease, match=r"champion.json: expected JSON"):
                champion_state(artifacts)


def turned(content: bytes, bit: int) -> bytes:
    """`content` with one bit the other way round."""
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def readable_json(path: Path) -> object:
    """What a file says, or None."""
    try:
        return json.loads(path.read_bytes())
    except ValueError:
        return None


@pytest.mark.slow
def test_every_turned_bit_of_a_manifest_is_found(artifacts):
    path = artifacts / "releases" / "v3" / "manifest.json"
    manifest = json.loads(path.read_text())
    seal_folder(path.parent, {**manifest, "format": 2})
    whole = path.read_bytes()
    for place in range(8 * len(whole)):
        path.write_bytes(turned(whole, place))
        if json.loads(whole) != readable_json(path):
            with pytest.raises((DamagedRelease, NewerRelease)):
                current_champion(artifacts)


def test_a_pointer_from_before_there_were_seals_is_read(artifacts):
    path = artifacts / "champion.json"
    told = json.loads(path.read_text())
    del told["seal"]
    path.write_text(json.dumps(told))
    assert current_champion(artifacts).version == "v3"
    assert rollback(artifacts).version == "v2"
    assert "seal" in json.loads(path.read_text())


def test_a_champion_whose_folder_is_gone(artifacts):
    (artifacts / "releases" / "v3").rename(artifacts / "gone")
    with pytest.raises(UnknownRelease, match=r"v3: no such release .* there are v1, v2"):
        current_champion(artifacts)
    assert rollback(artifacts).version == "v2"


def test_the_pointer_moves_in_one_step(artifacts, monkeypatch):
    """A writer that dies before the rename leaves the old pointer, whole."""

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


def test_drafts_are_the_rejected_ones(tmp_path):
    folder = tmp_path / "drafts" / "0123abcd"
    folder.mkdir(parents=True)
    told = {"fingerprint": "f", "status": "rejected", "reasons": ["too weak"], "compared_with": None, "metrics": {}}
    seal_folder(folder, told | parts.FACTS | {"config": {"data": {"rows": 4, "cols": 5}}})
    (tmp_path / "drafts" / "abc").mkdir()  # cut down before it was sealed
    (tmp_path / ".draft-x").mkdir()
    assert [draft.version for draft in rejected_drafts(tmp_path)] == ["0123abcd"]


def test_pointing_names_everyone_that_ever_was_champion_once(artifacts):
    for version in ("v1", "v2", "v1"):
        set_champion(artifacts, version)
    assert champion_state(artifacts).ever == ("v1", "v2", "v3")
    assert champion_state(artifacts).history == ("v1", "v2", "v3", "v1", "v2", "v1")
