"""Stage folders: named by a digest of what went in, written beside, sealed, then renamed into place.

A folder is either complete (its `manifest.json` lists the SHA-256 of every file) or not there at all.
One that fails its check is set aside as `<name>.damaged` and made again. What describes others is sealed
itself: a manifest or pointer in which one bit has turned is still JSON, and says something else.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tasks.core.files import (
    CHECKSUM_KEY,
    _draft_prefix,
    _sync,
    add_checksum,
    checksum_matches,
    ensure_writable,
    file_digest,
    remove_stale_drafts,
    replace_durably,
    translate_disk_errors,
    write_json,
)
from tasks.core.results import Stage

MANIFEST = "manifest.json"


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file under `folder` but its manifest, by relative name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in files}


def seal_folder(folder: Path, facts: dict[str, Any]) -> None:
    """Write the folder's manifest and bring every byte to the disk before anyone may rely on it."""
    write_json(folder / MANIFEST, add_checksum({**facts, "files": digests(folder)}))
    for path in [*folder.rglob("*"), folder]:
        _sync(path)


def verified_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a folder whose files all have their digests, and it its own, else None."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        whole = isinstance(manifest, dict) and manifest_is_intact(manifest)
        return manifest if whole and manifest.get("files") == digests(folder) else None
    except (OSError, ValueError, RecursionError):
        return None


def manifest_is_intact(manifest: dict[str, Any]) -> bool:
    """Whether a manifest is as it was sealed. Releases of the first form had no seal yet."""
    first = "fingerprint" in manifest and manifest.get("format", 1) == 1 and CHECKSUM_KEY not in manifest
    return first or checksum_matches(manifest)


def quarantine(folder: Path) -> None:
    """Move a damaged folder out of the way; the last damaged one is kept for inspection.

    A twin may have done so in the meantime, and even have made the folder again: then it stays.
    """
    aside = folder.with_name(folder.name + ".damaged")
    if folder.exists() and verified_manifest(folder) is None:
        shutil.rmtree(aside, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            folder.rename(aside)


@contextlib.contextmanager
def scratch_folder(root: Path, name: str) -> Iterator[Path]:
    """A folder to work in beside the finished ones, gone afterwards unless it was renamed.

    Its name holds machine and process, so that what a killed one left is swept by the next on the
    same machine; of another's processes nothing can be known here.
    """
    remove_stale_drafts(root, name)
    with translate_disk_errors(root):
        draft = Path(tempfile.mkdtemp(prefix=_draft_prefix(name), dir=root))
        draft.chmod(0o755)
        try:
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def get_or_make_stage(root: Path, name: str, digest: str, make: Callable[[Path], dict[str, Any]]) -> Stage:
    """The sound folder `root/name-digest`, made by `make(draft) -> facts` unless it is there already.

    When two processes make the same folder at once, the first to finish wins and the other takes
    the winner's: the digest says that both are the same.
    """
    folder = root / f"{name}-{digest[:16]}"
    found = verified_manifest(folder)
    if found is not None:
        return Stage(str(folder), digest, found, reused=True)
    ensure_writable(root)
    with translate_disk_errors(root):
        quarantine(folder)
    with scratch_folder(root, name) as draft:
        seal_folder(draft, {**make(draft), "digest": digest})
        found = _move_into_place(draft, folder)
    return Stage(str(folder), digest, found, reused=False)


def _move_into_place(draft: Path, folder: Path) -> dict[str, Any]:
    """The manifest of what lies at `folder` in the end: the draft, or what a twin put there first."""
    manifest = json.loads((draft / MANIFEST).read_text())
    try:
        replace_durably(draft, folder)
    except OSError:
        manifest = verified_manifest(folder)
        if manifest is None:  # no twin that finished first: a real error
            raise
    return manifest
