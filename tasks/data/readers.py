"""Opens a downloaded source as a stream of batches: every file by its name, whatever the first file holds.

Memory is that of a few batches. Values are numbers, labels, modes and groups are text; categories are their names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.config.run import DataConfig
from tasks.core.errors import BadInput, BadSetting, UnreadableSource
from tasks.core.results import DownloadedSource, Finding
from tasks.core.text import one_line
from tasks.data.card import read_card
from tasks.data.csv_files import csv_schema, has_rows, read_csv
from tasks.data.decode import complete, slices
from tasks.data.json_files import read_json
from tasks.data.limits import FILE_MAGIC, MAX_TEXT_BYTES, find_oversized_text, require_bounded, require_max_rows
from tasks.data.listing import Listing, list_tables, table_kind
from tasks.data.schema import MAP_COLUMN_LAYOUT, VALUE_COLUMN, TableLayout, detect_layout, listed, union_schema
from tasks.data.selection import names_of_classes, select
from tasks.imaging.demo import make_demo

BATCH_ROWS = 2048
BUFFER_BYTES = 1 << 16  # that Arrow reads at once of each of perhaps thousands of columns; without it, a row group
TRAINING_OPTION, SCORING_OPTION = "--set data.", "--"  # how a user chooses a configuration or split
LFS_POINTER = b"version https://git-lfs"
FILES_READ, COLUMNS_IN_ALL = FILE_CHECKS = ("files read", "columns in all files")

Batches = Iterator[pa.RecordBatch]


@dataclass(frozen=True)
class TableSource:
    """A source's columns, its batches of at most BATCH_ROWS records, read on demand, and how its files were chosen.

    `unread`: files that look like data and are left out, each with the reason. `files` have rows; `columns` are read.
    """

    name: str
    schema: pa.Schema
    batches: Batches
    findings: tuple[Finding, ...] = ()
    unread: tuple[str, ...] = ()
    files: tuple[TableFile, ...] = ()
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableFile:
    """One file: its name, its columns, whether it has records, and how to read some columns of it.

    `class_names`: for columns of codes 0, 1, … what they stand for. `path`: None for what is in no file.
    """

    name: str
    schema: pa.Schema
    has_rows: bool
    read: Callable[[list[str]], Batches]
    class_names: dict[str, list[str]]
    path: Path | None = None


Opened = tuple[list[TableFile], dict[str, str]]


def open_source(
    downloaded: DownloadedSource, data: DataConfig, held_out: bool, option: str = TRAINING_OPTION
) -> TableSource:
    """The source with its columns; `held_out` prefers the split `test` over `train`, `option` begins a user's choice.

    Raises UnreadableSource or BadSetting, also while the batches are read.
    """
    source = downloaded.resolved.source
    files: list[TableFile] = []
    unread: dict[str, str] = {}
    with translate_reader_errors(source):
        for part in downloaded.parts or (downloaded,):
            prefix = f"{part.resolved.source}: " if downloaded.parts and part.names is None else ""
            part_files, part_unread = _open_part(part, data, held_out, option)
            files += [replace(file, name=f"{prefix}{file.name}") for file in part_files]
            unread |= {f"{prefix}{name}": reason for name, reason in part_unread.items()}
        return _merge(files, unread, source, data)


def _open_part(downloaded: DownloadedSource, data: DataConfig, held_out: bool, option: str) -> Opened:
    """The files of one source, and those that are left out, with the reason."""
    pinned = downloaded.resolved
    data = replace(data, **dict(word.split("=") for word in pinned.choice.removeprefix("#").split(",") if word))
    if pinned.kind == "demo":
        return [_demo_file()], {}
    folder = Path(downloaded.folder)
    if downloaded.names is not None:
        if pinned.choice:
            expected = f"expected files without {pinned.choice}: what is named is read as a whole"
            raise BadSetting(f"{pinned.source}: {expected}")
        return _open_files(folder, downloaded.names, pinned.source, data, {}), {}
    listing = list_tables(folder)
    listing = replace(listing, others=(*{*listing.others, *pinned.not_fetched},))
    return _open_listing(listing, pinned.source, data, held_out, option)


def _open_listing(listing: Listing, source: str, data: DataConfig, held_out: bool, option: str) -> Opened:
    card = read_card(listing.folder, source)
    if not listing.tables:
        raise UnreadableSource(f"{source}: expected tables, found none")
    selection = select(listing, card, data, held_out, source, option)
    class_names = card.class_names.get(data.config or "default", {})
    return _open_files(listing.folder, selection.files, source, data, class_names), selection.unread


def _open_files(
    folder: Path, names: tuple[str, ...], source: str, data: DataConfig, class_names: dict[str, list[str]]
) -> list[TableFile]:
    _require_whole(folder, names)
    require_bounded([folder / name for name in names], source, data)
    return [open_file(folder, name, class_names) for name in names]


def _require_whole(folder: Path, names: tuple[str, ...]) -> None:
    """Name the file that is a pointer of Git LFS, or no whole Parquet file."""
    for name in names:
        path = folder / name
        with path.open("rb") as file:
            if file.read(len(LFS_POINTER)) == LFS_POINTER:
                pointer = f"{name} is a pointer of Git LFS, not the table"
                raise UnreadableSource(f"{folder}: {pointer}; run git lfs pull there")
        if table_kind(name) == "parquet":
            try:
                pq.read_metadata(path)
            except (pa.ArrowException, OSError) as error:
                raise UnreadableSource(f"{folder}: {name} is no whole Parquet file: {one_line(error)}") from None


def open_file(folder: Path, name: str, class_names: dict[str, list[str]]) -> TableFile:
    """A table below a folder; class_names: of its columns of codes, as far as the file does not name them itself."""
    path = folder / name
    openers = {"parquet": _open_parquet, "arrow": _open_arrow, "json": _open_json}
    schema, rows, read = openers.get(table_kind(name) or "", _open_csv)(path, name)
    names = {**class_names, **names_of_classes(schema)}
    coded = {column: names[column] for column in names if _is_coded(schema, column)}
    return TableFile(name, schema, rows, read, coded, path)


def _is_coded(schema: pa.Schema, column: str) -> bool:
    return column in schema.names and pa.types.is_integer(schema.field(column).type)


def _open_parquet(path: Path, name: str) -> tuple[pa.Schema, bool, Callable[[list[str]], Batches]]:
    """Arrow reads each column in small buffers: as a whole, it would hold a row group."""
    reader = pq.ParquetFile(path, pre_buffer=False, buffer_size=BUFFER_BYTES)

    def read(columns: list[str]) -> Batches:
        require_short_texts(path, name, columns)
        return reader.iter_batches(BATCH_ROWS, columns=columns)

    return reader.schema_arrow, reader.metadata.num_rows > 0, read


def require_short_texts(path: Path, name: str, columns: Sequence[str]) -> None:
    """Raise UnreadableSource for a text of a Parquet file that, packed once, may be repeated to gigabytes."""
    if text := find_oversized_text(path, list(columns)):
        expected = f"expected texts of at most {MAX_TEXT_BYTES:,} bytes"
        raise UnreadableSource(f"{name}: {expected}, found {text}; shorten it")


def _open_arrow(path: Path, name: str) -> tuple[pa.Schema, bool, Callable[[list[str]], Batches]]:
    """A stream is a file of the `datasets` library, which opens it; Arrow's own files, such as Feather, it does not."""
    with pa.memory_map(str(path)) as file:
        is_stream = file.read(len(FILE_MAGIC)) != FILE_MAGIC
    if is_stream:
        table = _read_stream(path)
        return table.schema, table.num_rows > 0, lambda columns: iter(table.select(columns).to_batches(BATCH_ROWS))
    reader = pa.ipc.open_file(pa.memory_map(str(path)))

    def batches() -> Batches:
        return map(reader.get_batch, range(reader.num_record_batches))

    return reader.schema, any(batch.num_rows for batch in batches()), lambda names: (b.select(names) for b in batches())


def _read_stream(path: Path) -> pa.Table:
    """The table of a stream, mapped into memory, with the names of its classes in the schema's metadata."""
    from datasets import Dataset  # two seconds, for these files alone

    return Dataset.from_file(str(path)).data.table


def _open_csv(path: Path, name: str) -> tuple[pa.Schema, bool, Callable[[list[str]], Batches]]:
    schema = csv_schema(path, name)
    return schema, has_rows(path), lambda columns: read_csv(path, name, pa.schema([schema.field(c) for c in columns]))


def _open_json(path: Path, name: str) -> tuple[pa.Schema, bool, Callable[[list[str]], Batches]]:
    """JSON is read twice: only the last record says which columns there are."""
    schemas = [batch.schema for batch in read_json(path, name)]

    def read(columns: list[str]) -> Batches:
        for batch in read_json(path, name):
            arrays = dict(zip(batch.schema.names, batch.columns, strict=True))
            yield pa.RecordBatch.from_pydict({name: arrays.get(name, pa.nulls(batch.num_rows)) for name in columns})

    return union_schema(schemas), bool(schemas), read


def _merge(files: list[TableFile], unread: dict[str, str], source: str, data: DataConfig) -> TableSource:
    """All files as one source; those without records have no say in its columns."""
    filled = [file for file in files if file.has_rows]
    if not filled:
        kinds = " and ".join(sorted({table_kind(file.name) or "other" for file in files}))
        raise UnreadableSource(f"{source}: expected records, found {kinds} files without rows")
    schema = union_schema([_with_names(file) for file in filled])
    layout = detect_layout(schema, data)
    columns = layout.names(schema) or schema.names[:1]
    _require_maps(filled, layout, columns, source)
    unread = unread | {file.name: "no records" for file in files if not file.has_rows}
    findings = (*_files_read(unread, len(filled)), *_columns_in_all(filled, columns))
    batches = _read_all(filled, columns, source, data)
    named = tuple(f"{name} ({reason})" for name, reason in unread.items())
    return TableSource(source, schema, batches, findings, named, tuple(filled), tuple(columns))


def _with_names(file: TableFile) -> pa.Schema:
    coded = file.class_names
    return pa.schema([(field.name, pa.string() if field.name in coded else field.type) for field in file.schema])


def _require_maps(files: list[TableFile], layout: TableLayout, columns: list[str], source: str) -> None:
    """Raise UnreadableSource where a file lacks values that others have."""
    whole = layout.kind == MAP_COLUMN_LAYOUT
    values = [name for name in columns if VALUE_COLUMN.fullmatch(name) or (whole and name == "map")]
    for file in files:
        if missing := [name for name in values if name not in set(file.schema.names)]:
            lacks = f"{file.name} lacks {listed(missing)}, which other files have"
            raise UnreadableSource(f"{source}: {lacks}; give all files the same columns")


def _files_read(unread: dict[str, str], count: int) -> Iterator[Finding]:
    """A warning for files that are left out, unless they are only the other splits of the source."""
    if unread:
        names = listed([f"{name} ({reason})" for name, reason in unread.items()])
        meant = all(reason.startswith("split ") for reason in unread.values())
        yield Finding(FILES_READ, meant, False, f"{count} of {count + len(unread)}; not read: {names}")


def _columns_in_all(files: list[TableFile], columns: list[str]) -> Iterator[Finding]:
    """A warning for columns that some files lack: their records have no label, no mode, or no group."""
    lacking = {
        column: [file.name for file in files if column not in set(file.schema.names)]
        for column in columns
        if not VALUE_COLUMN.fullmatch(column) and column != "map"
    }
    notes = [f"no {column} in {listed(names)}" for column, names in lacking.items() if names]
    if notes:
        yield Finding(COLUMNS_IN_ALL, False, False, f"{'; '.join(notes)}: these records have none")


def _read_all(files: list[TableFile], columns: list[str], source: str, data: DataConfig) -> Batches:
    rows = 0
    with translate_reader_errors(source):
        for file in files:
            present = set(file.schema.names)
            batches = file.read([name for name in columns if name in present])
            for batch in complete(batches, columns, file.name, file.class_names):
                require_max_rows(rows := rows + batch.num_rows, source, data)
                yield from slices(batch, BATCH_ROWS)


def _demo_file() -> TableFile:
    demo = make_demo()
    maps = pa.FixedSizeListArray.from_arrays(pa.array(demo.maps.ravel()), demo.maps.shape[1])
    table = pa.table({"map": maps, "label": demo.label, "fmode": demo.fmode, "group": list(demo.group)})
    return TableFile("demo", table.schema, True, lambda names: iter(table.select(names).to_batches(BATCH_ROWS)), {})


@contextmanager
def translate_reader_errors(source: str) -> Iterator[None]:
    """Raise UnreadableSource, in one line, for what the readers raise."""
    try:
        yield
    except (ValueError, KeyError, OSError, pa.ArrowException) as error:
        if isinstance(error, BadInput):  # one of ours, which is a ValueError, too
            raise
        raise UnreadableSource(f"{source}: cannot be read as a table: {one_line(error)}") from None
