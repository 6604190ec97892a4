"""Which files of a folder are tables: one listing for the revision, the reader and the messages.

A file is a table by the end of its name, in any case. Hidden files are none, and neither are Kensa's own verdicts.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tasks.core.errors import UnreadableSource

TABLE_KINDS = ("parquet", "csv", "tsv", "json", "jsonl", "ndjson", "arrow")
TEXT_KINDS = ("csv", "tsv", "json", "jsonl", "ndjson")  # also packed, such as t.csv.gz
TABLE_PATTERNS = [*(f"*.{kind}" for kind in TABLE_KINDS), *(f"*.{kind}.gz" for kind in TEXT_KINDS)]
# Of other files that people keep data in. Archives and copies of tables are recognised by the table's own ending.
DATA_ENDINGS = {*TABLE_KINDS, "xlsx", "xls", "xlsm", "ods", "feather", "orc", "avro", "pkl", "pickle", "npy", "h5"}
DATA_ENDINGS |= {"hdf5", "mat", "sqlite", "db", "zip", "tar", "tgz", "7z", "rar"}
DECIDED_FILE = ".kensa/labels.parquet"  # labels that people decided (tasks/sources/decided_labels.py)
CSV_VERDICTS = codecs.BOM_UTF8 + b'"row","mode","distance","score","verdict"'  # how CSV of verdicts begins


@dataclass(frozen=True)
class Listing:
    """The tables below a folder, and other files that look like data; names with `/`, sorted."""

    folder: Path
    tables: tuple[str, ...]
    others: tuple[str, ...]


def list_tables(folder: Path) -> Listing:
    """The listing of a folder, through links to other folders; UnreadableSource where a folder cannot be read."""
    names = sorted(_visible_files(folder))
    tables = [name for name in names if table_kind(name) and not is_verdicts(folder / name)]
    return Listing(folder, tuple(tables), other_data(set(names) - set(tables)))


def other_data(names: Iterable[str]) -> tuple[str, ...]:
    """Those of files that are no tables which look like data, sorted; hidden ones do not."""
    visible = (name for name in names if not any(part.startswith(".") for part in name.split("/")))
    return tuple(sorted(name for name in visible if _looks_like_data(name)))


def table_kind(name: str) -> str | None:
    """`parquet`, `csv`, `tsv`, `json` (also by lines) or `arrow` by the end of a name; None for any other file."""
    endings = name.lower().rpartition("/")[2].split(".")[1:]
    packed = endings[-1:] == ["gz"]
    kind = endings[-2] if packed and len(endings) > 1 else (endings or [""])[-1]
    if kind not in (TEXT_KINDS if packed else TABLE_KINDS):
        return None
    return "json" if kind in ("jsonl", "ndjson") else kind


def _visible_files(folder: Path) -> list[str]:
    """The names of all files that are not hidden; a folder that is linked twice, or into itself, is read once."""

    def refuse(error: OSError) -> None:
        raise UnreadableSource(f"{error.filename}: {error.strerror}; make its files readable") from None

    names, seen = [], set()
    for path, folders, files in os.walk(folder, followlinks=True, onerror=refuse):
        if (real := os.path.realpath(path)) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        base = Path(path).relative_to(folder)
        names += [
            (base / name).as_posix() for name in files if not name.startswith(".") and (Path(path) / name).is_file()
        ]
    return names


def is_verdicts(path: Path) -> bool:
    """Whether Kensa wrote the file as verdicts: Parquet with the key `kensa`, or CSV with the columns of verdicts."""
    if table_kind(path.name) == "csv":
        return _starts_with(path, CSV_VERDICTS)
    if table_kind(path.name) != "parquet" or b"kensa" not in parquet_footer(path):
        return False
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return b"kensa" in (pq.read_metadata(path).metadata or {})
    except (OSError, pa.ArrowException):
        return False  # whoever reads it says what is wrong with it


def _starts_with(path: Path, content: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(content)) == content
    except OSError:
        return False  # whoever reads it says what is wrong with it


def parquet_footer(path: Path) -> bytes:
    """The metadata at the end of a Parquet file, whose length its last bytes say; nothing of one that cannot be read.

    Arrow need not be loaded to see that a key is not there.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 8))
            length = int.from_bytes(file.read(4), "little")
            file.seek(max(0, size - 8 - length))
            return file.read(length)
    except OSError:
        return b""


def _looks_like_data(name: str) -> bool:
    endings = name.lower().rpartition("/")[2].split(".")[1:]
    return any(DATA_ENDINGS & set(re.findall(r"^[a-z0-9]+", ending)) for ending in endings)
