"""Finds a source's revision and brings its files: a Hub dataset, a folder, or the demonstration part.

A branch or tag of the Hub is resolved to a commit first; all later steps are pinned to that commit.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from tasks.core.errors import UnknownSource, UnreadableSource
from tasks.core.files import file_digest
from tasks.core.results import DownloadedSource, PinnedSource
from tasks.data.card import read_card
from tasks.data.listing import TABLE_KINDS, list_tables, other_data, table_kind
from tasks.data.selection import READING_VERSION, card_reading, was_read_otherwise
from tasks.imaging.demo import demo_revision
from tasks.sources.hub import fetch_snapshot, hub_head, verify_snapshot

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
    head = hub_head(name, revision or revision_in_source or "main", data_folder)
    not_fetched = other_data(file for file in head.files if not table_kind(file))
    return PinnedSource(name, "hub", name, head.revision, not_fetched)


def download(resolved: PinnedSource) -> DownloadedSource:
    """Bring the files of a pinned source to this machine; nothing to do for a folder or the demo.

    Files that are here already are not fetched again, and an interrupted download continues. Raises as `resolve`.
    """
    if resolved.kind == "demo":
        return DownloadedSource(resolved, "")
    if resolved.kind == "folder":
        return DownloadedSource(resolved, resolved.location)
    folder = fetch_snapshot(resolved.location, resolved.revision)
    verify_snapshot(folder, f"{resolved.location}@{resolved.revision}")
    if not list_tables(folder).tables:
        files = _none_but(resolved.not_fetched)
        raise UnreadableSource(
            f"{resolved.source}: expected {', '.join(TABLE_KINDS)} files, found {files} at this revision"
        )
    return DownloadedSource(resolved, str(folder))


def _none_but(others: tuple[str, ...]) -> str:
    return f"none, but {', '.join(others[:4])}" if others else "none"


def _content_revision(folder: Path) -> str:
    """The revision of a folder: 40 hex digits of the digest of its tables' names and contents.

    What its card decides counts, too. Tables that an earlier version read otherwise have another revision, so that
    what it stored is not used.
    """
    listing = list_tables(folder)
    if not listing.tables:
        kinds, files = ", ".join(TABLE_KINDS), _none_but(listing.others)
        raise UnreadableSource(f"{folder}: expected a folder with {kinds} files, found {files}")
    try:
        card = read_card(folder, str(folder))
        names = sorted(listing.tables, key=lambda name: name.split("/"))
        contents: list[Any] = [(name, file_digest(folder / name)) for name in names]
        contents += [("reading", str(READING_VERSION))] if was_read_otherwise(listing, card) else []
        contents += card_reading(listing, card)
    except OSError as error:
        raise UnreadableSource(f"{folder}: {error.strerror}; make its files readable") from None
    return hashlib.sha256(json.dumps(contents).encode()).hexdigest()[:40]
