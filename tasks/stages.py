"""Stage folders: named by a digest of what went in, written beside, sealed, then renamed into place.

A folder is either complete (its `manifest.json` lists the SHA-256 of every file) or not there at all.
One that fails its check is set aside as `<name>.damaged` and made again. What describes others is sealed
itself: a manifest or pointer in which one bit has turned is still JSON, and says something else.
"""

from __future__ import annotations

import contextlib
import errno
import glob
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
SEAL = "seal"  # the key under which a JSON file holds the digest of all its other keys
# What a disk says that is full, read-only, failing, over its quota or not ours; numpy and HDF5 give no number.
DISK = {
    None,
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO),
}


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
    """Write JSON so that a reader sees the old file or the new one, never half of it; raises UnusableFolder."""
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"  # first: what cannot be told leaves no file behind
    with told_of_disk(path.parent):
        sweep(path.parent, path.name)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=_beside(path.name))
        beside = Path(name)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            beside.chmod(0o644)
            moved(beside, path)
        finally:
            beside.unlink(missing_ok=True)


def moved(draft: Path, place: Path) -> None:
    """Give what is finished its name, and bring the name to the disk too: what comes next relies on it."""
    draft.replace(place)
    _to_disk(place.parent)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def with_seal(value: dict[str, Any]) -> dict[str, Any]:
    """The value with its own digest beside it, as it will be read again from JSON."""
    told = {key: one for key, one in value.items() if key != SEAL}
    return {**told, SEAL: digest_of(json.loads(json.dumps(told, allow_nan=False)))}


def seal_holds(value: dict[str, Any]) -> bool:
    """Whether what was read is what was sealed; False where there is no seal."""
    return value.get(SEAL) == digest_of({key: one for key, one in value.items() if key != SEAL})


@contextlib.contextmanager
def told_of_disk(folder: Path) -> Iterator[None]:
    """Say in one line what the disk refuses; raises UnusableFolder."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK or (error.errno is None and type(error) is not OSError):
            raise  # such as a lock's time that is over
        said = error.strerror or " ".join(str(error).split())[:200]
        raise UnusableFolder(
            f"{folder}: cannot be written ({said}); make room or mend its permissions, and run again: "
            "nothing half-written is left"
        ) from error


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
    write_json(folder / MANIFEST, with_seal({**facts, "files": digests(folder)}))
    for path in [*folder.rglob("*"), folder]:
        _to_disk(path)


def sound(folder: Path) -> dict[str, Any] | None:
    """The manifest of a folder whose files all have their digests, and it its own, else None."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        whole = isinstance(manifest, dict) and is_whole(manifest)
        return manifest if whole and manifest.get("files") == digests(folder) else None
    except (OSError, ValueError, RecursionError):
        return None


def is_whole(manifest: dict[str, Any]) -> bool:
    """Whether a manifest is as it was sealed. Releases of the first form had no seal yet."""
    first = "fingerprint" in manifest and manifest.get("format", 1) == 1 and SEAL not in manifest
    return first or seal_holds(manifest)


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
    sweep(root, name)
    with told_of_disk(root):
        draft = Path(tempfile.mkdtemp(prefix=_beside(name), dir=root))
        draft.chmod(0o755)
        try:
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _beside(name: str) -> str:
    """How the name begins of what is written here beside `name`; machine and process say whose it is."""
    machine = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
    return f".{name}-{machine}-{os.getpid()}-"


def sweep(root: Path, name: str) -> None:
    """Remove what killed processes of this machine left half-written beside `name`."""
    start = _beside(name).rsplit("-", 2)[0]
    for left in root.glob(f"{glob.escape(start)}-*-*"):
        if _alive(left.name.removeprefix(start + "-").split("-")[0]):
            continue
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


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
    usable(root)
    with told_of_disk(root):
        set_aside(folder)
    with drafting(root, name) as draft:
        seal(draft, {**make(draft), "digest": digest})
        found = _move_into_place(draft, folder)
    return Stage(str(folder), digest, found, reused=False)


def _move_into_place(draft: Path, folder: Path) -> dict[str, Any]:
    """The manifest of what lies at `folder` in the end: the draft, or what a twin put there first."""
    manifest = json.loads((draft / MANIFEST).read_text())
    try:
        moved(draft, folder)
    except OSError:
        manifest = sound(folder)
        if manifest is None:  # no twin that finished first: a real error
            raise
    return manifest
