"""Parts of files: together they are the file, in its order, and each knows its place."""

from __future__ import annotations

import pickle

import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from support import inspected_parts as parts

from tasks.caching.file_parts import file_parts
from tasks.core.results import DownloadedSource, PinnedSource
from tasks.data.decode import decode
from tasks.data.readers import open_source
from tasks.data.schema import detect_layout


def opened(folder):
    return open_source(DownloadedSource(PinnedSource("s", "folder", str(folder), "r1"), str(folder)), parts.DATA, False)


@pytest.mark.parametrize(("rows", "sizes"), [(1000, [60]), (25, [20, 20, 20]), (40, [40, 20]), (1, [10] * 6)])
def test_row_groups_are_joined_to_parts_that_are_the_file(tmp_path, rows, sizes):
    part = parts.inspected(each=20)
    pq.write_table(parts.map_column(part), tmp_path / "a.parquet", row_group_size=10)
    table = opened(tmp_path)
    found = list(file_parts(table, parts.DATA, rows))
    assert [count for _, count in found] == sizes
    layout, names = detect_layout(table.schema, parts.DATA), []
    for file_part, _ in pickle.loads(pickle.dumps(found)):
        for batch in file_part.batches(table.columns):
            names += next(decode(batch, layout, parts.DATA)).id
    assert names == [f"a.parquet:{row}" for row in range(60)]


def test_another_file_is_one_part_of_estimated_size(tmp_path):
    pyarrow.csv.write_csv(parts.wide_records(parts.inspected(each=20)), tmp_path / "a.csv")
    table = opened(tmp_path)
    [(file_part, count)] = file_parts(table, parts.DATA, 10)
    assert 60 < count < 600
    assert sum(batch.num_rows for batch in file_part.batches(table.columns)) == 60
