"""Opens a downloaded source as a stream of batches: Arrow reads Parquet, the `datasets` library all other files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.config.run import DataConfig
from tasks.core.errors import BadInput, BadSetting, UnreadableSource
from tasks.core.results import DownloadedSource
from tasks.core.text import one_line
from tasks.data.limits import require_bounded, require_files_inside, require_max_rows, require_safe_card
from tasks.data.schema import detect_layout
from tasks.data.unpacked_size import MAX_TEXT_BYTES, find_oversized_text
from tasks.imaging.demo import make_demo

BATCH_ROWS = 2048
BUFFER_BYTES = 1 << 16  # that Arrow reads at once of each of perhaps thousands of columns; without it, a row group


@dataclass(frozen=True)
class TableSource:
    """A source's columns, and its batches of at most BATCH_ROWS records, read on demand."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


@contextmanager
def open_source(downloaded: DownloadedSource, data: DataConfig, held_out: bool, scratch: Path) -> Iterator[TableSource]:
    """The source with its columns; files other than Parquet are prepared in a temporary folder below `scratch`.

    Memory is that of a few batches. `held_out` prefers the split `test` over `train`. Raises UnreadableSource
    or BadSetting, also while the batches are read.
    """
    if downloaded.resolved.kind == "demo":
        yield _table_source(_demo_table())
        return
    with tempfile.TemporaryDirectory(dir=scratch, prefix=".reading-") as folder:
        builder, files, split = _resolve_split(downloaded, data, held_out, folder)
        if builder.name == "parquet":
            yield _parquet_source(files, downloaded.resolved.source, data)
        else:
            yield _table_source(_prepare(builder, split, downloaded.resolved.source, data))


@contextmanager
def stream_source(downloaded: DownloadedSource, data: DataConfig, held_out: bool) -> Iterator[Iterator[pa.RecordBatch]]:
    """The source as batches of at most BATCH_ROWS records; none of its records is written anywhere.

    Raises as `open_source`, also while the batches are read.
    """
    if downloaded.resolved.kind == "demo":
        yield _table_source(_demo_table()).batches
        return
    with tempfile.TemporaryDirectory(prefix="kensa-reading-") as scratch:  # notes of the library, a few kilobytes
        yield _stream(downloaded, data, held_out, scratch)


def _stream(downloaded: DownloadedSource, data: DataConfig, held_out: bool, scratch: str) -> Iterator[pa.RecordBatch]:
    builder, files, split = _resolve_split(downloaded, data, held_out, scratch)
    if builder.name == "parquet":
        yield from _parquet_source(files, downloaded.resolved.source, data).batches
        return
    with _translate_reader_errors(downloaded.resolved.source):
        for table in builder.as_streaming_dataset(split).with_format("arrow").iter(BATCH_ROWS):
            yield table.combine_chunks().to_batches()[0]


def _resolve_split(
    downloaded: DownloadedSource, data: DataConfig, held_out: bool, scratch: str
) -> tuple[Any, list[str], str]:
    """The library's reader of a folder, the files of the split to read, and the split's name."""
    from datasets import DownloadConfig, load_dataset_builder

    folder, source = Path(downloaded.folder), downloaded.resolved.source
    _require_safe_folder(folder, source, data)
    with _translate_reader_errors(source):
        local = DownloadConfig(local_files_only=True)
        builder = load_dataset_builder(downloaded.folder, data.config, cache_dir=scratch, download_config=local)
        files = {str(name): list(paths) for name, paths in (builder.config.data_files or {}).items()}
        require_files_inside([path for paths in files.values() for path in paths], folder, source)
        split = _choose_split(source, list(files), data.part, held_out)
    return builder, files[split], split


def _require_safe_folder(folder: Path, source: str, data: DataConfig) -> None:
    """All checks that need no file of records to be opened."""
    require_safe_card(folder, source)
    _require_one_kind(folder, source)
    _require_rows(folder)
    require_bounded(folder, source, data)


def _require_one_kind(folder: Path, source: str) -> None:
    """`datasets` reads one kind of file and silently drops the others. JSON may be mere metadata."""
    kinds = sorted(kind for kind in ("parquet", "csv", "tsv", "arrow") if any(folder.rglob(f"*.{kind}")))
    if len(kinds) > 1:
        raise UnreadableSource(f"{source}: expected tables of one kind, found {', '.join(kinds)}; keep one of them")


def _require_rows(folder: Path) -> None:
    """Name the Parquet file that cannot be read: `datasets` only says that something failed."""
    files = sorted(folder.rglob("*.parquet"))
    rows = 0
    for path in files:
        try:
            rows += pq.read_metadata(path).num_rows
        except (pa.ArrowException, OSError) as error:
            name = path.relative_to(folder)
            raise UnreadableSource(f"{folder}: {name} is no whole Parquet file: {_cause(error)}") from None
    if files and not rows:
        raise UnreadableSource(f"{folder}: expected records, found Parquet files without rows")


def _choose_split(source: str, splits: list[str], name: str | None, held_out: bool) -> str:
    """The split `name`; without a name, the usual one, or the only one."""
    usual = ["test", "validation", "train"] if held_out else ["train"]
    preferred = [name] if name else usual
    chosen = next((split for split in preferred if split in splits), None)
    if chosen is None and len(splits) == 1 and not name:
        return splits[0]
    if chosen is None:
        raise BadSetting(
            f"{source}: expected the split {' or '.join(preferred)}, found {', '.join(splits)}; "
            "choose with --set data.part=…"
        )
    return chosen


def _parquet_source(files: list[str], source: str, data: DataConfig) -> TableSource:
    """Arrow reads Parquet itself: the library would hold a whole row group, and write the records once more.

    Columns without a use are not read.
    """
    with _translate_reader_errors(source):
        readers = [pq.ParquetFile(path, pre_buffer=False, buffer_size=BUFFER_BYTES) for path in files]
        schema = readers[0].schema_arrow
    names = detect_layout(schema, data).names(schema)
    wanted = pa.schema([schema.field(name) for name in names])

    def batches() -> Iterator[pa.RecordBatch]:
        with _translate_reader_errors(source):
            for path, reader in zip(files, readers, strict=True):
                _require_short_texts(path, names, source)
                for batch in reader.iter_batches(BATCH_ROWS, columns=names):
                    same = batch.schema.equals(wanted)
                    yield batch if same else batch.select(names).cast(wanted)

    return TableSource(schema, batches())


def _require_short_texts(path: str, columns: list[str], source: str) -> None:
    """Raise UnreadableSource for a text too long to be a name: packed once, it may be repeated to gigabytes."""
    if text := find_oversized_text(Path(path), columns):
        raise UnreadableSource(f"{source}: expected texts of at most {MAX_TEXT_BYTES:,} bytes, found {text}; shorten it")


def _prepare(builder: Any, split: str, source: str, data: DataConfig) -> pa.Table:
    """Any other kind of file as a table that the library has written, memory-mapped."""
    from datasets import DownloadConfig

    with _translate_reader_errors(source):
        local = DownloadConfig(local_files_only=True)
        builder.download_and_prepare(download_config=local, verification_mode="no_checks")
        table = builder.as_dataset(split).with_format("arrow")[:]
    require_max_rows(table.num_rows, source, data)
    return table


def _table_source(table: pa.Table) -> TableSource:
    return TableSource(table.schema, iter(table.to_batches(max_chunksize=BATCH_ROWS)))


def _demo_table() -> pa.Table:
    demo = make_demo()
    maps = pa.FixedSizeListArray.from_arrays(pa.array(demo.maps.ravel()), demo.maps.shape[1])
    return pa.table({"map": maps, "label": demo.label, "fmode": demo.fmode, "group": list(demo.group)})


@contextmanager
def _translate_reader_errors(source: str) -> Iterator[None]:
    """Raise UnreadableSource, in one line, for what the readers raise: StopIteration is a JSON file without records."""
    import yaml
    from datasets.exceptions import DatasetsError

    try:
        yield
    except (DatasetsError, ValueError, KeyError, OSError, StopIteration, pa.ArrowException, yaml.YAMLError) as error:
        if isinstance(error, BadInput):  # one of ours, which is a ValueError, too
            raise
        raise UnreadableSource(f"{source}: cannot be read as a table: {_cause(error)}") from None


def _cause(error: BaseException) -> str:
    """The innermost cause in one line: the outer ones only say that something failed."""
    while error.__cause__ is not None:
        error = error.__cause__
    return one_line(error)
