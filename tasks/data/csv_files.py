"""CSV and TSV files: text stays text, numbers are numbers, whatever the first rows hold.

A table that a spreadsheet wrote in another encoding, with another separator or decimal sign is refused by name, with the
cure.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from tasks.core.errors import UnreadableSource
from tasks.core.text import one_line
from tasks.data.card import DESCRIBED
from tasks.data.schema import VALUE_COLUMN

HEAD_BYTES = 1 << 20  # of a file, to tell its encoding
BLOCK_BYTES = 8 << 20  # that Arrow parses at once; a row must fit
MAX_UNPACKED_BLOCKS = 256
MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
SIGNATURES = {b"PK\x03\x04": "a workbook or a zip archive", b"\xd0\xcf\x11\xe0": "a workbook", b"\x1f\x8b": "packed by gzip"}
# What the reader of earlier versions took for an empty cell, and for a number.
EMPTY_WORDS = {"#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"}
EMPTY_WORDS |= {"NULL", "NaN", "None", "n/a", "nan", "null"}
WHOLE_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.0)?")
NUMBER = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*|[+-]?inf(?:inity)?", re.I)
TRUTH = {"true", "false"}


def csv_schema(path: Path, name: str) -> pa.Schema:
    """The columns of a file by its header: float64 for the values of maps, text for all others; none of an empty file.

    Raises UnreadableSource for another encoding, another separator, and a column that is there twice.
    """
    header = _header(path, name)
    try:
        columns = next(csv.reader([header], delimiter=_delimiter(path)), [])
    except csv.Error as error:
        raise UnreadableSource(f"{name}: expected the names of the columns, found none: {error}") from None
    if repeated := next((column for column in columns if columns.count(column) > 1 and VALUE_COLUMN.fullmatch(column)), None):
        raise UnreadableSource(f"{name}: expected each column once, found {repeated} twice; remove one")
    kinds = {column: pa.float64() if VALUE_COLUMN.fullmatch(column) else pa.string() for column in columns}
    return pa.schema(list(kinds.items()))


def has_rows(path: Path) -> bool:
    """Whether anything stands below the header."""
    with _open(path) as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace") as file:  # also CR alone
        lines = (line for line in file if line.strip())
        next(lines, None)
        return next(lines, None) is not None


def read_csv(path: Path, name: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The columns of `schema`, in batches of some megabytes; UnreadableSource names the file and what is wrong there."""
    block = max(BLOCK_BYTES, 32 * len(_header(path, name)))
    parse = pcsv.ParseOptions(delimiter=_delimiter(path), newlines_in_values=True)
    convert = pcsv.ConvertOptions(
        column_types=schema, include_columns=schema.names, strings_can_be_null=False, quoted_strings_can_be_null=False
    )
    try:
        with pa.input_stream(str(path), compression="gzip" if _is_packed(path) else None) as file:
            options = pcsv.ReadOptions(block_size=block, use_threads=False)
            for batch in pcsv.open_csv(file, options, parse, convert):
                yield _with_plain_labels(batch)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise UnreadableSource(f"{name}: {_explain(str(error))}") from None


def _with_plain_labels(batch: pa.RecordBatch) -> pa.RecordBatch:
    """`1.0` becomes `1` in every text: numbers beside empty cells are written so. Labels `True` and `False` are 1 and 0."""
    for i, field in enumerate(batch.schema):
        if not pa.types.is_string(field.type):
            continue
        column = pc.replace_substring_regex(batch.column(i), r"^(-?(?:0|[1-9]\d*))\.0$", r"\1")
        if field.name in ("label", "plabel", "nlabel"):
            column = pc.replace_substring_regex(column, r"^(?:True|TRUE|true)$", "1")
            column = pc.replace_substring_regex(column, r"^(?:False|FALSE|false)$", "0")
        batch = batch.set_column(i, field, column)
    return batch


def _explain(error: str) -> str:
    """What Arrow says of a cell, in plain words."""
    if "invalid UTF8" in error or "UTF-8" in error:
        return "expected UTF-8, found another encoding; in Excel: Save As, CSV UTF-8"
    if value := re.search(r"conversion error to double: invalid value '(.*)'", error, re.S):
        cell, row = one_line(value[1]), re.search(r"Row #(\d+)", error)
        sign = "; the decimal sign must be a point" if re.fullmatch(r"[-+]?[\d.]*,\d+", cell.strip()) else ""
        place = f" in line {row[1]}" if row else ""
        return f"expected numbers in the columns of values, found {cell!r}{place}{sign}"
    return f"cannot be read as a table: {one_line(error)}"


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path) if _is_packed(path) else path.open("rb")


def _is_packed(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


def _delimiter(path: Path) -> str:
    return "\t" if ".tsv" in path.name.lower() else ","


def _header(path: Path, name: str) -> str:
    """The first line with anything in it."""
    with _open(path) as file:
        head = file.read(HEAD_BYTES)
    _require_text(head, name)
    lines = head.decode("utf-8-sig", errors="ignore").lstrip("\r\n").splitlines()
    header = lines[0] if lines else ""
    if header.lower().startswith("sep="):
        raise UnreadableSource(f"{name}: expected the names of the columns, found {header[:20]!r}; remove this line")
    _require_separator(header, _delimiter(path), name)
    return header


def _require_text(head: bytes, name: str) -> None:
    if kind := next((kind for start, kind in SIGNATURES.items() if head.startswith(start)), None):
        raise UnreadableSource(f"{name}: expected text, found {kind}; save it as CSV UTF-8, or give it its own ending")
    if head.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
        raise UnreadableSource(f"{name}: expected a table, found a web page; download the file itself")
    if encoding := _other_encoding(head):
        raise UnreadableSource(f"{name}: expected UTF-8, found {encoding}; in Excel: Save As, CSV UTF-8")


def _other_encoding(head: bytes) -> str | None:
    """What an encoding other than UTF-8 looks like; None for UTF-8, whose last character may be cut."""
    if mark := next((encoding for mark, encoding in MARKS.items() if head.startswith(mark)), None):
        return mark
    try:
        head.decode("utf-8")
        return None
    except UnicodeDecodeError as error:
        if error.start >= len(head) - 4 and len(head) == HEAD_BYTES:
            return None
    text = head.decode("cp932", errors="ignore")
    japanese = re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", text) and len(text.encode("cp932")) >= len(head) - 4
    return "what looks like Shift_JIS" if japanese else "another encoding"


def _require_separator(header: str, delimiter: str, name: str) -> None:
    names = {",": "comma", "\t": "tab"}
    other = next((sign for sign in ";\t|," if sign != delimiter and header.count(sign) > header.count(delimiter)), None)
    if other:
        sign = {";": "semicolons", "\t": "tabs", "|": "bars", ",": "commas"}[other]
        raise UnreadableSource(
            f"{name}: expected columns with a {names[delimiter]} between them, and a point as the decimal sign, "
            f"found {sign}; save it as CSV UTF-8 with commas"
        )


def csv_was_read_otherwise(path: Path, name: str) -> bool:
    """Whether an earlier version read other texts from this file: words for an empty cell, or numbers for codes.

    It took each column as numbers where it could: "001" was 1, "1E2" was 100.
    """
    schema = csv_schema(path, name)
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
