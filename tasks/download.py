"""Finds a source's revision and brings its files: a Hub dataset, a folder, or the demonstration part.

The head of a Hub branch is resolved to a commit first, and everything after is pinned to that commit.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from tasks.core.errors import UnknownSource, UnreadableSource
from tasks.core.files import file_digest
from tasks.core.results import DownloadedSource, PinnedSource
from tasks.data.hub import hub_revision, translate_hub_errors, verify_snapshot
from tasks.imaging.demo import demo_revision

TABLES = ("parquet", "csv", "tsv", "json", "jsonl", "arrow")


PATTERNS = [f"*.{kind}" for kind in TABLES] + [f"*.{kind}.gz" for kind in ("csv", "tsv", "json", "jsonl")]


REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def resolve(source: str, revision: str | None, data_folder: Path) -> PinnedSource:
    """Pin `source` (`org/name[@revision]`, a folder, or `demo`) to one revision; `data_folder` keeps the heads seen.

    Raises UnknownSource, UnknownRevision, NoPermission, UnreadableSource or SourceUnreachable.
    """
    if source == "demo":
        return PinnedSource(source, "demo", source, demo_revision())
    if Path(source).is_dir():
        return PinnedSource(source, "folder", str(Path(source).resolve()), _folder_revision(Path(source)))
    name, _, asked = source.partition("@")
    if not REPOSITORY.fullmatch(name) or Path(source).exists():
        raise UnknownSource(
            f"{source}: expected org/name[@revision] on the Hub, a folder of tables, or demo; found no such folder"
        )
    sha = hub_revision(name, revision or asked or "main", data_folder)
    return PinnedSource(name, "hub", name, sha)


def download(resolved: PinnedSource) -> DownloadedSource:
    """Bring the files of a pinned source to this machine; nothing to do for a folder or the demo.

    Files that are here already are not fetched again, and a cut download goes on where it stopped.
    """
    if resolved.kind == "demo":
        return DownloadedSource(resolved, "")
    if resolved.kind == "folder":
        return DownloadedSource(resolved, resolved.location)
    from huggingface_hub import snapshot_download

    title = f"{resolved.location}@{resolved.revision}"
    with translate_hub_errors(title):
        folder = snapshot_download(
            resolved.location,
            repo_type="dataset",
            revision=resolved.revision,
            allow_patterns=[*PATTERNS, "README.md"],
        )
    verify_snapshot(Path(folder), title)
    if not any(_tables(Path(folder))):
        raise UnreadableSource(f"{resolved.source}: expected {', '.join(TABLES)} files, found none at this revision")
    return DownloadedSource(resolved, folder)


def _tables(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden and any(path.match(pattern) for pattern in PATTERNS):
            yield path


def _folder_revision(folder: Path) -> str:
    """SHA-1-sized digest of the names and contents of a folder's tables."""
    try:
        known = [(path.relative_to(folder).as_posix(), file_digest(path)) for path in _tables(folder)]
    except OSError as error:
        raise UnreadableSource(f"{folder}: {error.strerror}; make its files readable") from None
    if not known:
        raise UnreadableSource(f"{folder}: expected a folder with {', '.join(TABLES)} files, found none")
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:40]
