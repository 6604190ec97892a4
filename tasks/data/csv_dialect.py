"""How a CSV file is written: its encoding, separator, decimal sign and headings, found from the file itself.

Spreadsheets write Shift_JIS in Japan, and semicolons with decimal commas in much of Europe. What has several meanings
is refused by name, with the cure.
"""

from __future__ import annotations

import codecs
import csv
import functools
import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tasks.core.errors import UnreadableSource
from tasks.data.schema import VALUE_COLUMN

HEAD_BYTES = 1 << 20  # of a file, in which its header and first records lie
MOST_BYTES = 2 << 30  # that are looked at; a packed file may be a bomb, which its reader refuses
BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
SIGNATURES = {
    b"PK\x03\x04": "a workbook or a zip archive",
    b"\xd0\xcf\x11\xe0": "a workbook",
    b"\x1f\x8b": "packed by gzip",
}
# What text of these encodings does not hold, though its bytes could mean it. Shift_JIS: half-width kana, as which
# nearly every other text could be read, and letters of no alphabet in use there. Windows-1252: three accents in a row.
UNLIKELY = {
    "utf-8": None,
    "cp932": re.compile(
        r"[^\x00-\x7f\u3000-\u30ff\u4e00-\u9fff\uff01-\uff5e\uffe0-\uffe6\u2010-\u26ff\u3300-\u33ff§¨°±´¶×÷Α-ωА-я]"
    ),
    "cp1252": re.compile(r"[^\x00-\x7fÀ-ÖØ-öø-ÿŒœŠšŽžŸªº°±²³µ§€£«»·×–—‘’“”„…]|[^\x00-\x7f]{3}"),
}
FIRST_RARE = 0xE0  # byte of a kanji of JIS level 2
KANA_OR_KANJI = re.compile(r"[\u3041-\u30ff\u4e00-\u9fff]")
SEPARATORS = ";\t|,"
DECIMAL_COMMA = r'(?m)(?:^|{0})\s*"?\s*[-+]?\d+,\d+(?:[eE][-+]?\d+)?\s*"?\s*(?={0}|$)'
QUOTED_DECIMAL_COMMA = r'(?m)(?:^|,)\s*"\s*[-+]?\d+,\d+(?:[eE][-+]?\d+)?\s*"\s*(?=,|$)'
DECIMAL_POINT = r'(?m)(?:^|{0})\s*"?\s*[-+]?\d*\.\d+(?:[eE][-+]?\d+)?\s*"?\s*(?={0}|$)'


@dataclass(frozen=True)
class Dialect:
    """How a file is written. `columns`: its headings without spaces around them; `lines`: those up to the first record.

    `is_plain`: UTF-8 with the separator of its ending, decimal points and headings as they are read.
    """

    encoding: str
    separator: str
    decimal: str
    columns: tuple[str, ...]
    lines: int
    is_plain: bool


def csv_dialect(path: Path, name: str) -> Dialect:
    """The dialect of a file; raises UnreadableSource for what is no text, no table, or of an unknown encoding."""
    state = path.stat()
    return _read_dialect(path, name, state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=1000)
def _read_dialect(path: Path, name: str, _size: int, _changed: int) -> Dialect:
    with open_text(path) as file:
        head = file.read(HEAD_BYTES)
    encoding = _encoding(path, head, name)
    lines = head.decode("utf-8-sig" if encoding == "utf-8" else encoding, errors="ignore").splitlines()
    start = _first_filled(lines, 0)
    named = re.fullmatch(r'"?sep=(.)"?,*;*', lines[start].strip(), re.I) if start < len(lines) else None
    start = _first_filled(lines, start + 1) if named else start
    header = lines[start] if start < len(lines) else ""
    usual = "\t" if ".tsv" in path.name.lower() else ","
    separator = named[1] if named else _separator(header, usual)
    written, columns = _columns(header, lines[start + 1 :], separator, name)
    decimal = _decimal(path, encoding, separator, "\n".join(lines[start + 1 :]))
    is_plain = (encoding, separator, decimal, named) == ("utf-8", usual, ".", None) and written == columns
    return Dialect(encoding, separator, decimal, tuple(columns), start + 1, is_plain)


def _first_filled(lines: list[str], start: int) -> int:
    """The number of the first line from `start` on with anything in it."""
    return next((number for number in range(start, len(lines)) if lines[number].strip()), len(lines))


def open_text(path: Path) -> IO[bytes]:
    """The file's bytes, unpacked where it is packed by gzip."""
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")


def _encoding(path: Path, head: bytes, name: str) -> str:
    if kind := next((kind for start, kind in SIGNATURES.items() if head.startswith(start)), None):
        raise UnreadableSource(f"{name}: expected text, found {kind}; save it as CSV UTF-8, or give it its own ending")
    if head.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
        raise UnreadableSource(f"{name}: expected a table, found a web page; download the file itself")
    if encoding := next((encoding for mark, encoding in BYTE_ORDER_MARKS.items() if head.startswith(mark)), None):
        return encoding
    if encoding := next((encoding for encoding in UNLIKELY if _is_written_in(path, encoding)), None):
        return encoding
    raise UnreadableSource(
        f"{name}: expected UTF-8, Shift_JIS or Windows-1252, found another encoding; save it as UTF-8"
    )


def _is_written_in(path: Path, encoding: str) -> bool:
    """Whether all bytes are text of this encoding, with no character that is unlikely in it."""
    decoder, unlikely = codecs.getincrementaldecoder(encoding)(), UNLIKELY[encoding]
    has_japanese = encoding != "cp932"
    try:
        for chunk in _chunks(path):
            if chunk.isascii() and decoder.getstate()[0] == b"":
                continue
            text = decoder.decode(chunk)
            if unlikely and unlikely.search(text):
                return False
            has_japanese = has_japanese or _is_japanese(text)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return has_japanese


def _is_japanese(text: str) -> bool:
    """Whether there is a kana or a kanji in daily use; as another kanji, `éf` of Windows-1252 could be read."""
    return any(character.encode("cp932")[0] < FIRST_RARE for character in set(KANA_OR_KANJI.findall(text)))


def _chunks(path: Path) -> Iterator[bytes]:
    with open_text(path) as file:
        read = 0
        while read < MOST_BYTES and (chunk := file.read(HEAD_BYTES)):
            read += len(chunk)
            yield chunk


def _separator(header: str, usual: str) -> str:
    return next((sign for sign in SEPARATORS if header.count(sign) > header.count(usual)), usual)


def _columns(header: str, rest: list[str], separator: str, name: str) -> tuple[list[str], list[str]]:
    """The headings as written and as read; a column of row names without a heading has an empty one."""
    try:
        written = next(csv.reader([header], delimiter=separator), [])
        first = next(csv.reader((line for line in rest if line.strip()), delimiter=separator), [])
    except csv.Error as error:
        raise UnreadableSource(f"{name}: expected the names of the columns, found none: {error}") from None
    columns = [_heading(column, set(written)) for column in written]
    if "" not in written and len(first) == len(written) + 1 and first[-1].strip():
        columns = ["", *columns]  # as R writes row names; an empty last cell is a separator too many
    return written, columns


def _heading(column: str, others: set[str]) -> str:
    """The heading without spaces around it, and `data 0` as `data0`; as it is where another column has that name."""
    clean = "".join(column.split())
    clean = clean if VALUE_COLUMN.fullmatch(clean) else column.strip()
    return column if clean in others else clean


def _decimal(path: Path, encoding: str, separator: str, records: str) -> str:
    """The decimal sign; the whole file is read where its first records hold whole numbers alone."""
    sign = re.escape(separator)
    comma = re.compile(QUOTED_DECIMAL_COMMA if separator == "," else DECIMAL_COMMA.format(sign))
    if comma.search(records):
        return ","
    if separator == "," or re.search(DECIMAL_POINT.format(sign), records) or len(records) < HEAD_BYTES // 2:
        return "."
    with open_text(path) as file:
        text = (codecs.decode(line, encoding, "ignore") for line in file)
        return "," if any(map(comma.search, text)) else "."
