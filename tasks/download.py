"""Finds a source's revision and brings its files: a Hub dataset, a folder, or the demonstration part.

The head of a Hub branch is resolved to a commit first, and everything after is pinned to that commit.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.config import Retrain
from tasks.demo import demo_revision
from tasks.errors import (
    KensaError,
    NoPermission,
    SourceUnreachable,
    UnknownRevision,
    UnknownSource,
    UnreadableSource,
    UnusableFolder,
)
from tasks.fetched import require_as_named
from tasks.handover import Downloaded, Resolved
from tasks.hubwords import harmless
from tasks.stages import DISK, file_digest, seal_holds, usable, with_seal, write_json

TABLES = ("parquet", "csv", "tsv", "json", "jsonl", "arrow")
PATTERNS = [f"*.{kind}" for kind in TABLES] + [f"*.{kind}.gz" for kind in ("csv", "tsv", "json", "jsonl")]
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def resolve(source: str, revision: str | None, config: Retrain) -> Resolved:
    """Pin `source` (`org/name[@revision]`, a folder, or `demo`) to one revision.

    Raises UnknownSource, UnknownRevision, NoPermission, UnreadableSource or SourceUnreachable.
    """
    if source == "demo":
        return Resolved(source, "demo", source, demo_revision())
    if Path(source).is_dir():
        return Resolved(source, "folder", str(Path(source).resolve()), _folder_revision(Path(source)))
    name, _, asked = source.partition("@")
    if not REPOSITORY.fullmatch(name) or Path(source).exists():
        raise UnknownSource(
            f"{source}: expected org/name[@revision] on the Hub, a folder of tables, or demo; found no such folder"
        )
    sha = _hub_revision(name, revision or asked or "main", Path(config.data_folder))
    return Resolved(name, "hub", name, sha)


def download(resolved: Resolved) -> Downloaded:
    """Bring the files of a pinned source to this machine; nothing to do for a folder or the demo.

    Files that are here already are not fetched again, and a cut download goes on where it stopped.
    """
    if resolved.kind == "demo":
        return Downloaded(resolved, "")
    if resolved.kind == "folder":
        return Downloaded(resolved, resolved.location)
    from huggingface_hub import snapshot_download

    title = f"{resolved.location}@{resolved.revision}"
    with told(title):
        folder = snapshot_download(
            resolved.location,
            repo_type="dataset",
            revision=resolved.revision,
            allow_patterns=[*PATTERNS, "README.md"],
        )
    require_as_named(Path(folder), title)
    if not any(_tables(Path(folder))):
        raise UnreadableSource(f"{resolved.source}: expected {', '.join(TABLES)} files, found none at this revision")
    return Downloaded(resolved, folder)


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


def _hub_revision(name: str, revision: str, data: Path) -> str:
    """The commit that a branch or tag points to; without a network, the last one that was seen."""
    from huggingface_hub import HfApi, constants

    head = data / "heads" / f"{name.replace('/', '--')}@{revision.replace('/', '--')}.json"
    if constants.HF_HUB_OFFLINE:
        if known := _seen(head):
            return known
        if re.fullmatch(r"[0-9a-f]{40}", revision):
            return revision
        raise UnknownRevision(
            f"{name}@{revision}: HF_HUB_OFFLINE is set and no earlier run saw this revision; "
            "go online once, or name a commit that was downloaded"
        )
    with told(f"{name}@{revision}"):
        sha = str(HfApi().dataset_info(name, revision=revision, timeout=30).sha)
    if not re.fullmatch(r"[0-9a-f]{40}", sha):
        raise SourceUnreachable(f"{name}@{revision}: expected a commit from the Hub, found {sha[:60]!r}; try again")
    usable(head.parent)
    write_json(head, with_seal({"sha": sha}))
    return sha


def _seen(head: Path) -> str | None:
    """The commit that an earlier run wrote down; None where there is none, or the disk has damaged it."""
    try:
        told = json.loads(head.read_text())
        return told["sha"] if seal_holds(told) or set(told) == {"sha"} else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


@contextmanager
def told(title: str) -> Iterator[None]:
    """Say what the Hub's clients raise in Kensa's words, and whether it may pass."""
    from huggingface_hub import errors
    from huggingface_hub.utils import httpx

    try:
        yield
    except errors.LocalEntryNotFoundError as error:
        raise _explained(title, error.__cause__ or error) from None
    except (errors.HfHubHTTPError, httpx.HTTPError, OSError) as error:
        if isinstance(error, OSError) and error.errno in DISK - {None}:
            raise UnusableFolder(f"{title}: cannot be kept ({error.strerror}); make room, or set HF_HOME") from None
        raise _explained(title, error) from None
    except (ValueError, KeyError, TypeError) as error:  # an answer that is no answer, or a name that leads elsewhere
        raise UnreadableSource(
            f"{title}: the Hub's answer cannot be used ({harmless(error)}); tell the dataset's owner"
        ) from None


def _explained(title: str, error: BaseException) -> KensaError:
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):  # before its base class, RepositoryNotFoundError
        return NoPermission(f"{title}: the dataset is gated; ask for access on its page and set HF_TOKEN")
    if isinstance(error, errors.RevisionNotFoundError):
        return UnknownRevision(f"{title}: expected a branch, tag or commit of the dataset, found none of that name")
    if isinstance(error, errors.RepositoryNotFoundError):
        return UnknownSource(f"{title}: no such dataset on the Hub, or a private one; check the name, or set HF_TOKEN")
    if isinstance(error, errors.OfflineModeIsEnabled):
        return UnreadableSource(f"{title}: HF_HUB_OFFLINE is set and its files are not on this machine; go online once")
    if isinstance(error, errors.HfHubHTTPError):
        return _by_status(title, error.response.status_code)
    return SourceUnreachable(
        f"{title}: no answer from the Hub ({type(error).__name__}); check the network and HF_ENDPOINT"
    )


def _by_status(title: str, status: int) -> KensaError:
    if status in {401, 403}:
        return NoPermission(f"{title}: the Hub answers {status}; set an HF_TOKEN that may read this dataset")
    return SourceUnreachable(f"{title}: the Hub answers {status}; try again later")
