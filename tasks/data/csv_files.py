"""CSV and TSV files: text stays text, numbers are numbers, whatever the first rows hold and however all is written."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from tasks.core.errors import UnreadableSource
from tasks.core.text import one_line
from tasks.data.card import DESCRIBED
from tasks.data.csv_dialect import Dialect, csv_dialect, open_text
from tasks.data.schema import VALUE_COLUMN

BLOCK_BYTES = 8 << 20  # that Arrow parses at once; a row must fit
MAX_UNPACKED_BLOCKS = 256
# What the reader of earlier versions took for an empty cell, and for a number.
EMPTY_WORDS = {
    "#N/A",
    "#N/A N/A",
    "#NA",
    "-1.#IND",
    "-1.#QNAN",
    "-NaN",
    "-nan",
    "1.#IND",
    "1.#QNAN",
    "<NA>",
    "N/A",
    "NA",
}
EMPTY_WORDS |= {"NULL", "NaN", "None", "n/a", "nan", "null"}
WHOLE_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.0)?")
NUMBER = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*|[+-]?inf(?:inity)?", re.I)
TRUTH = {"true", "false"}


def csv_schema(path: Path, name: str) -> pa.Schema:
    """The columns of a file by its header: float64 for the values of maps, text for all others; none of an empty file.

    Raises UnreadableSource for what is no text or of an unknown encoding, and for a column that is there twice.
    """
    return _schema(csv_dialect(path, name), name)


def _schema(dialect: Dialect, name: str) -> pa.Schema:
    columns = dialect.columns
    if repeated := next(
        (column for column in columns if columns.count(column) > 1 and VALUE_COLUMN.fullmatch(column)), None
    ):
        raise UnreadableSource(f"{name}: expected each column once, found {repeated} twice; remove one")
    kinds = {column: pa.float64() if VALUE_COLUMN.fullmatch(column) else pa.string() for column in columns}
    return pa.schema(list(kinds.items()))


def has_rows(path: Path) -> bool:
    """Whether anything stands below the header."""
    dialect = csv_dialect(path, path.name)
    encoding = "utf-8-sig" if dialect.encoding == "utf-8" else dialect.encoding
    with open_text(path) as raw, io.TextIOWrapper(raw, encoding=encoding, errors="replace") as file:  # also CR alone
        return any(line.strip() for number, line in enumerate(file) if number >= dialect.lines)


def read_csv(path: Path, name: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The columns of `schema`, in batches of some megabytes; UnreadableSource names the file and what is wrong."""
    dialect = csv_dialect(path, name)
    parse = pcsv.ParseOptions(delimiter=dialect.separator, newlines_in_values=True)
    convert = pcsv.ConvertOptions(
        column_types=schema,
        include_columns=schema.names,
        strings_can_be_null=False,
        quoted_strings_can_be_null=False,
        decimal_point=dialect.decimal,
    )
    try:
        with pa.input_stream(str(path), compression="gzip" if _is_packed(path) else None) as file:
            for batch in pcsv.open_csv(file, _read_options(dialect), parse, convert):
                yield _with_plain_labels(batch, dialect.decimal)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise UnreadableSource(f"{name}: {_explain(str(error), dialect)}") from None


def _read_options(dialect: Dialect) -> pcsv.ReadOptions:
    """A plain file's header is read by Arrow; the headings of others are given, and the lines up to them left out."""
    block = max(BLOCK_BYTES, 64 * sum(len(column) + 1 for column in dialect.columns))
    if dialect.is_plain:
        return pcsv.ReadOptions(block_size=block, use_threads=False)
    encoding = "utf8" if dialect.encoding == "utf-8" else dialect.encoding
    names = list(dialect.columns)
    return pcsv.ReadOptions(
        block_size=block, use_threads=False, encoding=encoding, column_names=names, skip_rows=dialect.lines
    )


def _with_plain_labels(batch: pa.RecordBatch, decimal: str) -> pa.RecordBatch:
    """`1.0` becomes `1` in every text: numbers beside empty cells are written so. `True` and `False` are 1 and 0."""
    whole = rf"^(-?(?:0|[1-9]\d*)){re.escape(decimal)}0$"
    for i, field in enumerate(batch.schema):
        if not pa.types.is_string(field.type):
            continue
        column = pc.replace_substring_regex(batch.column(i), whole, r"\1")
        if field.name in ("label", "plabel", "nlabel"):
            column = pc.replace_substring_regex(column, r"^(?:True|TRUE|true)$", "1")
            column = pc.replace_substring_regex(column, r"^(?:False|FALSE|false)$", "0")
        batch = batch.set_column(i, field, column)
    return batch


def _explain(error: str, dialect: Dialect) -> str:
    """What Arrow says of a cell, in plain words."""
    if "invalid UTF8" in error or "UTF-8" in error:
        return "expected UTF-8, found another encoding; in Excel: Save As, CSV UTF-8"
    if value := re.search(r"conversion error to double: invalid value '(.*)'", error, re.S):
        cell, row = one_line(value[1]), re.search(r"Row #(\d+)", error)
        sign = {".": "point", ",": "comma"}[dialect.decimal]
        is_number = re.fullmatch(r"[-+]?[\d., ]+(?:[eE][-+]?\d+)?", cell.strip())
        cure = (
            f"; the decimal sign must be a {sign} as in the other cells, without a sign for thousands"
            if is_number
            else ""
        )
        place = f" in line {row[1]}" if row else ""
        return f"expected numbers in the columns of values, found {cell!r}{place}{cure}"
    return f"cannot be read as a table: {one_line(error)}"


def _is_packed(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


def csv_was_read_otherwise(path: Path, name: str) -> bool:
    """Whether an earlier version read other texts from this file: words for an empty cell, or numbers for codes.

    It took each column as numbers where it could: "001" was 1, "1E2" was 100.
    """
    dialect = csv_dialect(path, name)
    if not dialect.is_plain:
        return False  # it was refused
    schema = _schema(dialect, name)
    fields = [field for field in schema if field.name in DESCRIBED]
    if not fields or not has_rows(path):
        return False
    texts: dict[str, set[str]] = {field.name: set() for field in fields}
    for number, batch in enumerate(read_csv(path, name, pa.schema(fields))):
        if _is_packed(path) and number > MAX_UNPACKED_BLOCKS:
            return True  # it may be a bomb; whoever reads it counts its bytes first
        for field in fields:
            texts[field.name].update(pc.unique(batch.column(field.name)).to_pylist())
    return any(map(_was_changed, texts.values()))


def _was_changed(texts: set[str]) -> bool:
    words = {text for text in texts if text}
    if words & EMPTY_WORDS:
        return True
    numbers = all(NUMBER.fullmatch(text) for text in words)
    truths = all(text.lower() in TRUTH for text in words)
    return bool(words) and (truths or (numbers and not all(WHOLE_NUMBER.fullmatch(text) for text in words)))
