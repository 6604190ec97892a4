"""What may go: stage folders, sweeps and drafts that nothing needs any more, by one rule for each.

    stages, caches   kept: those that a release, a draft or a living training names, and the newest `keep` of
                     each kind; never one that is younger than DAYS
    damaged          every `<name>.damaged`; they are kept for inspection until here
    drafts           rejected models: the newest `keep` stay
    sweeps           concluded searches: the newest `keep` stay
    half-written     what killed processes left, older than DAYS; also from another machine

A release is never touched, nor the pointer, the frozen sets, the ledger or the client's cache of the Hub.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tasks.core.files import translate_disk_errors
from tasks.core.stages import MANIFEST
from tasks.registry.champion import champion_state, exclusive_run, registry_lock
from tasks.registry.releases import readable_releases, rejected_drafts

SECONDS_A_DAY = 2  # longer than any run: what it makes and reads is younger
STAGE_NAME = re.compile(r"([a-z-]+)-[0-9a-f]{16}")
HALF_WRITTEN = re.compile(r"\.(.+-[0-9a-f]{8}-\d+-\w+|training-[0-9a-f]{16}(\.writing)?\.npz|reading-\w+)")


@dataclass(frozen=True)
class Removable:
    """A folder or file that may go: its path, why, and the bytes that it frees."""

    path: Path
    why: str
    size: int


def find_removable(data: Path, artifacts: Path, keep: int, days: float = SECONDS_A_DAY) -> list[Removable]:
    """All that may go, largest kind first by name; nothing is changed.

    Raises DamagedRelease where the pointer cannot be read: then nobody knows what is needed.
    """
    before = time.time() - days * 24 * 3600
    places = release_roots(artifacts)
    for place in places:
        champion_state(place)
    found = [*_stages(data, places, keep, before), *_damaged(data)]
    for place in places:
        found += [*_drafts(place, keep, before), *_sweeps(place, keep, before)]
    return [*found, *_half_written(data, places, before)]


def release_roots(artifacts: Path) -> list[Path]:
    """The folder itself, and those of the product lines below it: they share one folder of stages."""
    below = (
        path for path in sorted(artifacts.glob("[!.]*")) if (path / "releases").exists() or (path / "drafts").exists()
    )
    return [artifacts, *below]


def prune(data: Path, artifacts: Path, keep: int, days: float = SECONDS_A_DAY) -> list[Removable]:
    """Remove what may go, while no run retrains into these folders; returns it. Raises UnusableFolder.

    Each goes under another name first: one that is half removed is never taken for whole.
    """
    with ExitStack() as held:
        for place in release_roots(artifacts):
            held.enter_context(exclusive_run(place))
            held.enter_context(registry_lock(place))
        found = find_removable(data, artifacts, keep, days)
        for one in found:
            with translate_disk_errors(one.path.parent):
                _remove(one.path)
    return found


def _remove(path: Path) -> None:
    if not path.is_dir():
        path.unlink(missing_ok=True)
        return
    going = path if path.name.startswith(".") else path.with_name(f".going-{path.name}-00000000-{os.getpid()}-x")
    if going != path:
        path.rename(going)
    shutil.rmtree(going)


def _stages(data: Path, places: list[Path], keep: int, before: float) -> Iterator[Removable]:
    needed = set().union(*map(_needed, places))
    by_kind: dict[str, list[Path]] = {}
    for folder in [*(data / "stages").glob("*"), *(data / "cache").glob("*")]:
        if (kind := STAGE_NAME.fullmatch(folder.name)) and folder.is_dir():
            by_kind.setdefault(kind[1], []).append(folder)
    for folders in by_kind.values():
        for folder in sorted(folders, key=_used, reverse=True)[keep:]:
            if folder.name not in needed and _used(folder) < before:
                yield Removable(folder, "no release, draft or newer run needs it", _size(folder))


def _needed(artifacts: Path) -> set[str]:
    """The names of the stage folders that releases and drafts were made of."""
    kinds = {"cache": "records"}
    return {
        f"{kinds.get(kind, kind)}-{digest[:16]}"
        for one in [*readable_releases(artifacts), *rejected_drafts(artifacts)]
        for kind, digest in one.manifest.get("stages", {}).items()
    }


def _used(folder: Path) -> float:
    """When the folder was last made, in seconds since the epoch."""
    manifest = folder / MANIFEST
    return (manifest if manifest.exists() else folder).stat().st_mtime


def _damaged(data: Path) -> Iterator[Removable]:
    for folder in [*(data / "stages").glob("*.damaged"), *(data / "cache").glob("*.damaged")]:
        yield Removable(folder, "set aside as damaged", _size(folder))


def _drafts(artifacts: Path, keep: int, before: float) -> Iterator[Removable]:
    for draft in rejected_drafts(artifacts)[::-1][keep:]:
        if _used(draft.path) < before:
            yield Removable(draft.path, "a rejected draft", _size(draft.path))


def _sweeps(artifacts: Path, keep: int, before: float) -> Iterator[Removable]:
    folders = sorted((path for path in (artifacts / "sweeps").glob("[!.]*") if path.is_dir()), key=_used, reverse=True)
    for folder in folders[keep:]:
        if _used(folder) < before:
            yield Removable(folder, "a concluded sweep", _size(folder))


def _half_written(data: Path, places: list[Path], before: float) -> Iterator[Removable]:
    sweeps = [place / "sweeps" for place in places]
    for place in (data, data / "stages", data / "cache", data / "heads", *places, *sweeps):
        for path in place.glob(".*"):
            if HALF_WRITTEN.fullmatch(path.name) and path.stat().st_mtime < before:
                yield Removable(path, "half-written by a process that died", _size(path))


def _size(path: Path) -> int:
    """The bytes that go with it; a file that has another name stays on the disk."""
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return sum(told.st_size for told in (one.stat() for one in files) if told.st_nlink == 1)
