"""Whether the Hub's files are what it named: each lies in the client's cache under the digest of its content.

The client compares sizes alone. A proxy that serves another file under the same name, or a disk that turns
a bit, would be trained on; here the file is removed, so that the next try fetches it anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tasks.core.errors import KensaError, NoPermission, SourceUnreachable, UnknownRevision, UnknownSource, UnreadableSource, UnusableFolder
from tasks.core.files import DISK_ERRORS, file_digest, checksum_matches, ensure_writable, add_checksum, write_json
from tasks.core.text import redact
import hashlib
import json
import re

READ_BYTES = 1 << 20


def verify_snapshot(folder: Path, title: str) -> None:
    """Raise SourceUnreachable, which may pass, where a file of a snapshot has not the digest of its name.

    Files that are no links into the client's cache have no such name, and are taken as they are.
    """
    for path in sorted(folder.rglob("*")):
        if not path.is_symlink():
            continue
        blob = path.resolve()
        if blob.is_file() and not matches_blob_name(blob):
            blob.unlink()
            path.unlink()
            raise SourceUnreachable(
                f"{title}: {path.relative_to(folder)} is not what the Hub named; it was removed and is fetched anew"
            )


def matches_blob_name(blob: Path) -> bool:
    """Whether content and name agree: SHA-256 of large files, git's blob id of small ones; True for other names.

    Some mirrors name small files by their plain SHA-1.
    """
    if re.fullmatch(r"[0-9a-f]{64}", blob.name):
        return file_digest(blob) == blob.name
    if not re.fullmatch(r"[0-9a-f]{40}", blob.name):
        return True
    git, plain = hashlib.sha1(b"blob %d\0" % blob.stat().st_size), hashlib.sha1()  # noqa: S324  # git's own
    with blob.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            git.update(chunk)
            plain.update(chunk)
    return blob.name in (git.hexdigest(), plain.hexdigest())


def hub_revision(name: str, revision: str, data: Path) -> str:
    """The commit that a branch or tag points to; without a network, the last one that was seen."""
    from huggingface_hub import HfApi, constants

    head = data / "heads" / f"{name.replace('/', '--')}@{revision.replace('/', '--')}.json"
    if constants.HF_HUB_OFFLINE:
        if known := last_seen_head(head):
            return known
        if re.fullmatch(r"[0-9a-f]{40}", revision):
            return revision
        raise UnknownRevision(
            f"{name}@{revision}: HF_HUB_OFFLINE is set and no earlier run saw this revision; "
            "go online once, or name a commit that was downloaded"
        )
    with translate_hub_errors(f"{name}@{revision}"):
        sha = str(HfApi().dataset_info(name, revision=revision, timeout=30).sha)
    if not re.fullmatch(r"[0-9a-f]{40}", sha):
        raise SourceUnreachable(f"{name}@{revision}: expected a commit from the Hub, found {sha[:60]!r}; try again")
    ensure_writable(head.parent)
    write_json(head, add_checksum({"sha": sha}))
    return sha


def last_seen_head(head: Path) -> str | None:
    """The commit that an earlier run wrote down; None where there is none, or the disk has damaged it."""
    try:
        told = json.loads(head.read_text())
        return told["sha"] if checksum_matches(told) or set(told) == {"sha"} else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


@contextmanager
def translate_hub_errors(title: str) -> Iterator[None]:
    """Say what the Hub's clients raise in Kensa's words, and whether it may pass."""
    from huggingface_hub import errors
    from huggingface_hub.utils import httpx

    try:
        yield
    except errors.LocalEntryNotFoundError as error:
        raise _explained(title, error.__cause__ or error) from None
    except (errors.HfHubHTTPError, httpx.HTTPError, OSError) as error:
        if isinstance(error, OSError) and error.errno in DISK_ERRORS - {None}:
            raise UnusableFolder(f"{title}: cannot be kept ({error.strerror}); make room, or set HF_HOME") from None
        raise _explained(title, error) from None
    except (ValueError, KeyError, TypeError) as error:  # an answer that is no answer, or a name that leads elsewhere
        raise UnreadableSource(
            f"{title}: the Hub's answer cannot be used ({redact(error)}); tell the dataset's owner"
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
