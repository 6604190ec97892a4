"""How large a packed table is once it is read: counted in its own words and lengths, before memory is spent.

Two kinds of bomb pass a look at a file's metadata. Parquet may name one long text a million times over, a byte
each; and a compressed batch of Arrow tells the size of each buffer in the buffer alone.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

SMALL_FILE_BYTES = 1 << 17  # bytes of a column's texts, below which no batch of rows can grow large
MAX_TEXT_BYTES = 10_000  # bytes of one text: a label, a mode or a group is a name
MAX_BATCH_BYTES = 2 << 30  # bytes of one batch of Arrow, which is unpacked as a whole
FILE_MAGIC, DICTIONARY, BATCH = b"ARROW1", 2, 3  # Arrow's Message.fbs: DictionaryBatch, RecordBatch


def find_oversized_text(path: Path, names: list[str]) -> str | None:
    """What is wrong with a Parquet file's columns of text, if one holds a text longer than MOST_TEXT.

    They are read as numbers of words, so that each word lies in memory once.
    """
    told = pq.read_metadata(path)
    columns = [
        told.row_group(number).column(place)
        for number in range(told.num_row_groups)
        for place in range(told.num_columns)
    ]
    large = {
        one.path_in_schema for one in columns if one.physical_type == "BYTE_ARRAY" and one.total_uncompressed_size > SMALL_FILE_BYTES
    }
    wanted = [name for name in names if name in large]
    if not wanted:
        return None
    reader = pq.ParquetFile(path, read_dictionary=wanted, pre_buffer=False)
    for batch in reader.iter_batches(columns=wanted):
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            words = column.dictionary if isinstance(column, pa.DictionaryArray) else column
            longest = pc.max(pc.binary_length(words)).as_py() or 0
            if longest > MAX_TEXT_BYTES:
                return f"one of {longest:,} bytes in the column {name}"
    return None


def arrow_sizes(path: Path) -> Iterator[int]:
    """The bytes of every batch of an Arrow file once it is unpacked, by the lengths before its buffers.

    Raises ArrowInvalid for what is no Arrow.
    """
    with pa.memory_map(str(path)) as file:
        file.seek(8 if file.read(6) == FILE_MAGIC else 0)
        for message in pa.ipc.MessageReader.open_stream(file):
            if message.type in ("record batch", "dictionary"):
                yield _of_message(np.frombuffer(message.metadata, np.uint8).tobytes(), message.body)


def _of_message(head: bytes, body: pa.Buffer) -> int:
    """A batch's buffers: as they lie there, or as long as each says of itself where they are compressed."""
    try:
        batch = _table(head, _root(head), 2)
        if _scalar(head, _root(head), 1, "<B") == DICTIONARY:
            batch = _table(head, batch, 1)
        buffers = _table(head, batch, 2)
        count, size = struct.unpack_from("<I", head, buffers)[0], 0
        packed = _field(head, batch, 3) is not None
        for number in range(count):
            start, length = struct.unpack_from("<qq", head, buffers + 4 + 16 * number)
            told = struct.unpack_from("<q", body, start)[0] if packed and length >= 8 else -1
            size += max(length, told)
    except (struct.error, TypeError):
        raise pa.ArrowInvalid("a batch whose head does not say what it holds") from None
    return size


def _root(head: bytes) -> int:
    return struct.unpack_from("<I", head, 0)[0]


def _field(head: bytes, table: int, number: int) -> int | None:
    """Where a field of a flatbuffer's table lies; None where it is not set."""
    layout = table - struct.unpack_from("<i", head, table)[0]
    size = struct.unpack_from("<H", head, layout)[0]
    place = struct.unpack_from("<H", head, layout + 4 + 2 * number)[0] if 4 + 2 * number < size else 0
    return table + place if place else None


def _table(head: bytes, table: int, number: int) -> int:
    """Where the table or vector lies to which a field points."""
    place = _field(head, table, number)
    return place + struct.unpack_from("<I", head, place)[0]


def _scalar(head: bytes, table: int, number: int, kind: str) -> int:
    place = _field(head, table, number)
    return 0 if place is None else struct.unpack_from(kind, head, place)[0]
