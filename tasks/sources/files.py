"""Files of this machine as a source: one, several, those of a pattern, or those packed in a zip archive."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from tasks.config.run import DataConfig
from tasks.core.errors import UnknownSource, UnreadableSource
from tasks.core.files import ensure_writable, file_digest
from tasks.core.results import PinnedSource
from tasks.core.stages import get_or_make_stage
from tasks.core.text import one_line
from tasks.data.card import CARDS
from tasks.data.listing import TABLE_KINDS, is_verdicts, table_kind
from tasks.imaging.standard import STANDARD_FILE

FILES = "files"  # the folder of a stage that holds what was unpacked or fetched
MAX_MEMBERS = 100_000
COPY_BYTES = 1 << 20


def is_archive(name: str | Path) -> bool:
    """Whether a file is a zip archive by its name."""
    return str(name).lower().endswith(".zip")


def pin_files(paths: Sequence[Path], source: str) -> PinnedSource:
    """Tables by their names and contents; UnreadableSource for a file of another kind, or one that is locked."""
    for path in paths:
        if not table_kind(path.name):
            raise UnreadableSource(f"{source}: expected {', '.join(TABLE_KINDS)} or zip files, found {path.name}")
    resolved = sorted({path.resolve() for path in paths})
    folder = Path(os.path.commonpath([path.parent for path in resolved]))
    names = tuple(path.relative_to(folder).as_posix() for path in resolved)
    try:
        contents = [[name, file_digest(folder / name)] for name in names]
    except OSError as error:
        raise UnreadableSource(f"{source}: {error.strerror}; make its files readable") from None
    return PinnedSource(source, "files", str(folder), digest_of_contents(["files", *contents]), names=names)


def pin_pattern(pattern: str) -> PinnedSource:
    """The tables whose paths have the pattern, which may have `**`; UnknownSource where there is none."""
    matches = sorted(Path(path) for path in glob.glob(pattern, recursive=True))  # noqa: PTH207  # absolute ones, too
    tables = [path for path in matches if path.is_file() and table_kind(path.name) and not is_verdicts(path)]
    if not tables:
        found = f"{len(matches)} others" if matches else "no such file"
        raise UnknownSource(f"{pattern}: expected {', '.join(TABLE_KINDS)} files with this pattern, found {found}")
    return pin_files(tables, pattern)


def pin_archive(path: Path, data_folder: Path) -> PinnedSource:
    """A zip archive by its content; it is unpacked when it is downloaded."""
    try:
        digest = file_digest(path)
    except OSError as error:
        raise UnreadableSource(f"{path}: {error.strerror}; make it readable") from None
    return PinnedSource(str(path), "archive", str(path.resolve()), digest[:40], keep=str(data_folder))


def unpack(archive: Path, revision: str, keep: Path, source: str) -> Path:
    """The folder with the tables and cards of an archive, below `keep`; unpacked unless it is there and intact."""

    def make(draft: Path) -> dict[str, str]:
        extract(archive, draft / FILES, source)
        return {"source": source, "revision": revision}

    stage = get_or_make_stage(ensure_writable(keep / "sources"), "archive", revision, make)
    return Path(stage.path) / FILES


def extract(archive: Path, folder: Path, source: str) -> None:
    """Unpack tables, cards and a standard.

    Raises UnreadableSource for a damaged, locked or too large archive, and one without tables.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            members = _members(file, source)
            for member in members:
                _extract_member(file, member, folder)
    except (zipfile.BadZipFile, NotImplementedError, zlib.error, EOFError) as error:
        raise UnreadableSource(f"{source}: is no whole zip archive: {one_line(error)}; make it again") from None
    except RuntimeError:  # the library's word for a password
        raise UnreadableSource(f"{source}: is locked by a password; make the archive without one") from None


def _members(file: zipfile.ZipFile, source: str) -> list[zipfile.ZipInfo]:
    """The tables, the cards and a standard; no hidden file, and none whose name leads out of the folder."""
    infos = file.infolist()
    members = [
        info for info in infos if _is_read(PurePosixPath(info.filename.replace("\\", "/"))) and not info.is_dir()
    ]
    if not any(table_kind(info.filename) for info in members):
        raise UnreadableSource(f"{source}: expected {', '.join(TABLE_KINDS)} files in the archive, found none")
    most, size = DataConfig.most_bytes, sum(info.file_size for info in members)
    if len(infos) > MAX_MEMBERS or size > most:
        raise UnreadableSource(
            f"{source}: expected at most {MAX_MEMBERS:,} files and {most:,} bytes, unpacked, "
            f"found {len(infos):,} and {size:,}; divide it"
        )
    return members


def _is_read(path: PurePosixPath) -> bool:
    visible = not any(part.startswith(".") for part in path.parts) and not path.is_absolute()
    return visible and (table_kind(path.name) is not None or str(path) in {*CARDS, STANDARD_FILE})


def _extract_member(file: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    """Write one file; the library gives no more bytes than it declares, and compares their checksum."""
    path = folder / member.filename.replace("\\", "/")
    path.parent.mkdir(parents=True, exist_ok=True)
    with file.open(member) as packed, path.open("wb") as target:
        shutil.copyfileobj(packed, target, COPY_BYTES)


def digest_of_contents(contents: Iterable[object]) -> str:
    """40 hex digits that name a list of names and contents."""
    return hashlib.sha256(json.dumps([*contents]).encode()).hexdigest()[:40]
