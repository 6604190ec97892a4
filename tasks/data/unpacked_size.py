"""The size of a packed table once it is read, from the lengths that it declares, before any memory is allocated.

Two kinds of bomb do not show in a file's metadata. Parquet can repeat one long text a million times at one byte
each; and a compressed batch of Arrow declares the size of each buffer only in the buffer itself. Arrow has no limit
for its reader, so that these lengths are read here, by the layout of its `Message.fbs`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from flatbuffers import encode, packer
from flatbuffers.table import Table

SMALL_COLUMN_BYTES = 1 << 17  # of a column's texts; below it no batch of rows can grow large
MAX_TEXT_BYTES = 10_000  # of one text: a label, a mode or a group is a name
MAX_BATCH_BYTES = 2 << 30  # of one batch of Arrow, which is unpacked as a whole
FILE_MAGIC = b"ARROW1"
# Offsets of fields in the tables of Message.fbs: number n of a table stands at 4 + 2n.
MESSAGE_HEADER, DICTIONARY_DATA, BATCH_BUFFERS, BATCH_COMPRESSION = 8, 6, 8, 10


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
