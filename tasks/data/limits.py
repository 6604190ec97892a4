"""What is checked of untrusted tables before they are read: a few kilobytes of Parquet or gzip can hold terabytes.

They are refused unread, by declared sizes alone.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.config.run import DataConfig
from tasks.core.errors import UnreadableSource
from tasks.core.text import one_line
from tasks.data.unpacked_size import MAX_BATCH_BYTES, arrow_batch_sizes, column_chunks

READ_BYTES = 1 << 20
TYPE_BYTES = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "INT96": 12}  # of a Parquet value


def require_bounded(paths: list[Path], source: str, data: DataConfig) -> None:
    """Raise UnreadableSource where tables hold more than `data.most_records` or `data.most_bytes`."""
    rows = size = 0
    for path in paths:
        kind = path.suffix.lower()
        if kind == ".parquet":
            more_rows, more_bytes = _parquet_size(path)
            rows, size = rows + more_rows, size + more_bytes
        elif kind == ".gz":
            size += _gzip_size(path, source, data.most_bytes - size)
        elif kind == ".arrow":
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
            f"{source}: expected batches of at most {MAX_BATCH_BYTES:,} bytes, unpacked, found one of {max(sizes):,} "
            f"in {path.name}; write it in smaller ones"
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
