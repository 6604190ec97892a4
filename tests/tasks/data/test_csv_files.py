"""CSV as people and spreadsheets write it: text stays text, and what cannot be read is named with its cure."""

from __future__ import annotations

import gzip

import pyarrow as pa
import pytest

from tasks.core.errors import UnreadableSource
from tasks.data.csv_files import csv_schema, has_rows, read_csv


def read(path, content):
    """The rows of a file with this content."""
    raw = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    schema = csv_schema(path, path.name)
    return pa.Table.from_batches(read_csv(path, path.name, schema), schema).to_pylist()


@pytest.mark.parametrize(
    "text", ["001", "1E2", "None", "NA", "n/a", "null", "1.10", " OK", "良品", "2025-01-02", "1_000"]
)
def test_text_stays_text(tmp_path, text):
    rows = read(tmp_path / "t.csv", f"data0,label,fmode,group\n0.5,{text},{text},{text}\n")
    assert rows == [{"data0": 0.5, "label": text, "fmode": text, "group": text}]


def test_whole_numbers_have_no_point_and_truth_values_of_labels_are_codes(tmp_path):
    rows = read(tmp_path / "t.csv", "data0,label,fmode\n1,0.0,3.0\n2,True,True\n3,FALSE,-1.0\n")
    assert [(row["label"], row["fmode"]) for row in rows] == [("0", "3"), ("1", "True"), ("0", "-1")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "\ufeffdata0,label\n1,a\n"),
        ("t.csv", "data0,label\r\n1,a\r\n"),
        ("t.csv", "data0,label\r1,a\r"),
        ("t.csv", "\n\ndata0,label\n\n1,a\n"),
        ("t.csv", 'data0,label\n"1","a"\n'),
        ("t.csv", "data0,label\n 1 ,a\n"),
        ("t.csv", "data0,label\n1e0,a"),
        ("t.tsv", "data0\tlabel\n1\ta\n"),
        ("T.CSV.gz", "data0,label\n1,a\n"),
        ("t.csv", "data0;label\n1;a\n"),
        ("t.csv", "data0;label\r\n1,0;a\r\n"),
        ("t.csv", "\ufeffdata0;label\n1,0;a\n"),
        ("t.csv", "data0|label\n1|a\n"),
        ("t.csv", "data0\tlabel\n1\ta\n"),
        ("t.tsv", "data0\tlabel\n1,0\ta\n"),
        ("t.csv", "sep=;\ndata0;label\n1,0;a\n"),
        ("t.csv", "\nsep=,\n\ndata0,label\n1,a\n"),
        ("t.csv", 'data0,label\n"1,0",a\n'),
        ("t.csv", " data 0 , label \n1,a\n"),
        ("t.csv", "data0;label\n1e0;a\n"),
        ("t.csv.gz", "data0;label\n1,0;a\n"),
        ("t.csv", "data0,label\n1,a\n".encode("utf-16")),
        ("t.csv", "data0;label\n1,0;a\n".encode("utf-16-be").join([b"\xfe\xff", b""])),
    ],
)
def test_the_same_table_in_many_spellings(tmp_path, name, content):
    assert read(tmp_path / name, content) == [{"data0": 1.0, "label": "a"}]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp932", "良品"),
        ("cp932", "キズ㎜①"),
        ("shift_jis", "ずれ-3"),
        ("cp1252", "gut für Größe"),
        ("cp1252", "±5 µm"),
        ("utf-8", "欠け"),
    ],
)
@pytest.mark.parametrize("far", [False, True], ids=["first", "after a megabyte"])
def test_the_encodings_of_japanese_and_european_machines(tmp_path, encoding, text, far):
    before = "1,a\n" * (400_000 if far else 0)
    rows = read(tmp_path / "t.csv", f"data0,label\n{before}1,{text}\n".encode(encoding))
    assert rows[-1] == {"data0": 1.0, "label": text}


@pytest.mark.parametrize("header", [",data0,label", "data0,label", '"","data0","label"'])
def test_a_column_of_row_names_is_no_value(tmp_path, header):
    """As pandas and R write it; R's write.table gives it no heading."""
    rows = read(tmp_path / "t.csv", f"{header}\n0,0.5,a\n1,0.25,b\n")
    assert [(row["data0"], row["label"]) for row in rows] == [(0.5, "a"), (0.25, "b")]


def test_an_empty_column_at_the_end_is_no_row_name(tmp_path):
    with pytest.raises(UnreadableSource, match="Expected 2 columns, got 3"):
        read(tmp_path / "t.csv", "data0,label\n0.5,a,\n")


def test_a_decimal_comma_after_many_whole_numbers_is_seen(tmp_path):
    rows = read(tmp_path / "t.csv", "data0;label\n" + "1;a\n" * 300_000 + "0,5;a\n")
    assert rows[-1] == {"data0": 0.5, "label": "a"}


def test_whole_numbers_with_a_decimal_comma_are_the_same_labels(tmp_path):
    assert read(tmp_path / "t.csv", "data0;label\n0,5;1,0\n")[0]["label"] == "1"


def test_a_heading_keeps_its_space_where_another_column_has_the_name(tmp_path):
    assert read(tmp_path / "t.csv", "data0,label,label \n1,a,b\n") == [{"data0": 1.0, "label": "a", "label ": "b"}]


def test_a_line_break_within_quotes_is_part_of_the_text(tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.data.csv_files.BLOCK_BYTES", 100)  # Arrow parses several times
    lines = [f'{i},"seen\nat {i}"' for i in range(500)]
    texts = {row["label"] for row in read(tmp_path / "t.csv", "\n".join(["data0,label", *lines]))}
    assert texts == {f"seen\nat {i}" for i in range(500)}


def test_an_empty_value_is_no_number(tmp_path):
    values = [row["data0"] for row in read(tmp_path / "t.csv", "data0,label\n,a\nNaN,b\nNA,c\n")]
    assert all(value is None or value != value for value in values)  # NaN


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "data0,label\n1,合格\n".encode("gb18030"),
            "t.csv: expected UTF-8, Shift_JIS or Windows-1252, found another encoding",
        ),
        (
            "data0;label\n1.234,5;a\n0,5;a\n",
            "found '1.234,5' in line 2; the decimal sign must be a comma as in the other",
        ),
        (
            'data0,label\n1.5,a\n"1,234.5",a\n',
            "found '1,234.5' in line 3; the decimal sign must be a point as in the other",
        ),
        ("data0,label\nbroken sensor,a\n", "expected numbers in the columns of values, found 'broken sensor'"),
        ("data0,data0,label\n1,1,a\n", "expected each column once, found data0 twice"),
        ("data0,label\n1\n", "t.csv: cannot be read as a table: .*Expected 2 columns, got 1"),
        (b"PK\x03\x04rest", "expected text, found a workbook or a zip archive"),
        (gzip.compress(b"data0,label\n", mtime=0), "expected text, found packed by gzip"),
        ("<!DOCTYPE html><html></html>", "found a web page; download the file itself"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_cure(tmp_path, content, message):
    with pytest.raises(UnreadableSource, match=message) as error:
        read(tmp_path / "t.csv", content)
    assert str(error.value).startswith("t.csv: ")


@pytest.mark.parametrize(
    ("content", "rows"),
    [("", False), ("\n \n", False), ("a,b\n", False), ("a,b\n\n", False), ("a\n1", True), ("a\r1\r", True)],
)
def test_a_header_alone_is_no_record(tmp_path, content, rows):
    (tmp_path / "t.csv").write_text(content)
    assert has_rows(tmp_path / "t.csv") is rows
