"""How a draft becomes a release: all or nothing, under a name that no other has or had."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import inspected_parts as parts
from support.releases import manifest

from tasks.core import stages
from tasks.core.errors import DamagedRelease
from tasks.core.stages import scratch_folder, verified_manifest
from tasks.registry.champion import champion_state, promote, rollback
from tasks.registry.manifest import ReleaseManifest
from tasks.registry.placement import next_version, place
from tasks.registry.releases import Release, rejected_drafts, releases


def placed(artifacts: Path, **changes: object) -> Release:
    """A release of one file, placed as `publish` does it."""
    artifacts.mkdir(exist_ok=True)
    with scratch_folder(artifacts, "draft") as draft:
        (draft / "model.keras").write_bytes(b"weights")

        def write_pages(numbered: ReleaseManifest) -> None:
            (draft / "README.md").write_text(f"kensa {numbered.version}")

        return place(draft, artifacts, manifest(version="", **changes), write_pages)


def left_over(artifacts: Path) -> list[Path]:
    """Half-made drafts."""
    return list(artifacts.glob(".draft*"))


def test_a_release_is_numbered_described_sealed_and_verified(tmp_path):
    first, second = placed(tmp_path), placed(tmp_path, fingerprint="e" * 64)
    assert (first.version, second.version) == ("v1", "v2")
    assert first.path == tmp_path / "releases" / "v1"
    assert (second.path / "README.md").read_text() == "kensa v2"
    assert verified_manifest(second.path)["version"] == second.manifest.version == "v2"
    assert set(second.manifest.files) == {"model.keras", "README.md", "sbom.json"}
    assert releases(tmp_path) == [first, second]
    assert not left_over(tmp_path)


def test_the_pointer_is_written_before_the_first_release_and_names_none(tmp_path):
    placed(tmp_path)
    assert (tmp_path / "champion.json").exists()
    assert champion_state(tmp_path).champion is None


def test_a_rejected_draft_has_the_name_of_its_fingerprint_and_is_replaced_by_the_same_run(tmp_path):
    for reason in ("too weak", "still too weak"):
        draft = placed(tmp_path, status="rejected", reasons=(reason,))
    assert draft.path == tmp_path / "drafts" / ("f" * 16)
    assert [draft.manifest.reasons for draft in rejected_drafts(tmp_path)] == [("still too weak",)]
    assert releases(tmp_path) == []
    assert not (tmp_path / "champion.json").exists()


def test_a_failure_before_the_rename_leaves_nothing(tmp_path, monkeypatch):
    def dying(folder: Path, facts: dict) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tasks.registry.placement.seal_folder", dying)
    with pytest.raises(KeyboardInterrupt):
        placed(tmp_path)
    assert releases(tmp_path) == left_over(tmp_path) == []


def test_a_file_that_was_damaged_on_its_way_is_found(tmp_path, monkeypatch):
    def careless(folder: Path, facts: dict) -> None:
        stages.seal_folder(folder, facts)
        (folder / "model.keras").write_bytes(b"other")

    monkeypatch.setattr("tasks.registry.placement.seal_folder", careless)
    with pytest.raises(DamagedRelease, match="a file differs from the digest"):
        placed(tmp_path)


def test_names_follow_the_highest_number(tmp_path):
    assert next_version(tmp_path) == "v1"
    for version in ("v9", "v10"):
        parts.release(tmp_path, version)
    promote(tmp_path, "v9")
    assert next_version(tmp_path) == "v11"


def test_the_name_of_a_removed_champion_is_not_given_again(tmp_path):
    """`history` and `ever` would speak of another model under the same name."""
    for version in ("v1", "v2"):
        parts.release(tmp_path, version)
        promote(tmp_path, version)
    rollback(tmp_path)
    (tmp_path / "releases" / "v2").rename(tmp_path / "gone")
    assert next_version(tmp_path) == "v3"
