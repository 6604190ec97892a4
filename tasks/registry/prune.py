"""What may be removed: stages, sweeps and drafts that nothing refers to any more, by one rule for each.

    stages, caches,
    fetched sources  all but those that a release or draft refers to, the newest `keep` of each kind, and
                     those younger than `days`: a run may use them
    damaged          every `<name>.damaged`; they are kept for inspection until here
    drafts           all but the newest `keep` rejected ones, and those younger than `days`
    sweeps           all but the newest `keep` finished ones, and those younger than `days`
    pieces           of caches that a killed run has not finished, older than `days`
    half-written     what killed processes of any machine left, older than `days`
    verdicts         only where it is asked for: tables in `traces/` that were last written `traces` days ago

Releases, the pointer, the journal, the frozen sets, the ledger and the Hub client's cache are never touched.
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

from tasks.caching.pieces import PIECE_STAGE
from tasks.core.authorship import Authorship
from tasks.core.files import translate_disk_errors
from tasks.core.stages import MANIFEST
from tasks.registry.champion import champion_state, exclusive_run, registry_lock
from tasks.registry.journal import Entry
from tasks.registry.journal_events import announce, bring_up_to_date, utc_now
from tasks.registry.releases import readable_releases, rejected_drafts

DAY_SECONDS = 24 * 3600
MIN_AGE_DAYS = 2  # longer than any run: what a run makes and reads is younger
STAGE_NAME = re.compile(r"([a-z-]+)-[0-9a-f]{16}")
STAGE_FOLDERS = ("stages", "cache", "sources")  # the last: what was fetched or unpacked, which a run makes again
TRACES = "traces"  # of the artifacts: tables of verdicts (tasks/scoring/traces.py)
FOLDER_KINDS = {"cache": "records"}  # how the folder of a stage begins where it does not begin with the stage's name
HALF_WRITTEN = re.compile(r"\.(.+-[0-9a-f]{8}-\d+-\w+|training-[0-9a-f]{16}(\.writing)?\.npz|reading-\w+)")


@dataclass(frozen=True)
class Removable:
    """A folder or file that may be removed: its path, the reason, and the bytes that it frees."""

    path: Path
    why: str
    size: int


def find_removable(
    data: Path, artifacts: Path, keep: int, days: float = MIN_AGE_DAYS, traces: float | None = None
) -> list[Removable]:
    """All that may be removed; nothing is changed. traces: days after which verdicts go; None keeps them.

    Raises DamagedRelease where the pointer cannot be read: then it is unknown what is still used.
    """
    before = time.time() - days * DAY_SECONDS
    roots = release_roots(artifacts)
    for root in roots:
        champion_state(root)
    removable = [*_stages(data, roots, keep, before), *_damaged(data)]
    for root in roots:
        removable += [*_drafts(root, keep, before), *_sweeps(root, keep, before)]
        if traces is not None:
            removable += _traces(root, time.time() - traces * DAY_SECONDS)
    return [*removable, *_half_written(data, roots, before)]


def release_roots(artifacts: Path) -> list[Path]:
    """The folder itself, and those of the product lines below it, which share its stages."""
    folders = sorted(artifacts.glob("[!.]*"))
    return [artifacts, *(path for path in folders if (path / "releases").exists() or (path / "drafts").exists())]


def prune(
    data: Path,
    artifacts: Path,
    keep: int,
    days: float = MIN_AGE_DAYS,
    author: Authorship | None = None,
    traces: float | None = None,
) -> list[Removable]:
    """Remove all that may be removed, while no run retrains into these folders; returns it. Raises UnusableFolder.

    A folder is renamed before it is removed: one that is half removed never has the name of a whole one. The journal of
    each line says which of its drafts, sweeps and verdicts went.
    """
    with ExitStack() as locks:
        for root in release_roots(artifacts):
            locks.enter_context(exclusive_run(root))
            locks.enter_context(registry_lock(root))
        removable = find_removable(data, artifacts, keep, days, traces)
        for root in release_roots(artifacts):
            _announce(root, removable, author or Authorship.of())
        for item in removable:
            with translate_disk_errors(item.path.parent):
                _remove(item.path)
        for root in release_roots(artifacts):
            bring_up_to_date(root)
    return removable


def _announce(root: Path, removable: list[Removable], author: Authorship) -> None:
    """Note which drafts, sweeps and tables of verdicts of a line are about to be deleted."""
    shelves = {root / "drafts", root / "sweeps"}
    going = [
        item
        for item in removable
        if (item.path.parent in shelves or root / TRACES in item.path.parents) and not item.path.name.startswith(".")
    ]
    bring_up_to_date(root)
    if going:
        when, paths = utc_now(), [item.path.relative_to(root).as_posix() for item in going]
        facts = {"paths": paths, "bytes": sum(item.size for item in going)}
        values = {"when": when, "by": author.by, "why": author.why, "run": author.run}
        announce(root, Entry(event="pruned", subject="", key=f"pruned {when}", **values, facts=facts))


def _remove(path: Path) -> None:
    if not path.is_dir():
        path.unlink(missing_ok=True)
        return
    if not path.name.startswith("."):
        path = path.rename(path.with_name(f".going-{path.name}-00000000-{os.getpid()}-x"))
    shutil.rmtree(path)


def _stages(data: Path, roots: list[Path], keep: int, before: float) -> Iterator[Removable]:
    used = set().union(*map(_used_stages, roots))
    by_kind: dict[str, list[Path]] = {}
    for folder in [path for name in STAGE_FOLDERS for path in (data / name).glob("*")]:
        if (match := STAGE_NAME.fullmatch(folder.name)) and folder.is_dir():
            by_kind.setdefault(match[1], []).append(folder)
    for kind, folders in by_kind.items():
        for folder in _older(folders, 0 if kind == PIECE_STAGE else keep, before):
            if folder.name not in used:
                yield Removable(folder, "used by no release, draft or newer run", _size(folder))


def _used_stages(artifacts: Path) -> set[str]:
    """The names of the stage folders from which releases and drafts were made."""
    return {
        f"{FOLDER_KINDS.get(stage, stage)}-{digest[:16]}"
        for release in [*readable_releases(artifacts), *rejected_drafts(artifacts)]
        for stage, digest in release.manifest.stages.items()
    }


def _older(folders: list[Path], keep: int, before: float) -> list[Path]:
    """The folders but for the newest `keep` and those made after the time `before`."""
    return [folder for folder in sorted(folders, key=_made_at, reverse=True)[keep:] if _made_at(folder) < before]


def _made_at(folder: Path) -> float:
    """When the folder was made, in seconds since the epoch."""
    manifest = folder / MANIFEST
    return (manifest if manifest.exists() else folder).stat().st_mtime


def _damaged(data: Path) -> Iterator[Removable]:
    for folder in [path for name in STAGE_FOLDERS for path in (data / name).glob("*.damaged")]:
        yield Removable(folder, "set aside as damaged", _size(folder))


def _drafts(artifacts: Path, keep: int, before: float) -> Iterator[Removable]:
    for draft in rejected_drafts(artifacts)[::-1][keep:]:
        if _made_at(draft.path) < before:
            yield Removable(draft.path, "a rejected draft", _size(draft.path))


def _sweeps(artifacts: Path, keep: int, before: float) -> Iterator[Removable]:
    folders = [path for path in (artifacts / "sweeps").glob("[!.]*") if path.is_dir()]
    for folder in _older(folders, keep, before):
        yield Removable(folder, "a finished sweep", _size(folder))


def _traces(artifacts: Path, before: float) -> Iterator[Removable]:
    for table in sorted((artifacts / TRACES).rglob("[!.]*.parquet")):
        if table.stat().st_mtime < before:
            yield Removable(table, "verdicts, no longer traced", _size(table))


def _half_written(data: Path, roots: list[Path], before: float) -> Iterator[Removable]:
    sweeps = [root / "sweeps" for root in roots]
    for place in (data, *(data / name for name in STAGE_FOLDERS), data / "heads", *roots, *sweeps):
        for path in place.glob(".*"):
            if HALF_WRITTEN.fullmatch(path.name) and path.stat().st_mtime < before:
                yield Removable(path, "half-written by a process that ended", _size(path))


def _size(path: Path) -> int:
    """The bytes that removing it frees; a file that has another name stays on the disk."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(status.st_size for status in (file.stat() for file in files) if status.st_nlink == 1)
