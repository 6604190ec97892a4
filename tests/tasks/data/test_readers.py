"""A source as a stream: every kind of file, the part that was asked for, few rows at a time, errors in one line."""

from __future__ import annotations

import json
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
from tasks.data.decode import as_text
from tasks.data.readers import BATCH_ROWS, open_source

PARTS = inspected(each=1500)
READ = """
import sys
import pyarrow as pa
from tasks.config.run import DataConfig
from tasks.core.results import DownloadedSource, PinnedSource
from tasks.data.decode import as_text
from tasks.data.readers import open_source
folder = sys.argv[1]
source = DownloadedSource(PinnedSource(folder, "folder", folder, "0" * 40), folder)
rows = sum(batch.num_rows for batch in open_source(source, DataConfig(), True).batches)
print(rows, pa.default_memory_pool().max_memory() // 2**20)
"""


def folder_source(folder):
    return DownloadedSource(PinnedSource(str(folder), "folder", str(folder), "0" * 40), str(folder))


def rows_of(source):
    return sum(batch.num_rows for batch in source.batches)


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
        found = list(open_source(folder_source(tmp_path / kind), DATA, True).batches)
        assert max(batch.num_rows for batch in found) <= BATCH_ROWS
        values = np.concatenate([batch.column("data7").to_numpy(zero_copy_only=False) for batch in found])
        np.testing.assert_allclose(values, PARTS.maps[:, 7], rtol=1e-6, err_msg=kind)


def test_the_test_part_is_preferred(tmp_path):
    table = map_column(PARTS)
    for name, rows in (("train", 30), ("test", 20)):
        (tmp_path / "data").mkdir(exist_ok=True)
        pq.write_table(table.slice(0, rows), tmp_path / "data" / f"{name}-00000.parquet")
    for held_out, rows in ((True, 20), (False, 30)):
        assert rows_of(open_source(folder_source(tmp_path), DATA, held_out)) == rows


def test_a_part_that_is_not_there_is_named(tmp_path):
    pq.write_table(map_column(PARTS), tmp_path / "train.parquet")
    with pytest.raises(BadSetting, match="expected the split middle, found train"):
        open_source(folder_source(tmp_path), replace(DATA, part="middle"), True)


@pytest.mark.parametrize("broken", ["truncated", "csv"])
def test_what_cannot_be_read_is_told_in_one_line(tmp_path, broken):
    if broken == "csv":
        (tmp_path / "records.csv").write_bytes(b'a,b\n"1,2\n3')
    else:
        pq.write_table(map_column(PARTS), tmp_path / "records.parquet")
        whole = (tmp_path / "records.parquet").read_bytes()
        (tmp_path / "records.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableSource) as error:
        list(open_source(folder_source(tmp_path), DATA, True).batches)
    assert "\n" not in str(error.value)


def test_another_order_or_width_of_numbers_is_read_alike(tmp_path):
    table = map_column(PARTS)
    pq.write_table(table, tmp_path / "train-00000.parquet")
    label = pa.array(table["label"].to_pylist(), pa.int8())
    turned = pa.table({"fmode": table["fmode"], "label": label, "map": table["map"]})
    pq.write_table(turned, tmp_path / "train-00001.parquet")
    batches = list(open_source(folder_source(tmp_path), DATA, False).batches)
    assert {tuple(batch.schema.names) for batch in batches} == {("map", "label", "fmode")}
    labels = [label for batch in batches for label in batch["label"].to_pylist()]
    assert labels == 2 * table["label"].to_pylist()


def read(folder, held_out=False, **data):
    """The rows of a source, and its findings about files."""
    source = open_source(folder_source(folder), replace(DATA, **data), held_out)
    texts = [[as_text(batch, name) for name in ("label", "fmode", "group")] for batch in source.batches]
    return [row for columns in texts for row in zip(*columns, strict=True)], source


def rows(count, **columns):
    """Wide records whose columns are replaced, or dropped where they are None."""
    table = wide_records(PARTS).slice(0, count)
    for name, values in columns.items():
        table = table.drop_columns(name) if name in table.column_names else table
        table = table if values is None else table.append_column(name, values)
    return table


def test_a_group_that_only_later_files_have_is_read_and_told(tmp_path):
    pq.write_table(rows(2), tmp_path / "2024.parquet")
    pq.write_table(rows(2, group=pa.array(["a", "b"])), tmp_path / "2025.parquet")
    texts, source = read(tmp_path)
    assert [group for _, _, group in texts] == [None, None, "a", "b"]
    (finding,) = source.findings
    assert (finding.verdict, finding.name) == ("warning", "columns in all files")
    assert finding.notes == "no group in 2024.parquet: these records have none"


@pytest.mark.parametrize(
    "first",
    [
        rows(2, data3=pa.array([1, 2], pa.int8())),
        rows(2, data3=pa.array([1, 2], pa.float16())),
        rows(2, label=pa.array([False, True]), group=pa.nulls(2)),
        rows(2, label=pa.array([0, 1]).dictionary_encode(), fmode=pa.array(["0", "1"]).dictionary_encode()),
        rows(2, label=pa.array([0.0, 1.0]), fmode=pa.array(["0", "1"], pa.large_string())),
    ],
    ids=["int8", "half", "bool", "categories", "double"],
)
def test_the_types_of_the_first_file_decide_nothing(tmp_path, first):
    pq.write_table(first, tmp_path / "a.parquet")
    pq.write_table(rows(2, data3=pa.array([0.25, 1e30]), fmode=pa.array(["m1", "m2"])), tmp_path / "b.parquet")
    texts, _ = read(tmp_path)
    assert [row[:2] for row in texts] == [("0", "0"), ("1", "1"), ("0", "m1"), ("1", "m2")]
    values = [
        x for batch in open_source(folder_source(tmp_path), DATA, False).batches for x in batch["data3"].to_pylist()
    ]
    assert values[2:] == [0.25, 1e30]


def test_files_without_records_have_no_say_and_are_named(tmp_path):
    (tmp_path / "a.csv").write_text("")
    (tmp_path / "b.csv").write_text("data0,label\n")
    pc.write_csv(rows(3), tmp_path / "c.csv")
    texts, source = read(tmp_path)
    assert len(texts) == 3
    assert source.unread == ("a.csv (no records)", "b.csv (no records)")
    (tmp_path / "c.csv").unlink()
    with pytest.raises(UnreadableSource, match="expected records, found csv files without rows"):
        read(tmp_path)


def test_files_that_were_not_fetched_from_the_hub_are_named(tmp_path):
    pc.write_csv(rows(3), tmp_path / "c.csv")
    local = folder_source(tmp_path)
    fetched = replace(local, resolved=replace(local.resolved, not_fetched=("new/t.xlsx",)))
    source = open_source(fetched, DATA, False)
    assert source.unread == ("new/t.xlsx (no table by its name)",)
    assert [finding.notes for finding in source.findings] == ["1 of 2; not read: new/t.xlsx (no table by its name)"]


def test_words_in_the_values_of_a_later_file_are_seen(tmp_path):
    pq.write_table(rows(2), tmp_path / "a.parquet")
    pq.write_table(rows(2, data3=pa.array(["1", "broken"])), tmp_path / "b.parquet")
    assert open_source(folder_source(tmp_path), DATA, False).schema.field("data3").type == pa.string()


def test_more_records_than_allowed_are_refused_while_they_are_read(tmp_path):
    pc.write_csv(rows(30), tmp_path / "t.csv")
    with pytest.raises(UnreadableSource, match="expected at most 29 records, found 30"):
        read(tmp_path, most_records=29)


def test_a_file_that_lacks_values_is_named(tmp_path):
    pc.write_csv(rows(3), tmp_path / "a.csv")
    pc.write_csv(rows(3, data7=None), tmp_path / "b.csv")
    with pytest.raises(UnreadableSource, match=r"b\.csv lacks data7, which other files have"):
        read(tmp_path)


def test_copies_are_not_read_but_named(tmp_path):
    pc.write_csv(rows(3), tmp_path / "t.csv")
    pc.write_csv(rows(3), tmp_path / "t.csv.bak")
    texts, source = read(tmp_path)
    assert len(texts) == 3
    assert source.findings[0].notes == "1 of 2; not read: t.csv.bak (no table by its name)"
    assert source.findings[0].verdict == "warning"


def test_other_splits_are_named_without_a_warning(tmp_path):
    for name in ("train", "test"):
        pq.write_table(rows(3), tmp_path / f"{name}.parquet")
    (finding,) = read(tmp_path)[1].findings
    assert (finding.verdict, finding.notes) == ("ok", "1 of 2; not read: test.parquet (split test)")


@pytest.mark.parametrize("place", ["metadata", "card"])
def test_codes_of_classes_are_read_as_their_names(tmp_path, place):
    table = rows(3, label=pa.array([1, 0, -1]))
    if place == "metadata":
        names = {b"huggingface": b'{"info": {"features": {"label": {"names": ["NG", "OK"]}}}}'}
        table = table.replace_schema_metadata(names)
    else:
        feature = "{name: label, dtype: {class_label: {names: {'0': NG, '1': OK}}}}"
        (tmp_path / "README.md").write_text(f"---\ndataset_info:\n  features: [{feature}]\n---\n")
    pq.write_table(table, tmp_path / "t.parquet")
    assert [label for label, _, _ in read(tmp_path)[0]] == ["OK", "NG", None]


def test_a_pointer_of_git_lfs_is_named(tmp_path):
    (tmp_path / "t.parquet").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(
        UnreadableSource, match=r"t.parquet is a pointer of Git LFS, not the table; run git lfs pull there"
    ):
        read(tmp_path)


def test_a_whole_source_in_json_has_the_columns_of_all_its_records(tmp_path):
    records = rows(2).to_pylist() + rows(1, group=pa.array(["x"])).to_pylist()
    (tmp_path / "t.json").write_text(json.dumps(records))
    assert read(tmp_path)[0] == [("0", "0", None), ("1", "1", None), ("0", "0", "x")]


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
