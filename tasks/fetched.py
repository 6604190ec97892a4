"""Whether the Hub's files are what it named: each lies in the client's cache under the digest of its content.

The client compares sizes alone. A proxy that serves another file under the same name, or a disk that turns
a bit, would be trained on; here the file is removed, so that the next try fetches it anew.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from tasks.errors import SourceUnreachable
from tasks.stages import file_digest

CHUNK = 1 << 20


def require_as_named(folder: Path, title: str) -> None:
    """Raise SourceUnreachable, which may pass, where a file of a snapshot has not the digest of its name.

    Files that are no links into the client's cache have no such name, and are taken as they are.
    """
    for path in sorted(folder.rglob("*")):
        if not path.is_symlink():
            continue
        blob = path.resolve()
        if blob.is_file() and not as_named(blob):
            blob.unlink()
            path.unlink()
            raise SourceUnreachable(
                f"{title}: {path.relative_to(folder)} is not what the Hub named; it was removed and is fetched anew"
            )


def as_named(blob: Path) -> bool:
    """Whether content and name agree: SHA-256 of large files, git's blob id of small ones; True for other names.

    Some mirrors name small files by their plain SHA-1.
    """
    if re.fullmatch(r"[0-9a-f]{64}", blob.name):
        return file_digest(blob) == blob.name
    if not re.fullmatch(r"[0-9a-f]{40}", blob.name):
        return True
    git, plain = hashlib.sha1(b"blob %d\0" % blob.stat().st_size), hashlib.sha1()  # noqa: S324  # git's own
    with blob.open("rb") as file:
        while chunk := file.read(CHUNK):
            git.update(chunk)
            plain.update(chunk)
    return blob.name in (git.hexdigest(), plain.hexdigest())
