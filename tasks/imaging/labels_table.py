"""`labels.csv` beside photographs: the label, mode and group of each file, as people and spreadsheets write it."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tasks.core.errors import UnreadablePhotos
from tasks.core.text import one_line

LABELS_FILE = "labels.csv"
LABEL_COLUMNS = {"file", "label", "fmode"}


@dataclass(frozen=True)
class LabelRow:
    """The photograph's name as the folder has it, and its texts; None for an empty cell."""

    file: str
    label: str | None
    mode: str | None
    group: str | None


def read_labels(table: Path, photos: Iterable[str]) -> list[LabelRow]:
    """The rows of a table, which lists each of the photographs exactly once.

    A name may be written with backslashes, and in another form of Unicode than the folder's. Raises UnreadablePhotos.
    """
    names = {plain_name(name): name for name in photos}
    rows = _read(table)
    files = [plain_name(row["file"]) for row in rows]
    if unknown := next((row["file"] for row, file in zip(rows, files, strict=True) if file not in names), None):
        raise UnreadablePhotos(f"{table}: expected files of {table.parent}, found {unknown!r}, which is not there")
    if repeated := next((name for name in sorted(set(files)) if files.count(name) > 1), None):
        raise UnreadablePhotos(f"{table}: expected each file once, found {repeated!r} twice")
    if missing := min(set(names) - set(files), default=None):
        raise UnreadablePhotos(f"{table}: expected every photograph of {table.parent}, found no row for {missing!r}")
    return [
        LabelRow(names[file], row["label"] or None, row["fmode"] or None, row.get("group") or None)
        for row, file in zip(rows, files, strict=True)
    ]


def plain_name(name: str) -> str:
    """A name with `/`, without a leading `./`, its letters composed: macOS decomposes them, Windows has backslashes."""
    return unicodedata.normalize("NFC", name.strip()).replace("\\", "/").removeprefix("./")


def _read(table: Path) -> list[dict[str, str]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            header, *lines = [line for line in csv.reader(file) if any(line)] or [[]]
    except UnicodeDecodeError:
        raise UnreadablePhotos(
            f"{table}: expected UTF-8, found another encoding; in Excel: Save As, CSV UTF-8"
        ) from None
    except (OSError, csv.Error) as error:
        raise UnreadablePhotos(f"{table}: cannot be read as a table: {one_line(error)}") from None
    header = [name.strip() for name in header]
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        raise UnreadablePhotos(
            f"{table}: expected commas between the columns, found {header[0]!r}; save it as CSV UTF-8"
        )
    if missing := LABEL_COLUMNS - set(header):
        raise UnreadablePhotos(
            f"{table}: expected columns file, label and fmode, found no {', '.join(sorted(missing))}"
        )
    if wrong := next((line for line in lines if len(line) != len(header)), None):
        raise UnreadablePhotos(
            f"{table}: expected {len(header)} values in each row ({', '.join(header)}), found {len(wrong)} in that of "
            f"{wrong[0]!r}; complete it"
        )
    return [dict(zip(header, line, strict=True)) for line in lines]
