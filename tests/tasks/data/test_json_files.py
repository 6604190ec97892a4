"""JSON in its forms: a record a line, a list of records, lists by column, rows below the names of the columns."""

from __future__ import annotations

import gzip

import pyarrow as pa
import pytest

from tasks.core.errors import UnreadableSource
from tasks.data.json_files import read_json

ROWS = [{"data0": 0.5, "label": "001"}, {"data0": 2.0, "label": "1"}]


def read(path, content):
    path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())
    return [row for batch in read_json(path, path.name) for row in batch.to_pylist()]


@pytest.mark.parametrize(
    "content",
    [
        '{"data0": 0.5, "label": "001"}\n\n{"data0": 2, "label": 1}\n',
        '\ufeff[{"data0": 0.5, "label": "001"}, {"data0": 2, "label": 1.0}]',
        '[\n {"data0": 0.5,\n "label": "001"},\n {"data0": 2, "label": true}\n]',
        '{"data0": [0.5, 2], "label": ["001", 1]}',
        '{"data0": {"0": 0.5, "1": 2}, "label": {"0": "001", "1": "1"}}',
        '{"schema": {}, "data": [{"data0": 0.5, "label": "001"}, {"data0": 2, "label": "1"}]}',
        '{"columns": ["data0", "label"], "index": [0, 1], "data": [[0.5, "001"], [2, 1]]}',
        '{\n"columns": ["data0", "label"],\n"data": [[0.5, "001"], [2, "1"]]}',
        '{\n"version": 1, "data": [{"data0": 0.5, "label": "001"}, {"data0": 2, "label": "1"}]}',
    ],
)
@pytest.mark.parametrize("name", ["t.json", "t.jsonl.gz"])
def test_the_same_records_in_many_forms(tmp_path, name, content):
    assert read(tmp_path / name, content) == ROWS


def test_one_record_of_a_map_alone_is_a_record(tmp_path):
    assert read(tmp_path / "t.jsonl", '{"map": [1, 2.5]}\n') == [{"map": [1.0, 2.5]}]
    assert read(tmp_path / "t.jsonl", '{"map": [1]}\n{"map": [2]}\n') == [{"map": [1]}, {"map": [2]}]


def test_a_row_with_too_few_values_for_its_columns_is_refused(tmp_path):
    with pytest.raises(UnreadableSource, match=r"^t.json: .*expected 2 values in each row of data, found 1 values$"):
        read(tmp_path / "t.json", '{"columns": ["data0", "label"], "index": [0, 1], "data": [[0.5, "001"], [2]]}')


def test_columns_that_only_later_records_have(tmp_path):
    rows = read(tmp_path / "t.jsonl", '{"data0": 1}\n{"data0": null, "group": "x"}\n')
    assert rows == [{"data0": 1, "group": None}, {"data0": None, "group": "x"}]


def test_words_among_values_are_seen_as_text(tmp_path):
    (tmp_path / "t.json").write_text('[{"data0": 1}, {"data0": "broken"}]')
    (batch,) = read_json(tmp_path / "t.json", "t.json")
    assert batch.schema.field("data0").type == pa.string()


@pytest.mark.parametrize("content", ["", "\n ", "[]"])
def test_an_empty_file_has_no_records(tmp_path, content):
    assert read(tmp_path / "t.json", content) == []


@pytest.mark.parametrize(
    "content",
    ['{"map": [1, 2\n', "[1, 2]", '"text"', '{"a": 1}\n3\n', '{"a": 1}\n{"a": \n', '{"a": 1}\n"良品'.encode("cp932")],
)
def test_what_cannot_be_read_is_named_in_one_line(tmp_path, content):
    (tmp_path / "t.jsonl").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UnreadableSource, match=r"^t.jsonl: (cannot be read as a table|expected UTF-8)") as error:
        list(read_json(tmp_path / "t.jsonl", "t.jsonl"))
    assert "\n" not in str(error.value)
