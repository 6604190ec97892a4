"""What is checked of an untrusted folder before a library opens it: no files elsewhere, no script, no bomb.

A dataset's card can name its files by patterns, and the `datasets` library follows them everywhere: to another
folder of this machine, or over the network. A few kilobytes of Parquet or gzip can hold terabytes. Both are refused
unread, by names and declared sizes alone.
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
from tasks.data.unpacked_size import MAX_BATCH_BYTES, arrow_batch_sizes, column_chunks

CARDS = ("README.md", ".huggingface.yaml")  # where the library looks for patterns of files
MAX_CARD_BYTES = 1 << 20
READ_BYTES = 1 << 20
TYPE_BYTES = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "INT96": 12}  # of a Parquet value


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


def _patterns(card: Path, source: str) -> Iterator[str]:
    """Every text under the `configs` of a card: the patterns, and other texts that are harmless."""
    import yaml

    if not card.is_file():
        return
    if card.stat().st_size > MAX_CARD_BYTES:
        raise UnreadableSource(f"{source}: expected a {card.name} of at most {MAX_CARD_BYTES} bytes; shorten it")
    try:
        text = card.read_text(encoding="utf-8")
        if card.suffix == ".md":
            front_matter = re.match(r"\s*---[ \t]*\r?\n(.*?)\r?\n---", text, re.S)
            text = front_matter[1] if front_matter else ""
        content = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableSource(f"{source}: its {card.name} cannot be read: {one_line(error)}") from None
    yield from _texts(content.get("configs") if isinstance(content, dict) else None)


def _texts(content: Any) -> Iterator[str]:
    """Every text within; each object once, because YAML can repeat one a million times."""
    waiting, seen = [content], set()
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            waiting += [*item, *item.values()]
        elif isinstance(item, list | tuple):
            waiting += item


def require_files_inside(files: list[str], folder: Path, source: str) -> None:
    """Raise UnreadableSource where the library names files outside of `folder`; links are not followed."""
    root = os.path.abspath(folder)  # noqa: PTH100  # resolve() would follow the client's own links
    for file in map(str, files):
        if "://" in file or os.path.commonpath([root, os.path.abspath(file)]) != root:  # noqa: PTH100
            raise UnreadableSource(f"{source}: expected files of its own folder, found {file[:200]!r}")


def require_bounded(folder: Path, source: str, data: DataConfig) -> None:
    """Raise UnreadableSource where the folder's tables hold more than `data.most_records` or `data.most_bytes`."""
    rows = size = 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.suffix == ".parquet":
            more_rows, more_bytes = _parquet_size(path)
            rows, size = rows + more_rows, size + more_bytes
        elif path.suffix == ".gz":
            size += _gzip_size(path, source, data.most_bytes - size)
        elif path.suffix == ".arrow":
            size += _arrow_size(path, source)
        else:
            size += path.stat().st_size
        require_max_rows(rows, source, data)
        if size > data.most_bytes:
            raise UnreadableSource(
                f"{source}: expected at most {data.most_bytes:,} bytes, unpacked, found more; "
                "raise data.most_bytes if they are meant"
            )


def require_max_rows(rows: int, source: str, data: DataConfig) -> None:
    """Raise UnreadableSource for more rows than `data.most_records`."""
    if rows > data.most_records:
        raise UnreadableSource(
            f"{source}: expected at most {data.most_records:,} records, found {rows:,}; "
            "raise data.most_records if they are meant"
        )


def _parquet_size(path: Path) -> tuple[int, int]:
    """Rows, and bytes in memory: a constant column of a billion values takes only a few bytes in the file."""
    metadata = pq.read_metadata(path)
    sizes = (
        max(column.num_values * TYPE_BYTES.get(column.physical_type, 1), column.total_uncompressed_size)
        for column in column_chunks(metadata)
    )
    return metadata.num_rows, sum(sizes)


def _arrow_size(path: Path, source: str) -> int:
    """Bytes of an Arrow file once unpacked; raises UnreadableSource for one batch above MAX_BATCH_BYTES."""
    try:
        sizes = list(arrow_batch_sizes(path))
    except (pa.ArrowException, OSError) as error:
        raise UnreadableSource(f"{source}: {path.name} is no whole Arrow file: {one_line(error)}") from None
    if max(sizes, default=0) > MAX_BATCH_BYTES:
        raise UnreadableSource(
            f"{source}: expected batches of at most {MAX_BATCH_BYTES:,} bytes, unpacked, found one of {max(sizes):,} in "
            f"{path.name}; write it in smaller ones"
        )
    return sum(sizes)


def _gzip_size(path: Path, source: str, maximum: int) -> int:
    """The size of a gzip file's content, read up to `maximum`: the size that it declares may be false."""
    size = 0
    try:
        with gzip.open(path) as file:
            while size <= maximum and (chunk := file.read(READ_BYTES)):
                size += len(chunk)
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableSource(f"{source}: {path.name} is no whole gzip file: {one_line(error)}") from None
    return size
