"""The releases on disk: listed in their order, and verified before use."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support import inspected_parts as parts
from support.releases import manifest, reseal

from tasks.core.errors import DamagedRelease, NewerRelease, UnknownRelease
from tasks.core.stages import MANIFEST, seal_folder
from tasks.registry.champion import current_champion, promote, rollback
from tasks.registry.releases import get_release, readable_releases, rejected_drafts, releases, verify_release

FILES = ("model.keras", "anchors.npz", "split.npz", "threshold.json", "report.json", "report.html", "README.md")


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Path:
    """Releases v1 and v2, which is the champion; not to be changed: copy it."""
    folder = tmp_path_factory.mktemp("two")
    for version in ("v1", "v2"):
        parts.release(folder, version)
        promote(folder, version)
    return folder


@pytest.fixture
def artifacts(two, tmp_path) -> Path:
    """A copy of the two releases."""
    return Path(shutil.copytree(two, tmp_path / "artifacts"))


def test_there_are_none_before_the_first(tmp_path):
    assert releases(tmp_path) == readable_releases(tmp_path) == rejected_drafts(tmp_path) == []


def test_releases_are_ordered_by_number(tmp_path):
    for number in (10, 9, 2, 1):
        parts.release(tmp_path, f"v{number}")
    for strange in ("v0", "v01", "vx", "v1.damaged", "v²"):
        (tmp_path / "releases" / strange).mkdir()
    assert [release.version for release in releases(tmp_path)] == ["v1", "v2", "v9", "v10"]


def test_drafts_are_the_rejected_ones_oldest_first(tmp_path):
    for name, created in (("0123abcd", "2026-02-01"), ("ffff0000", "2026-01-01")):
        (tmp_path / "drafts" / name).mkdir(parents=True)
        seal_folder(tmp_path / "drafts" / name, manifest(status="rejected", created=created).as_json())
    (tmp_path / "drafts" / "abc").mkdir()  # its run ended before it was sealed
    (tmp_path / ".draft-x").mkdir()
    assert [draft.version for draft in rejected_drafts(tmp_path)] == ["ffff0000", "0123abcd"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_a_release_with_a_damaged_file_is_refused_everywhere(artifacts, name, damage):
    file = artifacts / "releases" / "v2" / name
    content = file.read_bytes()
    if damage == "remove":
        file.unlink()
    else:
        file.write_bytes(content[:-1] + (bytes([content[-1] ^ 1]) if damage == "flip" else b""))
    for use in (current_champion, lambda folder: promote(folder, "v2")):
        with pytest.raises(DamagedRelease, match="differs from the digest") as error:
            use(artifacts)
        assert error.value.exit_code == 1
    assert rollback(artifacts).version == "v1"
    with pytest.raises(DamagedRelease, match="differs from the digest"):
        promote(artifacts, "v2")


def test_a_release_with_something_added_is_refused(artifacts):
    (artifacts / "releases" / "v2" / "more").write_text("")
    with pytest.raises(DamagedRelease):
        current_champion(artifacts)


def test_a_damaged_manifest_is_refused_and_hinders_no_other(artifacts):
    (artifacts / "releases" / "v2" / MANIFEST).write_text("{")
    for use in (current_champion, releases, lambda folder: promote(folder, "v2")):
        with pytest.raises(DamagedRelease, match=r"manifest.json cannot be read"):
            use(artifacts)
    assert [release.version for release in readable_releases(artifacts)] == ["v1"]
    assert promote(artifacts, "v1").version == "v1"


def test_a_release_of_a_later_kensa_is_listed_and_refused(artifacts):
    reseal(artifacts / "releases" / "v2", format=99)
    assert [release.version for release in releases(artifacts)] == ["v1", "v2"]
    with pytest.raises(NewerRelease, match="expected a release of format 2 at most, found 99; a later Kensa") as error:
        verify_release(get_release(artifacts, "v2"))
    assert error.value.exit_code == 2


def test_an_unknown_release_names_those_that_exist(artifacts):
    with pytest.raises(UnknownRelease, match=r"v9: no such release in .*; there are v1, v2$"):
        get_release(artifacts, "v9")
