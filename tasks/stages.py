"""Stage folders: named by a digest of what went in, written beside, sealed, then renamed into place.

A folder is either complete (its `manifest.json` lists the SHA-256 of every file) or not there at all.
One that fails its check is set aside as `<name>.damaged` and made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tasks.errors import UnusableFolder
from tasks.handover import Stage

MANIFEST = "manifest.json"


def digest_of(*parts: Any) -> str:
    """SHA-256 (hex) of plain values in canonical JSON."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file under `folder` but its manifest, by relative name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in files}


def write_json(path: Path, value: Any) -> None:
    """Write JSON so that a reader sees the old file or the new one, never half of it."""
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"  # first: what cannot be told leaves no file behind
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


def usable(folder: Path) -> Path:
    """`folder`, created and proved writable; raises UnusableFolder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise UnusableFolder(
            f"{folder}: expected a folder that can be written, found {error.strerror}; "
            "choose another with --data or --artifacts"
        ) from None


def seal(folder: Path, facts: dict[str, Any]) -> None:
    """Write the folder's manifest and bring every byte to the disk before anyone may rely on it."""
    write_json(folder / MANIFEST, {**facts, "files": digests(folder)})
    for path in [*folder.rglob("*"), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sound(folder: Path) -> dict[str, Any] | None:
    """The manifest of a folder whose files all have their digests, else None."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        return manifest if isinstance(manifest, dict) and manifest.get("files") == digests(folder) else None
    except (OSError, ValueError):
        return None


def set_aside(folder: Path) -> None:
    """Move a damaged folder out of the way; the last damaged one is kept for inspection.

    A twin may have done so in the meantime, and even have made the folder again: then it stays.
    """
    aside = folder.with_name(folder.name + ".damaged")
    if folder.exists() and sound(folder) is None:
        shutil.rmtree(aside, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            folder.rename(aside)


@contextlib.contextmanager
def drafting(root: Path, name: str) -> Iterator[Path]:
    """A folder to work in beside the finished ones, gone afterwards unless it was renamed.

    Its name holds machine and process, so that what a killed one left is swept by the next on the
    same machine; of another's processes nothing can be known here.
    """
    machine = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
    for left in root.glob(f".{name}-{machine}-*-*"):
        if not _alive(left.name.split("-")[-2]):
            shutil.rmtree(left, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{name}-{machine}-{os.getpid()}-", dir=root))
    draft.chmod(0o755)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _alive(process: str) -> bool:
    if not process.isdecimal():
        return True  # not a name of ours: not ours to sweep
    try:
        os.kill(int(process), 0)  # signal 0 only asks
    except PermissionError:
        return True
    except ProcessLookupError:
        return False
    return True


def stage(root: Path, name: str, digest: str, make: Callable[[Path], dict[str, Any]]) -> Stage:
    """The sound folder `root/name-digest`, made by `make(draft) -> facts` unless it is there already.

    When two processes make the same folder at once, the first to finish wins and the other takes
    the winner's: the digest says that both are the same.
    """
    folder = root / f"{name}-{digest[:16]}"
    found = sound(folder)
    if found is not None:
        return Stage(str(folder), digest, found, reused=True)
    set_aside(folder)
    usable(root)
    with drafting(root, name) as draft:
        seal(draft, {**make(draft), "digest": digest})
        found = _move_into_place(draft, folder)
    return Stage(str(folder), digest, found, reused=False)


def _move_into_place(draft: Path, folder: Path) -> dict[str, Any]:
    """The manifest of what lies at `folder` in the end: the draft, or what a twin put there first."""
    manifest = json.loads((draft / MANIFEST).read_text())
    try:
        draft.rename(folder)
    except OSError:
        manifest = sound(folder)
        if manifest is None:  # no twin that finished first: a real error
            raise
    return manifest
