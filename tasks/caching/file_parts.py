"""Parts of a source's files that can be read alone, by other processes, too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.config.run import DataConfig
from tasks.data.decode import complete, slices
from tasks.data.listing import table_kind
from tasks.data.readers import BATCH_ROWS, BUFFER_BYTES, TableFile, TableSource, open_file, require_short_texts

VALUE_BYTES = 4


@dataclass(frozen=True)
class FilePart:
    """A file of a source, or the row groups `groups` of a Parquet file, which begin at its row `first`.

    Small, so that it can be sent to a worker, which sees the file under the same path.
    """

    path: Path
    name: str
    class_names: dict[str, list[str]]
    groups: tuple[int, ...] | None = None
    first: int = 0

    def batches(self, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
        """Its batches with these columns, each of which knows its place."""
        if self.groups is None:
            file = open_file(self.path.parent, self.path.name, self.class_names)
            batches = file.read([name for name in columns if name in set(file.schema.names)])
        else:
            if 0 in self.groups:  # all of them are checked at once
                require_short_texts(self.path, self.name, columns)
            reader = pq.ParquetFile(self.path, pre_buffer=False, buffer_size=BUFFER_BYTES)
            present = [name for name in columns if name in set(reader.schema_arrow.names)]
            batches = reader.iter_batches(BATCH_ROWS, row_groups=self.groups, columns=present)
        for batch in complete(batches, columns, self.name, self.class_names, self.first):
            yield from slices(batch, BATCH_ROWS)


def file_parts(table: TableSource, data: DataConfig, rows: int) -> Iterator[tuple[FilePart, float]]:
    """The parts of all files, of at most `rows` records where a file can be divided, and about how many each has.

    The numbers of a Parquet file's parts are whole and exact, others are estimated by the file's size.
    """
    for file in table.files:
        if table_kind(file.path.name) == "parquet":
            yield from _row_groups(file, rows)
        else:
            weight = file.path.stat().st_size / (data.rows * data.cols * VALUE_BYTES)
            yield FilePart(file.path.resolve(), file.name, file.class_names), weight


def _row_groups(file: TableFile, rows: int) -> Iterator[tuple[FilePart, float]]:
    metadata = pq.read_metadata(file.path)
    first, begin, size = 0, 0, 0
    for group in range(metadata.num_row_groups):
        size += metadata.row_group(group).num_rows
        last = group + 1 == metadata.num_row_groups
        if last or size + metadata.row_group(group + 1).num_rows > rows:
            groups = tuple(range(begin, group + 1))
            yield FilePart(file.path.resolve(), file.name, file.class_names, groups, first), size
            first, begin, size = first + size, group + 1, 0
