"""Files at an address that fsspec knows, such as s3://bucket/folder: listed, pinned by their marks, and fetched.

A mark is what the store says of a file's content: its ETag, a checksum, or the time of its last change with its size.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from tasks.core.errors import (
    KensaError,
    NoPermission,
    SourceUnreachable,
    UnknownSource,
    UnreadableSource,
)
from tasks.core.files import ensure_writable
from tasks.core.progress import note_line
from tasks.core.results import PinnedSource
from tasks.core.stages import get_or_make_stage
from tasks.core.text import one_line
from tasks.data.card import CARDS
from tasks.data.listing import TABLE_KINDS, table_kind
from tasks.imaging.standard import STANDARD_FILE
from tasks.sources.address import is_pattern
from tasks.sources.files import FILES, digest_of_contents, extract, is_archive
from tasks.sources.object_store import open_address

MARKS = ("ETag", "etag", "md5Hash", "Content-MD5", "content_md5", "checksum", "version_id", "generation", "oid")
TIMES = ("LastModified", "last_modified", "Last-Modified", "mtime", "updated", "modified", "created")


@dataclass(frozen=True)
class RemoteFiles:
    """The tables, cards, archives and standard at an address.

    `paths`: in the store by relative name; `marks`: of their contents, but for the standard's;
    `is_folder`: the names and the card of the files decide which are read.
    """

    store: Any
    paths: dict[str, str]
    marks: dict[str, str]
    is_folder: bool

    @property
    def revision(self) -> str:
        """40 hex digits that name the files and their contents."""
        return digest_of_contents(sorted(self.marks.items()))


def pin_address(address: str, data_folder: Path) -> PinnedSource:
    """The files at an address by their marks.

    Raises MissingExtra without the package that reads it, UnknownSource, NoPermission, UnreadableSource for what is no
    table, and SourceUnreachable, which may pass.
    """
    with translate_address_errors(address):
        files = _list(address)
    return PinnedSource(address, "address", address, files.revision, keep=str(data_folder))


def fetch(pinned: PinnedSource) -> tuple[Path, tuple[str, ...] | None]:
    """The folder with a pinned address' files, and their names; None for the names where the folder decides.

    What is here already is not fetched again. Raises as `pin_address`, also where the files have changed since.
    """

    def make(draft: Path) -> dict[str, Any]:
        with translate_address_errors(pinned.location):
            return _fetch(pinned, draft / FILES)

    stage = get_or_make_stage(ensure_writable(Path(pinned.keep) / "sources"), "address", pinned.revision, make)
    names = stage.facts["names"]
    return Path(stage.path) / FILES, names if names is None else tuple(names)


def _fetch(pinned: PinnedSource, folder: Path) -> dict[str, Any]:
    files = _list(pinned.location)
    if files.revision == pinned.revision:
        for name, path in files.paths.items():
            note_line(f"fetch {name}")
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            files.store.get_file(path, str(folder / name))
        files = _list(pinned.location)
    if files.revision != pinned.revision:
        raise SourceUnreachable(f"{pinned.location}: has changed while it was read; run again")
    archives = [name for name in files.paths if is_archive(name)]
    for name in archives:
        extract(folder / name, folder, pinned.location)
        (folder / name).unlink()
    decides = files.is_folder or bool(archives)
    return {"source": pinned.location, "revision": pinned.revision, "names": None if decides else [*files.paths]}


def _list(address: str) -> RemoteFiles:
    store, path = open_address(address)
    if is_pattern(path.replace("?", "") if address.startswith("http") else path):
        infos, root, is_folder = [*store.glob(path, detail=True).values()], _folder_before_pattern(path), False
    else:
        info = store.info(path)
        is_folder = info["type"] == "directory"
        infos = [*store.find(path, detail=True).values()] if is_folder else [info]
        root = path if is_folder else path.rpartition("/")[0]
    return _of_infos(address, store, [info for info in infos if info["type"] == "file"], root, is_folder)


def _of_infos(address: str, store: Any, infos: list[dict[str, Any]], root: str, is_folder: bool) -> RemoteFiles:
    named = {_relative(info["name"], root): info for info in infos}
    chosen = {name: info for name, info in sorted(named.items()) if _is_read(name, is_folder)}
    if not any(table_kind(name) or is_archive(name) for name in chosen):
        found = ", ".join(sorted(named)[:4]) or "no file"
        raise (UnreadableSource if named else UnknownSource)(
            f"{address}: expected {', '.join(TABLE_KINDS)} or zip files, found {found}"
        )
    marks = {name: _mark(store, info) for name, info in chosen.items()}
    paths = {name: info["name"] for name, info in chosen.items()}
    if is_folder and STANDARD_FILE in named:  # it belongs to no revision
        paths[STANDARD_FILE] = named[STANDARD_FILE]["name"]
    return RemoteFiles(store, paths, marks, is_folder)


def _relative(path: str, root: str) -> str:
    """The name below the root, without the query of a web address."""
    name = path.removeprefix(root.rstrip("/")).lstrip("/")
    return name.partition("?")[0] if "://" in path else name


def _is_read(name: str, is_folder: bool) -> bool:
    """A table; a card in a folder; an archive that was named itself. No hidden file, and none outside of the folder."""
    parts = PurePosixPath(name).parts
    if any(part.startswith(".") for part in parts):
        return False
    return bool(table_kind(name)) or (name in CARDS if is_folder else is_archive(name))


def _mark(store: Any, info: dict[str, Any]) -> str:
    """What changes with a file's content; the content itself where the store says nothing."""
    if mark := next((info[key] for key in MARKS if info.get(key)), None):
        return str(mark)
    if time := next((info[key] for key in TIMES if info.get(key)), None):
        return f"{time} {info.get('size')}"
    return digest_of_contents([store.cat_file(info["name"]).hex()])


def _folder_before_pattern(path: str) -> str:
    parts = path.split("/")
    return "/".join(parts[: next(i for i, part in enumerate(parts) if is_pattern(part))])


@contextmanager
def translate_address_errors(address: str) -> Iterator[None]:
    """Raise Kensa's error, in one line, for what a store's client raises inside; Kensa's own errors pass."""
    try:
        yield
    except KensaError:
        raise
    except FileNotFoundError as error:
        # The client of web addresses says so of every failure.
        if error.__cause__ is not None and getattr(error.__cause__, "status", None) != 404:
            raise _translate(address, error.__cause__) from None
        raise UnknownSource(
            f"{address}: expected a file, a folder or a pattern, found none there; check the name"
        ) from None
    except PermissionError:
        raise NoPermission(f"{address}: the store refuses to read it; set credentials in the environment") from None
    except Exception as error:  # each store has its own
        raise _translate(address, error) from None


def _translate(address: str, error: BaseException) -> KensaError:
    text, kind = one_line(error), type(error).__name__
    if "redential" in kind or "redential" in text or getattr(error, "status", None) in (401, 403):
        return NoPermission(f"{address}: the store refuses to read it ({text}); set credentials in the environment")
    if kind.startswith("NoSuch"):
        return UnknownSource(f"{address}: expected a file, a folder or a pattern, found none there ({text})")
    if isinstance(error, ValueError | TypeError) and "rotocol" in text:
        return UnknownSource(f"{address}: expected an address such as s3://bucket/folder, found one that nothing reads")
    return SourceUnreachable(
        f"{address}: cannot be read ({kind}: {text}); check the address, the network and the credentials"
    )
