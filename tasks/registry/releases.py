"""The releases and rejected drafts on disk.

artifacts/releases/v3/       a release: complete, sealed by its manifest, never changed
artifacts/drafts/<digest>/   a rejected draft, kept with the reasons
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tasks.core.errors import DamagedRelease, UnknownRelease
from tasks.core.stages import verified_manifest
from tasks.provenance.signatures import require_trusted
from tasks.registry.manifest import ReleaseManifest, is_newer, newer_release, read_manifest

VERSION_NAME = re.compile(r"v[1-9][0-9]*")


@dataclass(frozen=True)
class Release:
    """A release or rejected draft: its name, folder and manifest."""

    version: str
    path: Path
    manifest: ReleaseManifest


def releases(artifacts: Path) -> list[Release]:
    """Every release, oldest first. A folder without a readable manifest raises DamagedRelease."""
    return [read_release(path) for path in release_folders(artifacts).values()]


def readable_releases(artifacts: Path) -> list[Release]:
    """The releases whose manifests can be read: one damaged long ago must not stop every retraining."""
    return _readable(release_folders(artifacts).values())


def rejected_drafts(artifacts: Path) -> list[Release]:
    """The rejected drafts whose manifests can be read, oldest first."""
    drafts = _readable((artifacts / "drafts").glob("[0-9a-f]*"))
    return sorted(drafts, key=lambda draft: draft.manifest.created or "")


def _readable(folders: Iterable[Path]) -> list[Release]:
    readable = []
    for path in folders:
        with contextlib.suppress(DamagedRelease):
            readable.append(read_release(path))
    return readable


def release_folders(artifacts: Path) -> dict[str, Path]:
    """The folder of each release by its name, oldest first."""
    names = {path.name: path for path in (artifacts / "releases").glob("v*") if VERSION_NAME.fullmatch(path.name)}
    return dict(sorted(names.items(), key=lambda item: int(item[0][1:])))


def read_release(path: Path) -> Release:
    """The release or draft in a folder; DamagedRelease where its manifest cannot be read."""
    return Release(path.name, path, read_manifest(path))


def verify_release(release: Release) -> Release:
    """The release, once every file has its SHA-256 of the manifest, and its signature where KENSA_VERIFY_KEY is set.

    Every release is opened by this door. Raises what `require_whole` does, and UntrustedRelease.
    """
    require_whole(release)
    require_trusted(release.path, release.manifest.version)
    return release


def require_whole(release: Release) -> Release:
    """The release, once every file has its SHA-256 of the manifest; else DamagedRelease, or NewerRelease."""
    if is_newer(release.manifest.format):
        raise newer_release(release.path, release.manifest.format)
    if verified_manifest(release.path) is None:
        raise DamagedRelease(
            f"{release.path}: a file differs from the digest in its manifest; restore it, or promote another release"
        )
    return release


def get_release(artifacts: Path, version: str) -> Release:
    """The release of that name; UnknownRelease names those that exist. Damage of another release does not matter."""
    folders = release_folders(artifacts)
    if version in folders:
        return read_release(folders[version])
    names = ", ".join(folders) or "none yet"
    raise UnknownRelease(f"{version}: no such release in {artifacts}; there are {names}")
