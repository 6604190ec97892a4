"""JSON files: a record a line, a list of records, lists by column, or rows below the names of the columns.

Texts are text, numbers numbers.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.core.errors import UnreadableSource
from tasks.core.text import one_line
from tasks.data.decode import cell_text
from tasks.data.schema import VALUE_COLUMN

BATCH_RECORDS = 1024

Row = dict[str, Any]


def read_json(path: Path, name: str) -> Iterator[pa.RecordBatch]:
    """The records in batches; columns are those of the batch's records. UnreadableSource names the file."""
    try:
        records = _records(path)
        while rows := list(islice(records, BATCH_RECORDS)):
            yield _to_batch(rows)
    except UnicodeDecodeError:
        raise UnreadableSource(f"{name}: expected UTF-8, found another encoding; save it as UTF-8") from None
    except (ValueError, TypeError, OSError, EOFError, RecursionError, pa.ArrowException) as error:
        raise UnreadableSource(f"{name}: cannot be read as a table: {one_line(error)}") from None


def _records(path: Path) -> Iterator[Row]:
    open_file = gzip.open if path.suffix.lower() == ".gz" else open
    with open_file(path, "rt", encoding="utf-8-sig") as file:
        lines = (line for line in file if line.strip())
        first, second = next(lines, ""), next(lines, "")
        if not first:
            return
        if _is_record(first, is_only_line=not second):
            yield from (_require_record(json.loads(line)) for line in chain([first], [second] if second else [], lines))
        else:
            yield from _records_of_document(json.loads("".join([first, second, *lines])))


def _is_record(line: str, is_only_line: bool) -> bool:
    """Whether the first line is a record of its own, and not a file's content in columns."""
    try:
        content = json.loads(line)
    except ValueError:
        return False
    is_document = (
        is_only_line
        and isinstance(content, dict)
        and any(form(content) for form in (_is_split, _is_columns, _records_within))
    )
    return isinstance(content, dict) and not is_document


def _is_split(content: Row) -> bool:
    """`columns`, `data` and perhaps `index`: the form that pandas calls `orient="split"`."""
    return {"columns", "data"} <= set(content) <= {"columns", "index", "data"} and all(
        isinstance(value, list) for value in content.values()
    )


def _is_columns(content: dict[str, Any]) -> bool:
    """Lists of one length, or mappings by row number, in every column; a record has a plain value in some column."""
    values = list(content.values())
    if list(content) == ["map"] and content["map"] and not isinstance(content["map"][0], list):
        return False  # one record
    return bool(values) and all(isinstance(value, list | dict) for value in values) and len({*map(len, values)}) == 1


def _records_of_document(content: Any) -> Iterator[Row]:
    if isinstance(content, dict) and _is_split(content):
        names = list(map(str, content["columns"]))
        return (dict(zip(names, _require_values(row, len(names)), strict=True)) for row in content["data"])
    if isinstance(content, dict) and _is_columns(content):
        columns = [list(column.values()) if isinstance(column, dict) else column for column in content.values()]
        return (dict(zip(content, values, strict=True)) for values in zip(*columns, strict=True))
    if isinstance(content, dict):
        content = _records_within(content) or [content]
    if not isinstance(content, list):
        raise ValueError("neither records, nor a list of them, nor columns")
    return map(_require_record, content)


def _records_within(content: Row) -> list[Row]:
    """The only list of records in an object, such as `data` beside `schema`; empty without one."""
    lists = [value for value in content.values() if isinstance(value, list) and value]
    return lists[0] if len(lists) == 1 and all(isinstance(item, dict) for item in lists[0]) else []


def _require_values(row: Any, count: int) -> list[Any]:
    if not isinstance(row, list) or len(row) != count:
        description = f"{len(row)} values" if isinstance(row, list) else type(row).__name__
        raise ValueError(f"expected {count} values in each row of data, found {description}")
    return row


def _require_record(content: Any) -> Row:
    if not isinstance(content, dict):
        raise ValueError(f"expected a record, found {type(content).__name__}")
    return content


def _to_batch(rows: list[Row]) -> pa.RecordBatch:
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    return pa.RecordBatch.from_pydict({name: _column(name, values) for name, values in columns.items()})


def _column(name: str, values: list[Any]) -> pa.Array:
    """Values of maps as Arrow finds them; anything else that is no list as text."""
    if name == "map" or VALUE_COLUMN.fullmatch(name):
        if VALUE_COLUMN.fullmatch(name) and any(isinstance(value, str) for value in values):
            return pa.array([None if value is None else str(value) for value in values], pa.string())
        return pa.array(values)
    return pa.array([cell_text(value) for value in values], pa.string())
