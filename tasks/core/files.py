"""Files that are complete or not there: atomic writes, digests, checksums, and errors of the disk in one line."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import hashlib
import json
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.core.errors import UnusableFolder
from tasks.core.json_form import Json
from tasks.core.text import one_line

CHECKSUM_KEY = "seal"  # the key under which a JSON file holds the digest of all its other keys
# A disk that is full, over its quota, read-only, failing or not ours; numpy and HDF5 give no number.
DISK_ERRORS = {None, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}


def digest_of(*parts: Any) -> str:
    """SHA-256 (hex) of plain values in canonical JSON."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Write JSON as `write_text` writes; what is no JSON raises ValueError, and leaves no file behind."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file in UTF-8 as `write_bytes` writes."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, never half of it; raises UnusableFolder."""
    with translate_disk_errors(path.parent):
        remove_stale_drafts(path.parent, path.name)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=draft_prefix(path.name))
        beside = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.chmod(0o644)
            replace_durably(beside, path)
        finally:
            beside.unlink(missing_ok=True)


def replace_durably(draft: Path, place: Path) -> None:
    """Rename a finished draft to `place`, and bring the new name to the disk, too: what follows relies on it."""
    draft.replace(place)
    sync_to_disk(place.parent)


def link_or_copy(file: Path, name: Path) -> None:
    """Another name for a file that is not changed any more; a copy where the disk has no links."""
    name.unlink(missing_ok=True)
    try:
        name.hardlink_to(file)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(file, name)


def append_durably(path: Path, size: int, content: bytes) -> None:
    """Write after the first `size` bytes, which are whole entries, and bring everything to the disk."""
    is_new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.truncate(size)
        file.seek(size)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        inherit_group_write(path)
        sync_to_disk(path.parent)


def sync_to_disk(path: Path) -> None:
    """Bring the bytes of a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def add_checksum(value: Json) -> Json:
    """The value with the digest of all its other keys, as JSON gives them back."""
    content = {key: item for key, item in value.items() if key != CHECKSUM_KEY}
    return {**content, CHECKSUM_KEY: digest_of(json.loads(json.dumps(content, allow_nan=False)))}


def checksum_matches(value: Json) -> bool:
    """Whether a value is as `add_checksum` made it; False without a checksum."""
    return value.get(CHECKSUM_KEY) == digest_of({key: item for key, item in value.items() if key != CHECKSUM_KEY})


@contextlib.contextmanager
def translate_disk_errors(folder: Path) -> Iterator[None]:
    """Raise UnusableFolder, which says in one line what the disk refuses, for an OSError of a disk."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_ERRORS or (error.errno is None and type(error) is not OSError):
            raise  # such as the timeout of a lock
        raise UnusableFolder(
            f"{folder}: cannot be written ({error.strerror or one_line(error)}); make room or correct its permissions, "
            "and run again: nothing half-written is left"
        ) from error


def ensure_writable(folder: Path) -> Path:
    """`folder`, created where it is missing, after a test that it can be written; raises UnusableFolder.

    What is created can be written by the group where the folder above can: two users may share it.
    """
    try:
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for path in reversed(missing):
            inherit_group_write(path)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise UnusableFolder(
            f"{folder}: expected a folder that can be written, found {error.strerror}; "
            "choose another with --data or --artifacts"
        ) from None


def inherit_group_write(path: Path) -> None:
    """Let the group write a new file or folder where it can write the folder above; not in one such as /tmp."""
    above = path.parent.stat().st_mode
    if above & stat.S_IWGRP and not above & stat.S_ISVTX:
        with contextlib.suppress(PermissionError):  # another user's process made it first
            path.chmod(path.stat().st_mode | stat.S_IWGRP)


def draft_prefix(name: str) -> str:
    """The beginning of the names of drafts of `name`: it holds the machine and the process that write them."""
    machine = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
    return f".{name}-{machine}-{os.getpid()}-"


def remove_stale_drafts(root: Path, name: str) -> None:
    """Remove the drafts of `name` that killed processes of this machine left behind."""
    start = draft_prefix(name).rsplit("-", 2)[0]
    for draft in root.glob(f"{glob.escape(start)}-*-*"):
        if _process_is_alive(draft.name.removeprefix(start + "-").split("-")[0]):
            continue
        if draft.is_dir():
            shutil.rmtree(draft, ignore_errors=True)
        else:
            draft.unlink(missing_ok=True)


def _process_is_alive(process: str) -> bool:
    if not process.isdecimal():
        return True  # no draft of ours: not ours to remove
    try:
        os.kill(int(process), 0)  # signal 0 only checks
    except PermissionError:
        return True
    except ProcessLookupError:
        return False
    return True


def is_locked(path: Path) -> bool:
    """Whether a process holds a file's lock: tried with a shared one, so that two that look at once see no holder."""
    try:
        with path.open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
