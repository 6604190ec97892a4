"""The Hub: which commit a revision is, whether the files are what it named, and its errors in Kensa's words.

The Hub's client compares only the sizes of files. A proxy that serves another file under the same name, or a disk
that turns a bit, would be trained on: here each file's digest is compared with its name in the client's cache.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tasks.core.errors import (
    KensaError,
    NoPermission,
    SourceUnreachable,
    UnknownRepository,
    UnknownRevision,
    UnknownSource,
    UnreadableSource,
    UnusableFolder,
)
from tasks.core.files import DISK_ERRORS, add_checksum, checksum_matches, ensure_writable, file_digest, write_json
from tasks.core.proxies import configured_proxies, require_usable_proxies
from tasks.core.text import one_line
from tasks.data.card import CARDS
from tasks.data.listing import TABLE_PATTERNS
from tasks.imaging.standard import STANDARD_FILE

READ_BYTES = 1 << 20


@dataclass(frozen=True)
class HubRepository:
    """A kind of repository in the words of its errors: what HF_TOKEN must allow, what to do offline or at a failure."""

    noun: str
    right: str
    offline: str
    retry: str
    missing: type[KensaError]


DATASET = HubRepository(
    noun="dataset",
    right="read this dataset",
    offline=" and its files are not on this machine; go online once",
    retry="try again later",
    missing=UnknownSource,
)
MODEL_REPOSITORY = HubRepository(
    noun="model repository",
    right="write there",
    offline="; a push needs the Hub",
    retry="push again later: what was sent is not sent again",
    missing=UnknownRepository,
)


@dataclass(frozen=True)
class HubHead:
    """The commit that a branch or tag points to, and the names of its files; none without a network."""

    revision: str
    files: tuple[str, ...] = ()


def hub_head(name: str, revision: str, data_folder: Path) -> HubHead:
    """The head of a branch or tag of a dataset; without a network, the last one that was seen."""
    from huggingface_hub import HfApi, constants

    head = data_folder / "heads" / f"{name.replace('/', '--')}@{revision.replace('/', '--')}.json"
    if constants.HF_HUB_OFFLINE:
        return HubHead(_offline_revision(name, revision, head))
    with translate_hub_errors(f"{name}@{revision}"):
        info = HfApi().dataset_info(name, revision=revision, timeout=30)
        sha, files = str(info.sha), tuple(file.rfilename for file in info.siblings or ())
    if not _is_commit(sha):
        raise SourceUnreachable(f"{name}@{revision}: expected a commit from the Hub, found {sha[:60]!r}; try again")
    ensure_writable(head.parent)
    write_json(head, add_checksum({"sha": sha}))
    return HubHead(sha, files)


def _offline_revision(name: str, revision: str, head: Path) -> str:
    if sha := last_seen_head(head):
        return sha
    if _is_commit(revision):
        return revision
    raise UnknownRevision(
        f"{name}@{revision}: HF_HUB_OFFLINE is set and no earlier run saw this revision; "
        "go online once, or name a commit that was downloaded"
    )


def _is_commit(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9a-f]{40}", text))


def last_seen_head(head: Path) -> str | None:
    """The commit that an earlier run wrote down; None where there is none, or the file is damaged."""
    try:
        entry = json.loads(head.read_text(encoding="utf-8"))
        return entry["sha"] if checksum_matches(entry) or set(entry) == {"sha"} else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def fetch_snapshot(name: str, revision: str, path: str = "") -> Path:
    """The folder with the tables, cards and standard of a dataset's commit; what is here already is not fetched again.

    path: a folder, a file or a pattern, where only those tables are wanted.
    """
    from huggingface_hub import snapshot_download

    patterns = [*map(_in_any_case, TABLE_PATTERNS), *CARDS, STANDARD_FILE]
    if path:
        patterns = [path, *(f"{path}/{pattern}" for pattern in patterns)]
    with translate_hub_errors(f"{name}@{revision}"):
        return Path(snapshot_download(name, repo_type="dataset", revision=revision, allow_patterns=patterns))


def _in_any_case(pattern: str) -> str:
    """`*.[cC][sS][vV]` of `*.csv`."""
    return "".join(f"[{letter}{letter.upper()}]" if letter.isalpha() else letter for letter in pattern)


def verify_snapshot(folder: Path, title: str) -> None:
    """Raise SourceUnreachable, which may pass, when a file's digest differs from its blob name; the file is removed.

    Files that are no links into the client's cache have no blob name: they are not checked.
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
    if not _is_commit(blob.name):
        return True
    git, plain = hashlib.sha1(b"blob %d\0" % blob.stat().st_size), hashlib.sha1()  # noqa: S324  # git's own
    with blob.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            git.update(chunk)
            plain.update(chunk)
    return blob.name in (git.hexdigest(), plain.hexdigest())


@contextmanager
def translate_hub_errors(title: str, repository: HubRepository = DATASET) -> Iterator[None]:
    """Raise Kensa's error, in one line, for what the Hub's client raises inside; Kensa's own errors pass.

    Raises BadSetting for a proxy that no client can use, NoPermission, UnknownRevision, `repository.missing`,
    SourceUnreachable (which may pass), UnreadableSource for an answer that cannot be used or a Hub that is switched
    off, and UnusableFolder for what the disk refuses.
    """
    from huggingface_hub import errors
    from huggingface_hub.utils import httpx

    try:
        yield
    except KensaError:  # BadSetting is a ValueError, too
        raise
    except errors.LocalEntryNotFoundError as error:
        raise _translate(title, repository, error.__cause__ or error) from None
    except (errors.HfHubHTTPError, httpx.HTTPError, OSError) as error:
        if isinstance(error, OSError) and error.errno in DISK_ERRORS - {None}:
            raise UnusableFolder(f"{title}: cannot be kept ({error.strerror}); make room, or set HF_HOME") from None
        raise _translate(title, repository, error) from None
    except (
        ValueError,
        KeyError,
        TypeError,
        httpx.InvalidURL,
    ) as error:  # no JSON, other keys, a wrong name
        require_usable_proxies()
        raise UnreadableSource(
            f"{title}: the Hub's answer cannot be used ({one_line(error)}); tell the {repository.noun}'s owner"
        ) from None


def _translate(title: str, repository: HubRepository, error: BaseException) -> KensaError:
    from huggingface_hub import errors

    noun = repository.noun
    if isinstance(error, errors.GatedRepoError):  # before its base class, RepositoryNotFoundError
        return NoPermission(f"{title}: the {noun} is gated; ask for access on its page and set HF_TOKEN")
    if isinstance(error, errors.RevisionNotFoundError):
        return UnknownRevision(f"{title}: expected a branch, tag or commit of the {noun}, found none of that name")
    if isinstance(error, errors.RepositoryNotFoundError):
        return _missing(title, repository)
    if isinstance(error, errors.OfflineModeIsEnabled):
        return UnreadableSource(f"{title}: HF_HUB_OFFLINE is set{repository.offline}")
    if isinstance(error, errors.EntryNotFoundError):  # a 404 of one file
        return SourceUnreachable(f"{title}: the Hub lacks a file that it names; {repository.retry}")
    return _translate_answer(title, repository, error)


def _translate_answer(title: str, repository: HubRepository, error: BaseException) -> KensaError:
    """A status that says no more than itself, or no answer."""
    from huggingface_hub import errors

    if isinstance(error, errors.HfHubHTTPError):
        return _translate_status(title, repository, error.response.status_code)
    causes = ", ".join(["the network", *configured_proxies()])
    return SourceUnreachable(
        f"{title}: no answer from the Hub ({type(error).__name__}); check {causes} and HF_ENDPOINT"
    )


def _translate_status(title: str, repository: HubRepository, status: int) -> KensaError:
    if status in {401, 403}:
        return NoPermission(f"{title}: the Hub answers {status}; set an HF_TOKEN that may {repository.right}")
    if status == 404:
        return _missing(title, repository)
    return SourceUnreachable(f"{title}: the Hub answers {status}; {repository.retry}")


def _missing(title: str, repository: HubRepository) -> KensaError:
    return repository.missing(
        f"{title}: no such {repository.noun} on the Hub, or a private one; check the name, or set HF_TOKEN"
    )
