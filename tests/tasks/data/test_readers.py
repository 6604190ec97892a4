"""A source as a stream: every kind of file, the part that was asked for, few rows at a time, errors in one line."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.feather as pf
import pyarrow.parquet as pq
import pytest
from support.inspected_parts import DATA, inspected, map_column, wide_records

from tasks.core.errors import BadSetting, UnreadableSource
from tasks.core.results import DownloadedSource, PinnedSource
from tasks.data.readers import BATCH_ROWS, open_source, stream_source

PARTS = inspected(each=1500)
READ = """
import sys
import pyarrow as pa
from tasks.config.run import DataConfig
from tasks.core.results import DownloadedSource, PinnedSource
from tasks.data.readers import stream_source
folder = sys.argv[1]
source = DownloadedSource(PinnedSource(folder, "folder", folder, "0" * 40), folder)
with stream_source(source, DataConfig(), True) as batches:
    rows = sum(batch.num_rows for batch in batches)
print(rows, pa.default_memory_pool().max_memory() // 2**20)
"""


def folder_source(folder):
    return DownloadedSource(PinnedSource(str(folder), "folder", str(folder), "0" * 40), str(folder))


def test_every_kind_of_file_gives_the_same_records(tmp_path):
    table = wide_records(PARTS)
    writers = {
        "parquet": lambda path: pq.write_table(table, path),
        "csv": lambda path: pc.write_csv(table, path),
        "arrow": lambda path: pf.write_feather(table, path, compression="uncompressed"),
        "jsonl": lambda path: table.to_pandas().to_json(path, orient="records", lines=True, double_precision=15),
    }
    for kind, write in writers.items():
        (tmp_path / kind).mkdir()
        write(tmp_path / kind / f"records.{kind}")
        with stream_source(folder_source(tmp_path / kind), DATA, True) as batches:
            found = list(batches)
        assert max(batch.num_rows for batch in found) <= BATCH_ROWS
        values = np.concatenate([batch.column("data7").to_numpy(zero_copy_only=False) for batch in found])
        np.testing.assert_allclose(values, PARTS.maps[:, 7], rtol=1e-6, err_msg=kind)


def test_the_test_part_is_preferred(tmp_path):
    table = map_column(PARTS)
    for name, rows in (("train", 30), ("test", 20)):
        (tmp_path / "data").mkdir(exist_ok=True)
        pq.write_table(table.slice(0, rows), tmp_path / "data" / f"{name}-00000.parquet")
    for held_out, rows in ((True, 20), (False, 30)):
        with stream_source(folder_source(tmp_path), DATA, held_out) as batches:
            assert sum(batch.num_rows for batch in batches) == rows


def test_a_part_that_is_not_there_is_named(tmp_path):
    pq.write_table(map_column(PARTS), tmp_path / "train.parquet")
    missing = pytest.raises(BadSetting, match="expected the split middle, found train")
    with stream_source(folder_source(tmp_path), replace(DATA, part="middle"), True) as batches, missing:
        next(batches)


@pytest.mark.parametrize("broken", ["truncated", "csv"])
def test_what_cannot_be_read_is_told_in_one_line(tmp_path, broken):
    if broken == "csv":
        (tmp_path / "records.csv").write_bytes(b'a,b\n"1,2\n3')
    else:
        pq.write_table(map_column(PARTS), tmp_path / "records.parquet")
        whole = (tmp_path / "records.parquet").read_bytes()
        (tmp_path / "records.parquet").write_bytes(whole[: len(whole) // 2])
    with stream_source(folder_source(tmp_path), DATA, True) as batches, pytest.raises(UnreadableSource) as told:
        list(batches)
    assert "\n" not in str(told.value)


def test_files_of_one_source_must_agree_about_their_columns(tmp_path):
    """Another order or width of numbers is read alike; another column is told in one line."""
    table = map_column(PARTS)
    pq.write_table(table, tmp_path / "train-00000.parquet")
    label = pa.array(table["label"].to_pylist(), pa.int8())
    turned = pa.table({"fmode": table["fmode"], "label": label, "map": table["map"]})
    pq.write_table(turned, tmp_path / "train-00001.parquet")
    with open_source(folder_source(tmp_path), DATA, False, tmp_path) as source:
        batches = list(source.batches)
    assert {batch.schema for batch in batches} == {source.schema}
    assert pa.Table.from_batches(batches).equals(pa.concat_tables([table, table]))
    pq.write_table(turned.drop_columns(["fmode"]), tmp_path / "train-00001.parquet")
    with open_source(folder_source(tmp_path), DATA, False, tmp_path) as source, pytest.raises(UnreadableSource) as told:
        list(source.batches)
    assert "fmode" in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.slow
def test_one_large_row_group_is_not_held_in_memory(tmp_path):
    """90 MB in one row group: Arrow must need far less to read it all, in another process."""
    values = np.random.default_rng(0).random((16_000, 1404), np.float32)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), 1404)
    pq.write_table(pa.table({"map": lists}), tmp_path / "records.parquet", use_dictionary=False, row_group_size=16_000)
    done = subprocess.run([sys.executable, "-c", READ, tmp_path], capture_output=True, text=True, check=True)
    rows, peak = map(int, done.stdout.split())
    assert rows == 16_000
    assert peak < 60, f"{peak} MB"
