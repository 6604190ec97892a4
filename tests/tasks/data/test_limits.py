"""A stranger's tables: what would fill the memory is refused unread, by the lengths that it declares itself."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as pf
import pyarrow.parquet as pq
import pytest
from support import inspected_parts as parts
from support.project import ROOT

from tasks.cache import cache
from tasks.config.run import DataConfig
from tasks.core.errors import UnreadableSource
from tasks.data.limits import arrow_batch_sizes, find_oversized_text
from tasks.download import download, resolve

READ = """
import resource, sys
from tasks.cache import cache
from tasks.config.run import DataConfig, RunConfig
from tasks.download import download, resolve
from tasks.core.errors import UnreadableSource
import tasks.data.readers, datasets
folder, data = sys.argv[1:]
config = RunConfig(data=DataConfig(rows=4, cols=5), data_folder=data)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    cache(download(resolve(folder, None, config.data_path)), config.data, config.data_path)
except UnreadableSource as error:
    print(error)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


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


def read_apart(folder: Path, data: Path) -> tuple[str, int]:
    """What the cache says of a folder, and by how many MB it grew, in a process of its own."""
    words = [sys.executable, "-c", READ, str(folder), str(data)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    told, growth = done.stdout.splitlines()
    return told, int(growth)


@pytest.mark.slow
def test_a_long_text_that_is_named_often_is_refused_in_little_memory(tmp_path):
    """200 000 times a megabyte, in a few kilobytes."""
    table, count = parts.map_column(parts.inspected()), 200_000
    rows = table.take(np.arange(count) % len(table)).drop_columns(["fmode"])
    names = pa.DictionaryArray.from_arrays(np.zeros(count, np.int32), pa.array(["x" * 1_000_000]))
    (tmp_path / "bomb").mkdir()
    path = tmp_path / "bomb" / "t.parquet"
    pq.write_table(rows.append_column("fmode", names), path, compression="zstd", dictionary_pagesize_limit=1 << 24)
    assert path.stat().st_size < 1 << 20
    told, growth = read_apart(tmp_path / "bomb", tmp_path / "data")
    assert "expected texts of at most 10,000 bytes, found one of 1,000,000 bytes in the column fmode" in told
    assert growth < 500


def test_texts_of_ordinary_length_are_read_however_many(tmp_path):
    path = tmp_path / "t.parquet"
    names = pa.array([f"lot {number:09d}, " + "y" * 200 for number in range(2000)])
    pq.write_table(pa.table({"group": names}), path)
    assert find_oversized_text(path, ["group"]) is None
    pq.write_table(pa.table({"group": ["z" * 200_000], "other": ["z" * 200_000]}), path)
    assert find_oversized_text(path, ["group"]) == "one of 200,000 bytes in the column group"
    assert find_oversized_text(path, []) is None


@pytest.mark.parametrize("compression", ["zstd", "lz4", "uncompressed"])
def test_batches_of_arrow_tell_their_size_unpacked(tmp_path, compression):
    """Three batches of 8 and 4 bytes a row, and the dictionary before them."""
    columns = {"a": np.zeros(3000), "m": pa.array(["x"] * 3000).dictionary_encode()}
    pf.write_feather(pa.table(columns), tmp_path / "t.arrow", compression=compression, chunksize=1000)
    *first, one, two, three = arrow_batch_sizes(tmp_path / "t.arrow")
    assert (one, two, three) == (12_000,) * 3
    assert len(first) == 1


def test_a_stream_of_arrow_is_counted_too(tmp_path):
    table = pa.table({"a": np.zeros(3000)})
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with (
        pa.OSFile(str(tmp_path / "t.arrow"), "wb") as file,
        pa.ipc.new_stream(file, table.schema, options=options) as to,
    ):
        to.write_table(table)
    assert list(arrow_batch_sizes(tmp_path / "t.arrow")) == [24_000]


def test_an_arrow_bomb_is_refused_unread(tmp_path, monkeypatch):
    (tmp_path / "bomb").mkdir()
    pf.write_feather(pa.table({"a": np.zeros(4_000_000)}), tmp_path / "bomb" / "t.arrow", compression="zstd")
    assert (tmp_path / "bomb" / "t.arrow").stat().st_size < 100_000
    with pytest.raises(UnreadableSource, match=r"expected at most 10,000,000 bytes, unpacked"):
        cached(tmp_path / "bomb", tmp_path, most_bytes=10_000_000)
    monkeypatch.setattr("tasks.data.limits.MAX_BATCH_BYTES", 500_000)
    with pytest.raises(UnreadableSource, match=r"batches of at most 500,000 bytes, unpacked, found one of 524,288"):
        cached(tmp_path / "bomb", tmp_path)


@pytest.mark.parametrize("content", [b"", b"ARROW1\0\0", b"ARROW1\0\0" + b"\xff" * 400, b"no Arrow at all, but text"])
def test_what_is_no_arrow_is_told_in_one_line(tmp_path, content):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "t.arrow").write_bytes(content)
    with pytest.raises(UnreadableSource) as told:
        cached(tmp_path / "bad", tmp_path)
    assert "\n" not in str(told.value)


def test_columns_that_nobody_asks_for_are_not_read(tmp_path):
    """A picture beside the map: not refused, not decoded."""
    table = parts.map_column(parts.inspected())
    beside = table.append_column("picture", pa.array([b"p" * 300_000] * len(table)))
    (tmp_path / "source").mkdir()
    pq.write_table(beside, tmp_path / "source" / "t.parquet")
    assert cached(tmp_path / "source", tmp_path).stage.facts["records"] == 36


def test_a_dictionary_counts_with_its_texts(tmp_path):
    """Two texts of a megabyte, which a thousand rows name."""
    names = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 500, pa.int32()), pa.array(["x" * 2**20, "y" * 2**20]))
    pf.write_feather(pa.table({"m": names}), tmp_path / "t.arrow", compression="uncompressed")
    assert max(arrow_batch_sizes(tmp_path / "t.arrow")) >= 2 * 2**20
