"""What is asked of a stranger's folder before a library may open it: no way out of it, no script, no bomb.

A dataset's card may name its files by patterns, and the `datasets` library follows them wherever they lead:
to another folder of this machine, or over the network. A few kilobytes of Parquet or gzip may hold
terabytes. Both are refused unread, by names and counts alone.
"""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.config.run import DataConfig
from tasks.core.errors import UnreadableSource
from tasks.core.text import one_line
from tasks.data.unpacked_size import MAX_BATCH_BYTES, arrow_sizes

CARDS = ("README.md", ".huggingface.yaml")  # where the library looks for patterns of files
MAX_CARD_BYTES = 1 << 20  # bytes of a card
READ_BYTES = 1 << 20
TYPE_BYTES = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "INT96": 12}  # bytes of a Parquet value


def require_safe_card(folder: Path, source: str) -> None:
    """Raise UnreadableSource for a loading script, or a card that names files outside of `folder`."""
    if (script := folder / f"{folder.name}.py").exists():
        raise UnreadableSource(f"{source}: {script.name} would be its loading script, and none is ever run; remove it")
    for name in CARDS:
        for pattern in _patterns(folder / name, source):
            if "://" in pattern or "::" in pattern or pattern.startswith(("/", "~")) or ".." in Path(pattern).parts:
                raise UnreadableSource(
                    f"{source}: expected {name} to name files of its own folder, found {pattern[:100]!r}"
                )


def require_files_inside(files: list[str], folder: Path, source: str) -> None:
    """Raise UnreadableSource where the library has found files elsewhere; links are left as they are."""
    root = os.path.abspath(folder)  # noqa: PTH100  # resolve() would follow the client's own links
    for file in map(str, files):
        if "://" in file or os.path.commonpath([root, os.path.abspath(file)]) != root:  # noqa: PTH100
            raise UnreadableSource(f"{source}: expected files of its own folder, found {file[:200]!r}")


def _patterns(card: Path, source: str) -> Iterator[str]:
    """Every text under the `configs` of a card: patterns, and names that look like none."""
    import yaml

    if not card.is_file():
        return
    if card.stat().st_size > MAX_CARD_BYTES:
        raise UnreadableSource(f"{source}: expected a {card.name} of at most {MAX_CARD_BYTES} bytes; shorten it")
    try:
        text = card.read_text(encoding="utf-8")
        head = (
            re.match(r"\s*---[ \t]*\r?\n(.*?)\r?\n---", text, re.S)
            if card.suffix == ".md"
            else re.match(r"(?s)(.*)", text)
        )
        told = yaml.safe_load(head[1]) if head else None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableSource(f"{source}: its {card.name} cannot be read: {one_line(error)}") from None
    yield from _texts(told.get("configs") if isinstance(told, dict) else None)


def _texts(told: Any) -> Iterator[str]:
    """Every text within; each object once, as YAML may name one a million times over."""
    waiting, seen = [told], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting += [*one, *one.values()]
        elif isinstance(one, list | tuple):
            waiting += one


def require_bounded(folder: Path, source: str, data: DataConfig) -> None:
    """Raise UnreadableSource where the folder's tables hold more than `data.most_records` or `data.most_bytes`."""
    rows = size = 0
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        if path.suffix == ".parquet":
            more, unpacked = _of_parquet(path)
            rows, size = rows + more, size + unpacked
        elif path.suffix == ".gz":
            size += _unpacked(path, source, data.most_bytes - size)
        elif path.suffix == ".arrow":
            size += _of_arrow(path, source)
        else:
            size += path.stat().st_size
        require_max_rows(rows, source, data)
        if size > data.most_bytes:
            raise _too_large(source, data)


def require_max_rows(rows: int, source: str, data: DataConfig) -> None:
    """Raise UnreadableSource for more rows than `data.most_records`."""
    if rows > data.most_records:
        raise UnreadableSource(
            f"{source}: expected at most {data.most_records:,} records, found {rows:,}; "
            "raise data.most_records if they are meant"
        )


def _too_large(source: str, data: DataConfig) -> UnreadableSource:
    return UnreadableSource(
        f"{source}: expected at most {data.most_bytes:,} bytes, unpacked, found more; "
        "raise data.most_bytes if they are meant"
    )


def _of_parquet(path: Path) -> tuple[int, int]:
    """Rows, and bytes as they will lie in memory: a constant column of a billion values is a few bytes here."""
    told, size = pq.read_metadata(path), 0
    for number in range(told.num_row_groups):
        group = told.row_group(number)
        for place in range(told.num_columns):
            column = group.column(place)
            size += max(column.num_values * TYPE_BYTES.get(column.physical_type, 1), column.total_uncompressed_size)
    return told.num_rows, size


def _of_arrow(path: Path, source: str) -> int:
    """Bytes of an Arrow file's batches once they are unpacked, none of which may be beyond all measure."""
    try:
        sizes = list(arrow_sizes(path))
    except (pa.ArrowException, OSError) as error:
        raise UnreadableSource(f"{source}: {path.name} is no whole Arrow file: {one_line(error)}") from None
    if max(sizes, default=0) > MAX_BATCH_BYTES:
        raise UnreadableSource(
            f"{source}: expected batches of at most {MAX_BATCH_BYTES:,} bytes, unpacked, found one of {max(sizes):,} in "
            f"{path.name}; write it in smaller ones"
        )
    return sum(sizes)


def _unpacked(path: Path, source: str, most: int) -> int:
    """The size of a gzip file's content; read no further than `most`, for its own word may be false."""
    size = 0
    try:
        with gzip.open(path) as file:
            while size <= most and (chunk := file.read(READ_BYTES)):
                size += len(chunk)
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableSource(f"{source}: {path.name} is no whole gzip file: {one_line(error)}") from None
    return size
