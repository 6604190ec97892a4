"""Stage folders: named by a digest of their input, made as a draft beside, sealed, then renamed into place.

A folder is complete (its `manifest.json` lists the SHA-256 of every file) or not there at all. One that fails its
check is moved to `<name>.damaged` and made again. Files that describe others hold their own checksum: a manifest with
a single flipped bit would still be JSON, with another meaning.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tasks.core.files import (
    CHECKSUM_KEY,
    add_checksum,
    checksum_matches,
    draft_prefix,
    ensure_writable,
    file_digest,
    inherit_group_write,
    remove_stale_drafts,
    replace_durably,
    sync_to_disk,
    translate_disk_errors,
    write_json,
)
from tasks.core.json_form import Json
from tasks.core.results import Stage

MANIFEST = "manifest.json"


def get_or_make_stage(
    root: Path, name: str, digest: str, make: Callable[[Path], Json], known: Mapping[str, str] | None = None
) -> Stage:
    """The intact folder `root/name-digest`, made by `make(draft) -> facts` unless it is there already.

    known: the SHA-256 of files that `make` links from sealed folders, by their names in the draft; it may fill it.
    When two processes make the same folder at once, the first to finish wins and the other takes the winner's:
    the digest says that both are the same. Raises UnusableFolder for what the disk refuses.
    """
    folder = stage_folder(root, name, digest)
    manifest = verified_manifest(folder)
    if manifest is not None:
        return Stage(str(folder), digest, manifest, reused=True)
    ensure_writable(root)
    with translate_disk_errors(root):
        quarantine(folder)
    with scratch_folder(root, name) as draft:
        seal_folder(draft, {**make(draft), "digest": digest}, known)
        manifest = _move_into_place(draft, folder)
    return Stage(str(folder), digest, manifest, reused=False)


def stage_folder(root: Path, name: str, digest: str) -> Path:
    """Where a stage lies, whether it is there or not."""
    return root / f"{name}-{digest[:16]}"


def _move_into_place(draft: Path, folder: Path) -> Json:
    """The manifest of what is at `folder` in the end: of the draft, or of another process that was first."""
    manifest = json.loads((draft / MANIFEST).read_text(encoding="utf-8"))
    try:
        replace_durably(draft, folder)
    except OSError:
        manifest = verified_manifest(folder)
        if manifest is None:  # no other process was first: a real error
            raise
    return manifest


@contextlib.contextmanager
def scratch_folder(root: Path, name: str) -> Iterator[Path]:
    """A folder to work in beside the finished ones, removed at the end unless it was renamed.

    Its name holds machine and process, so that the next run on the same machine removes what a killed one left;
    the processes of another machine cannot be checked from here.
    """
    remove_stale_drafts(root, name)
    with translate_disk_errors(root):
        draft = Path(tempfile.mkdtemp(prefix=draft_prefix(name), dir=root))
        draft.chmod(0o755)
        inherit_group_write(draft)
        try:
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def seal_folder(folder: Path, facts: Json, known: Mapping[str, str] | None = None) -> None:
    """Write the folder's manifest and bring every byte to the disk, before anyone relies on it.

    known: the SHA-256 of some files.
    """
    write_json(folder / MANIFEST, add_checksum({**facts, "files": digests(folder, known)}))
    for path in [*folder.rglob("*"), folder]:
        sync_to_disk(path)


def digests(folder: Path, known: Mapping[str, str] | None = None) -> dict[str, str]:
    """SHA-256 of every file under `folder` but its manifest, by relative name; those that are `known` are not read."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    names = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: (known or {}).get(name) or file_digest(path) for name, path in names.items()}


def verified_manifest(folder: Path) -> Json | None:
    """The manifest of a folder if it and all files have their digests, else None."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        intact = isinstance(manifest, dict) and manifest_is_intact(manifest)
        return manifest if intact and manifest.get("files") == digests(folder) else None
    except (OSError, ValueError, RecursionError):
        return None


def manifest_is_intact(manifest: Json) -> bool:
    """Whether a manifest has its checksum. Releases of the first format had none yet."""
    first_format = "fingerprint" in manifest and manifest.get("format", 1) == 1 and CHECKSUM_KEY not in manifest
    return first_format or checksum_matches(manifest)


def quarantine(folder: Path) -> None:
    """Rename a damaged folder to `<name>.damaged`, in place of the last one there: it is kept for inspection.

    An intact folder stays: another process may have made it again in the meantime.
    """
    damaged = folder.with_name(folder.name + ".damaged")
    if folder.exists() and verified_manifest(folder) is None:
        shutil.rmtree(damaged, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            folder.rename(damaged)
