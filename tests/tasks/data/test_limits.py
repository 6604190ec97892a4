"""A stranger's folder: what leads out of it, runs code, or would fill the memory is refused unread."""

from __future__ import annotations

import gzip
import json

import numpy as np
from support import inspected_parts as parts
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.cache import cache
from tasks.config.run import DataConfig
from tasks.download import download, resolve
from tasks.core.errors import UnreadableSource


def cached(folder, tmp_path, **data):
    """The folder after download and cache."""
    config = parts.configured(tmp_path, data=DataConfig(rows=parts.ROWS, cols=parts.COLS, **data))
    return cache(download(resolve(str(folder), None, config.data_path)), config.data, config.data_path)


@pytest.fixture
def folder(tmp_path):
    """A sound source."""
    return parts.source(parts.map_column(parts.inspected()), tmp_path / "boards").resolved.location


@pytest.mark.parametrize(
    "pattern",
    [
        "../other/*.parquet",
        "/etc/*",
        "~/x",
        "http://127.0.0.1:9/x.parquet",
        "zip://x::http://127.0.0.1:9/x",
        "a/../../b",
    ],
)
def test_a_card_that_names_files_elsewhere(tmp_path, folder, pattern):
    parts.source(parts.map_column(parts.inspected(seed=5)), tmp_path / "other")
    card = f"---\nconfigs:\n- config_name: default\n  data_files: {json.dumps(pattern)}\n---\n"
    (tmp_path / "boards" / "README.md").write_text(card)
    with pytest.raises(UnreadableSource, match=r"expected README.md to name files of its own folder"):
        cached(folder, tmp_path)


def test_a_card_that_names_its_own_files_is_followed(tmp_path, folder):
    (tmp_path / "boards" / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files: '*.parquet'\n---\n"
    )
    assert cached(folder, tmp_path).stage.facts["records"] == 36


def test_a_loading_script_is_never_run(tmp_path, folder):
    (tmp_path / "boards" / "boards.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(UnreadableSource, match="none is ever run"):
        cached(folder, tmp_path)
    assert not (tmp_path / "ran").exists()


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
        file.write(b"0" * 12_000_000)
    for name in ("parquet", "gzip"):
        with pytest.raises(UnreadableSource, match="most_bytes"):
            cached(tmp_path / name, tmp_path, most_bytes=10_000_000)


@pytest.mark.parametrize("content", [b"", b"\n", b" "])
def test_an_empty_json_file_is_told_in_one_line(tmp_path, content):
    """The library ends in a StopIteration there."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "t.json").write_bytes(content)
    with pytest.raises(UnreadableSource, match="cannot be read as a table"):
        cached(tmp_path / "empty", tmp_path)
