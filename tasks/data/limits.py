"""What is checked of untrusted tables before they are read: a few kilobytes of Parquet or gzip can hold terabytes.

They are refused unread, by declared sizes alone, before any memory is allocated. Two kinds of bomb do not show in a
file's metadata. Parquet can repeat one long text a million times at one byte each; and a compressed batch of Arrow
declares the size of each buffer only in the buffer itself. Arrow has no limit for its reader, so that these lengths
are read here, by the layout of its `Message.fbs`.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from flatbuffers import encode, packer
from flatbuffers.table import Table

from tasks.config.run import DataConfig
from tasks.core.errors import UnreadableSource
from tasks.core.text import one_line

READ_BYTES = 1 << 20
TYPE_BYTES = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "INT96": 12}  # of a Parquet value
SMALL_COLUMN_BYTES = 1 << 17  # of a column's texts; below it no batch of rows can grow large
MAX_TEXT_BYTES = 10_000  # of one text: a label, a mode or a group is a name
MAX_BATCH_BYTES = 2 << 30  # of one batch of Arrow, which is unpacked as a whole
FILE_MAGIC = b"ARROW1"
# Offsets of fields in the tables of Message.fbs: number n of a table stands at 4 + 2n.
MESSAGE_HEADER, DICTIONARY_DATA, BATCH_BUFFERS, BATCH_COMPRESSION = 8, 6, 8, 10


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


def find_oversized_text(path: Path, names: list[str]) -> str | None:
    """A description of the first text longer than MAX_TEXT_BYTES in these columns of a Parquet file; None without one.

    The columns are read as dictionaries, so that each text is in memory once.
    """
    large = {
        column.path_in_schema
        for column in column_chunks(pq.read_metadata(path))
        if column.physical_type == "BYTE_ARRAY" and column.total_uncompressed_size > SMALL_COLUMN_BYTES
    }
    columns = [name for name in names if name in large]
    if not columns:
        return None
    reader = pq.ParquetFile(path, read_dictionary=columns, pre_buffer=False)
    for batch in reader.iter_batches(columns=columns):
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            texts = column.dictionary if isinstance(column, pa.DictionaryArray) else column
            longest = pc.max(pc.binary_length(texts)).as_py() or 0
            if longest > MAX_TEXT_BYTES:
                return f"one of {longest:,} bytes in the column {name}"
    return None


def column_chunks(metadata: pq.FileMetaData) -> Iterator[pq.ColumnChunkMetaData]:
    """The metadata of every column of every row group of a Parquet file."""
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        yield from map(group.column, range(metadata.num_columns))


def arrow_batch_sizes(path: Path) -> Iterator[int]:
    """The bytes of every batch and dictionary of an Arrow file once it is unpacked; ArrowInvalid for another file."""
    with pa.memory_map(str(path)) as file:
        file.seek(8 if file.read(6) == FILE_MAGIC else 0)
        for message in pa.ipc.MessageReader.open_stream(file):
            if message.type in ("record batch", "dictionary"):
                yield _message_size(message)


def _message_size(message: pa.ipc.Message) -> int:
    """The bytes of a batch's buffers: their own, or the length before each where they are compressed."""
    try:
        metadata = np.frombuffer(message.metadata, np.uint8).tobytes()
        batch = _child(Table(metadata, encode.Get(packer.uoffset, metadata, 0)), MESSAGE_HEADER)
        if message.type == "dictionary":
            batch = _child(batch, DICTIONARY_DATA)
        if not (vector := batch.Offset(BATCH_BUFFERS)):
            return 0
        buffers = np.frombuffer(metadata, "<i8", 2 * batch.VectorLen(vector), batch.Vector(vector)).reshape(-1, 2)
        if not batch.Offset(BATCH_COMPRESSION):
            return int(buffers[:, 1].sum())
        return sum(_unpacked_bytes(message.body, int(start), int(length)) for start, length in buffers)
    except (struct.error, ValueError, TypeError):
        raise pa.ArrowInvalid("a batch whose metadata does not say what it holds") from None


def _child(table: Table, field: int) -> Table:
    return Table(table.Bytes, table.Indirect(table.Pos + table.Offset(field)))


def _unpacked_bytes(body: pa.Buffer, start: int, length: int) -> int:
    """The bytes of a compressed buffer once unpacked; −1 before it says that it is stored as it is."""
    return max(length, int(np.frombuffer(body, "<i8", 1, start)[0])) if length >= 8 else length
