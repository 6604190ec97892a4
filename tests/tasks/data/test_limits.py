"""A stranger's tables: what would fill the memory is refused unread."""

from __future__ import annotations

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support import inspected_parts as parts

from tasks.cache import cache
from tasks.config.run import DataConfig
from tasks.core.errors import UnreadableSource
from tasks.download import download, resolve


def cached(folder, tmp_path, **data):
    """The folder after download and cache."""
    config = parts.configured(tmp_path, data=DataConfig(rows=parts.ROWS, cols=parts.COLS, **data))
    return cache(download(resolve(str(folder), None, config.data_path)), config.data, config.data_path)


@pytest.fixture
def folder(tmp_path):
    """A sound source."""
    return parts.source(parts.map_column(parts.inspected()), tmp_path / "boards").resolved.location


def test_more_records_or_bytes_than_the_bounds(tmp_path, folder):
    with pytest.raises(UnreadableSource, match=r"expected at most 35 records, found 36; raise data.most_records"):
        cached(folder, tmp_path, most_records=35)
    with pytest.raises(UnreadableSource, match=r"expected at most 100 bytes, unpacked, found more"):
        cached(folder, tmp_path, most_bytes=100)
    assert cached(folder, tmp_path, most_records=36).stage.facts["records"] == 36


def test_bombs_are_counted_not_unpacked(tmp_path):
    (tmp_path / "parquet").mkdir()
    many = pa.ListArray.from_arrays(pa.array([0, 3_000_000]), pa.array(np.zeros(3_000_000, np.float32)))
    pq.write_table(pa.table({"map": many}), tmp_path / "parquet" / "t.parquet", compression="zstd")
    assert (tmp_path / "parquet" / "t.parquet").stat().st_size < 10_000
    (tmp_path / "gzip").mkdir()
    with gzip.open(tmp_path / "gzip" / "t.csv.gz", "wb") as file:
        file.write(b"data0,label\n" + b"0,0\n" * 3_000_000)
    for name in ("parquet", "gzip"):
        with pytest.raises(UnreadableSource, match="most_bytes"):
            cached(tmp_path / name, tmp_path, most_bytes=10_000_000)


@pytest.mark.parametrize("content", [b"", b"\n", b" "])
def test_an_empty_json_file_is_told_in_one_line(tmp_path, content):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "t.json").write_bytes(content)
    with pytest.raises(UnreadableSource, match="expected records, found json files without rows"):
        cached(tmp_path / "empty", tmp_path)
