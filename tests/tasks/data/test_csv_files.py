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


@pytest.mark.parametrize("text", ["001", "1E2", "None", "NA", "n/a", "null", "1.10", " OK", "良品", "2025-01-02", "1_000"])
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
    ],
)
def test_the_same_table_in_many_spellings(tmp_path, name, content):
    assert read(tmp_path / name, content) == [{"data0": 1.0, "label": "a"}]


def test_a_line_break_within_quotes_is_part_of_the_text(tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.data.csv_files.BLOCK_BYTES", 100)  # Arrow parses several times
    lines = [f'{i},"seen\nat {i}"' for i in range(500)]
    texts = {row["label"] for row in read(tmp_path / "t.csv", "\n".join(["data0,label", *lines]))}
    assert texts == {f"seen\nat {i}" for i in range(500)}


def test_an_empty_value_is_no_number(tmp_path):
    values = [row["data0"] for row in read(tmp_path / "t.csv", "data0,label\n,a\nNaN,b\nNA,c\n")]
    assert all(value is None or value != value for value in values)  # noqa: PLR0124  # NaN


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("data0,label\n1,良品\n".encode("cp932"), r"t.csv: expected UTF-8, found what looks like Shift_JIS; in Excel: Save As"),
        ("data0,label\n1,合格\n".encode("gb18030"), "t.csv: expected UTF-8, found "),
        ("data0,label\n1,gut für\n".encode("cp1252"), "t.csv: expected UTF-8, found another encoding"),
        ("data0,label\n1,a\n".encode("utf-16"), "t.csv: expected UTF-8, found UTF-16"),
        ("data0;label\n0,5;a\n", "a comma between them, and a point as the decimal sign, found semicolons"),
        ("data0\tlabel\n1\ta\n", "found tabs; save it as CSV UTF-8 with commas"),
        ("sep=,\ndata0,label\n1,a\n", "found 'sep=,'; remove this line"),
        ('data0,label\n"0,5",a\n', "found '0,5'.*; the decimal sign must be a point"),
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
    ("content", "rows"), [("", False), ("\n \n", False), ("a,b\n", False), ("a,b\n\n", False), ("a\n1", True), ("a\r1\r", True)]
)
def test_a_header_alone_is_no_record(tmp_path, content, rows):
    (tmp_path / "t.csv").write_text(content)
    assert has_rows(tmp_path / "t.csv") is rows
