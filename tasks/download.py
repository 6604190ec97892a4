"""Finds a source's revision and brings its files: a Hub dataset, a folder, or the demonstration part.

A branch or tag of the Hub is resolved to a commit first; all later steps are pinned to that commit.
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

TABLE_KINDS = ("parquet", "csv", "tsv", "json", "jsonl", "arrow")
TABLE_PATTERNS = [
    *(f"*.{kind}" for kind in TABLE_KINDS),
    *(f"*.{kind}.gz" for kind in ("csv", "tsv", "json", "jsonl")),
]
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def resolve(source: str, revision: str | None, data_folder: Path) -> PinnedSource:
    """Pin `source` (`org/name[@revision]`, a folder, or `demo`) to one revision.

    `data_folder` keeps the commits seen, for runs without a network. Raises UnknownSource, UnknownRevision,
    NoPermission, UnreadableSource or SourceUnreachable.
    """
    if source == "demo":
        return PinnedSource(source, "demo", source, demo_revision())
    folder = Path(source)
    if folder.is_dir():
        return PinnedSource(source, "folder", str(folder.resolve()), _content_revision(folder))
    name, _, revision_in_source = source.partition("@")
    if not REPOSITORY.fullmatch(name) or folder.exists():
        raise UnknownSource(
            f"{source}: expected org/name[@revision] on the Hub, a folder of tables, or demo; found no such folder"
        )
    commit = hub_revision(name, revision or revision_in_source or "main", data_folder)
    return PinnedSource(name, "hub", name, commit)


def download(resolved: PinnedSource) -> DownloadedSource:
    """Bring the files of a pinned source to this machine; nothing to do for a folder or the demo.

    Files that are here already are not fetched again, and an interrupted download continues. Raises as `resolve`.
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
            allow_patterns=[*TABLE_PATTERNS, "README.md"],
        )
    verify_snapshot(Path(folder), title)
    if not any(_tables(Path(folder))):
        kinds = ", ".join(TABLE_KINDS)
        raise UnreadableSource(f"{resolved.source}: expected {kinds} files, found none at this revision")
    return DownloadedSource(resolved, folder)


def _tables(folder: Path) -> Iterator[Path]:
    """The tables below a folder, sorted, without hidden ones."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden and any(path.match(pattern) for pattern in TABLE_PATTERNS):
            yield path


def _content_revision(folder: Path) -> str:
    """The revision of a folder: 40 hex digits of the digest of its tables' names and contents."""
    try:
        contents = [(path.relative_to(folder).as_posix(), file_digest(path)) for path in _tables(folder)]
    except OSError as error:
        raise UnreadableSource(f"{folder}: {error.strerror}; make its files readable") from None
    if not contents:
        raise UnreadableSource(f"{folder}: expected a folder with {', '.join(TABLE_KINDS)} files, found none")
    return hashlib.sha256(json.dumps(contents).encode()).hexdigest()[:40]
