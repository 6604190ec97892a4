"""The releases on disk: reading them, and the pointer to the champion.

`history` is the way back that a rollback takes; `ever` names every release that was champion once, so
that one which never was can be told from one that was rolled back.

    artifacts/releases/v3/       a release: complete, sealed by its manifest, never changed
    artifacts/drafts/<digest>/   a rejected draft, kept with the reason
    artifacts/champion.json      {"champion": "v3", "history": ["v1", "v3"], "ever": [...]}
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.config.fingerprints import RELEASE_FORMAT
from tasks.core.errors import DamagedRelease, NewerRelease, UnknownRelease
from tasks.core.stages import verified_manifest
from tasks.registry.manifest import read_manifest

VERSION_NAME = re.compile(r"v[1-9][0-9]*")


@dataclass(frozen=True)
class Release:
    """A release or rejected draft, by its manifest."""

    version: str
    path: Path
    manifest: dict[str, Any]


def releases(artifacts: Path) -> list[Release]:
    """Every release, oldest first. A folder without a readable manifest raises DamagedRelease."""
    return [_read(path) for path in _folders(artifacts).values()]


def readable_releases(artifacts: Path) -> list[Release]:
    """The releases whose manifests can be read: one damaged long ago must not stop every retraining."""
    found = []
    for path in _folders(artifacts).values():
        with contextlib.suppress(DamagedRelease):
            found.append(_read(path))
    return found


def _folders(artifacts: Path) -> dict[str, Path]:
    """The folder of each release by its name, oldest first."""
    found = {path.name: path for path in (artifacts / "releases").glob("v*") if VERSION_NAME.fullmatch(path.name)}
    return dict(sorted(found.items(), key=lambda named: int(named[0][1:])))


def rejected_drafts(artifacts: Path) -> list[Release]:
    """The rejected drafts whose manifests can be read, oldest first."""
    found = []
    for path in (artifacts / "drafts").glob("[0-9a-f]*"):
        with contextlib.suppress(DamagedRelease):
            found.append(_read(path))
    return sorted(found, key=lambda draft: draft.manifest.get("created", ""))


def _read(path: Path) -> Release:
    return Release(path.name, path, read_manifest(path))


def verify_release(release: Release) -> Release:
    """The release, once every file has the digest of its manifest; else DamagedRelease, or NewerRelease."""
    form = release.manifest.get("format", RELEASE_FORMAT)
    if not isinstance(form, int) or form > RELEASE_FORMAT:
        raise NewerRelease(
            f"{release.path}: expected a release of form {RELEASE_FORMAT} at most, found {form}; "
            "a later Kensa made it: update"
        )
    if verified_manifest(release.path) is None:
        raise DamagedRelease(
            f"{release.path}: a file differs from the digest in its manifest; restore it, or promote another release"
        )
    return release


def get_release(artifacts: Path, version: str) -> Release:
    """The release of that name; UnknownRelease names those that exist. Another's damage is no hindrance."""
    folders = _folders(artifacts)
    if version in folders:
        return _read(folders[version])
    names = ", ".join(folders) or "none yet"
    raise UnknownRelease(f"{version}: no such release in {artifacts}; there are {names}")
