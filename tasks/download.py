"""Finds a source's revision and brings its files: datasets of the Hub, files, archives, addresses, or the demo.

A branch or tag of the Hub is resolved to a commit first; all later steps are pinned to that commit. How a source is
written says tasks/sources/address.py.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from tasks.core.errors import UnknownSource, UnreadableSource
from tasks.core.files import file_digest
from tasks.core.results import DownloadedSource, PinnedSource
from tasks.data.card import read_card
from tasks.data.listing import DECIDED_FILE, TABLE_KINDS, list_tables, other_data, table_kind
from tasks.data.selection import READING_VERSION, card_reading, was_read_otherwise
from tasks.imaging.demo import demo_revision
from tasks.sources.address import HubName, exists, hub_name, is_pattern, split_choice, split_sources
from tasks.sources.files import digest_of_contents, is_archive, pin_archive, pin_files, pin_pattern, unpack
from tasks.sources.hub import fetch_snapshot, hub_head, verify_snapshot


def resolve(source: str, revision: str | None, data_folder: Path) -> PinnedSource:
    """Pin a source, or several with `;` between them, to one revision; `revision` is that of a single Hub dataset.

    `data_folder` keeps the commits seen, for runs without a network, and what is fetched of addresses. Raises
    UnknownSource, UnknownRevision, NoPermission, UnreadableSource, MissingExtra or SourceUnreachable.
    """
    sources = split_sources(source)
    if len(sources) == 1:
        return _resolve_one(sources[0], revision, data_folder)
    if all(Path(part).is_file() and table_kind(part) for part in sources):
        return pin_files([*map(Path, sources)], source)  # as a shell writes a pattern
    parts = tuple(_resolve_one(part, None, data_folder) for part in sources)
    contents = digest_of_contents(["several", *(part.identity for part in parts)])
    return PinnedSource(source, "several", source, contents, parts=parts)


def _resolve_one(source: str, revision: str | None, data_folder: Path) -> PinnedSource:
    text, choice = split_choice(source)
    pinned = _pin(text, revision, data_folder)
    return replace(pinned, source=f"{pinned.source}{choice.text}", choice=choice.text) if choice.text else pinned


def _pin(source: str, revision: str | None, data_folder: Path) -> PinnedSource:
    if source == "demo":
        return PinnedSource(source, "demo", source, demo_revision())
    path = Path(source.removeprefix("file://")) if source.startswith("file://") else Path(source)
    if exists(str(path)):
        return _pin_path(path, source, data_folder)
    if hub := hub_name(source):
        return _pin_hub(hub, revision, data_folder)
    if "://" in source and not source.startswith("file://"):
        from tasks.sources.remote import pin_address

        return pin_address(source, data_folder)
    if is_pattern(source):
        return pin_pattern(str(path))
    raise UnknownSource(
        f"{source}: expected org/name[@revision] on the Hub, a folder, a file, an address such as s3://bucket/folder, "
        "or demo; found no such folder or file"
    )


def _pin_path(path: Path, source: str, data_folder: Path) -> PinnedSource:
    if path.is_dir():
        return PinnedSource(source, "folder", str(path.resolve()), _content_revision(path))
    return pin_archive(path, data_folder) if is_archive(path) else pin_files([path], source)


def _pin_hub(hub: HubName, revision: str | None, data_folder: Path) -> PinnedSource:
    head = hub_head(hub.name, revision or hub.revision or "main", data_folder)
    if hub.path:
        source = f"hf://datasets/{hub.name}/{hub.path}"
        return PinnedSource(source, "hub", hub.name, head.revision, path=hub.path)
    not_fetched = other_data(file for file in head.files if not table_kind(file))
    return PinnedSource(hub.name, "hub", hub.name, head.revision, not_fetched)


def download(resolved: PinnedSource) -> DownloadedSource:
    """Bring the files of a pinned source to this machine; nothing to do for a folder, files or the demo.

    Files that are here already are not fetched again, and an interrupted download continues. Raises as `resolve`.
    """
    if resolved.kind == "several":
        return DownloadedSource(resolved, "", parts=tuple(map(download, resolved.parts)))
    if resolved.kind in ("demo", "folder", "files"):
        return DownloadedSource(resolved, "" if resolved.kind == "demo" else resolved.location, resolved.names or None)
    if resolved.kind == "archive":
        folder = unpack(Path(resolved.location), resolved.revision, Path(resolved.keep), resolved.source)
        return DownloadedSource(resolved, str(folder))
    if resolved.kind == "address":
        from tasks.sources.remote import fetch

        folder, names = fetch(resolved)
        return DownloadedSource(resolved, str(folder), names)
    return _download_hub(resolved)


def _download_hub(resolved: PinnedSource) -> DownloadedSource:
    folder = fetch_snapshot(resolved.location, resolved.revision, resolved.path)
    verify_snapshot(folder, f"{resolved.location}@{resolved.revision}")
    if resolved.path and not (folder / resolved.path).is_dir():
        paths = sorted(path for path in folder.glob(resolved.path) if path.is_file() and table_kind(path.name))
        names = tuple(path.relative_to(folder).as_posix() for path in paths)
        return DownloadedSource(resolved, str(folder), _require_tables(names, resolved))
    folder /= resolved.path
    _require_tables(list_tables(folder).tables, resolved)
    return DownloadedSource(resolved, str(folder))


def _require_tables(names: tuple[str, ...], resolved: PinnedSource) -> tuple[str, ...]:
    if not names:
        files = _none_but(resolved.not_fetched)
        raise UnreadableSource(
            f"{resolved.source}: expected {', '.join(TABLE_KINDS)} files, found {files} at this revision"
        )
    return names


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
        if (folder / DECIDED_FILE).is_file():
            contents += [("labels that people decided", file_digest(folder / DECIDED_FILE))]
    except OSError as error:
        raise UnreadableSource(f"{folder}: {error.strerror}; make its files readable") from None
    return hashlib.sha256(json.dumps(contents).encode()).hexdigest()[:40]
