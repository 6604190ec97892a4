"""Arrow batches to maps: float32 values, text labels and modes, and each record's hash."""

from __future__ import annotations

import functools
import hashlib
import math
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.config.run import DataConfig
from tasks.data.schema import VALUE_COLUMN, MapBlock, TableLayout

PLACE_KEYS = (b"kensa.file", b"kensa.row")  # of a batch's metadata: the file, and the row of the first record there


Item = TypeVar("Item")


@dataclass(frozen=True)
class DecodedBlock:
    """One block of a batch, row by row.

    maps: (rows, values) float32, C order; fewer values than a map's where columns are unfit.
    label, mode, group: text, None where the cell is empty or the column is missing.
    wrong_size: (rows,) bool, the rows that held a map of another size (their values here are NaN).
    id: what names the part: its columns with / between, else its file and row; None where neither is known.
    """

    block: MapBlock
    maps: np.ndarray
    label: list[str | None]
    mode: list[str | None]
    group: list[str | None]
    wrong_size: np.ndarray
    id: list[str | None] | None = None

    @functools.cached_property
    def hashes(self) -> list[bytes]:
        """The 16-byte BLAKE2b hash of each row's float32 values, which identifies a record."""
        return [hashlib.blake2b(row, digest_size=16).digest() for row in self.maps]

    @functools.cached_property
    def finite(self) -> np.ndarray:
        """Whether all values of each row are finite, (rows,) bool."""
        return np.isfinite(self.maps).all(axis=1)


def decode(batch: pa.RecordBatch, layout: TableLayout, data: DataConfig) -> Iterator[DecodedBlock]:
    """Every block of the batch."""
    for block, columns in zip(layout.blocks, layout.columns, strict=True):
        if block.prefix == "map":
            maps, wrong_size = _listed_maps(batch, columns, data)
        else:
            maps, wrong_size = _wide_maps(batch, columns), np.zeros(batch.num_rows, bool)
        texts = [as_text(batch, column) for column in (block.label, block.mode, block.group)]
        yield DecodedBlock(block, maps, *texts, wrong_size=wrong_size, id=_ids(batch, block))


def _ids(batch: pa.RecordBatch, block: MapBlock) -> list[str | None]:
    """The name of each row's part; the row of a triplet holds two parts, which its place alone does not tell apart."""
    places = _places(batch)
    if block.prefix in ("pos", "neg"):
        places = [place and f"{place}:{block.prefix}" for place in places]
    if not block.id:
        return places
    texts = zip(*(as_text(batch, column) for column in block.id), strict=True)
    names = ["/".join(text or "" for text in row) if any(row) else None for row in texts]
    return [name or place for name, place in zip(names, places, strict=True)]


def at_place(batch: pa.RecordBatch, file: str, row: int) -> pa.RecordBatch:
    """The batch, which knows the file that it comes from and the row of its first record there, from 0."""
    return batch.replace_schema_metadata(dict(zip(PLACE_KEYS, (file, str(row)), strict=True)))


def complete(
    batches: Iterable[pa.RecordBatch],
    columns: Sequence[str],
    file: str,
    class_names: dict[str, list[str]],
    first: int = 0,
) -> Iterator[pa.RecordBatch]:
    """The batches of a file with all columns, which know their place: the first begins at the file's row `first`."""
    for batch in batches:
        yield at_place(_complete(batch, columns, class_names), file, first)
        first += batch.num_rows


def _complete(batch: pa.RecordBatch, columns: Sequence[str], class_names: dict[str, list[str]]) -> pa.RecordBatch:
    """The batch with all columns: nulls for those that are missing, names in place of the codes of classes."""
    arrays = dict(zip(batch.schema.names, batch.columns, strict=True))
    for name in columns:
        array = arrays.get(name)
        if array is None or (pa.types.is_null(array.type) and name != "map"):
            arrays[name] = pa.nulls(batch.num_rows, pa.float32() if VALUE_COLUMN.fullmatch(name) else pa.string())
        elif name in class_names:
            arrays[name] = pa.array([_class_name(code, class_names[name]) for code in array.to_pylist()], pa.string())
    return pa.RecordBatch.from_arrays([arrays[name] for name in columns], list(columns))


def _class_name(code: int | None, names: list[str]) -> str | None:
    """The name of a code; None for −1, which stands for no class."""
    if code is None or code < 0:
        return None
    return names[code] if code < len(names) else str(code)


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The items, none of which is None; the next one is made in a thread while this one is used."""
    with ThreadPoolExecutor(1, "ahead") as thread:
        following = thread.submit(next, items, None)
        while (item := following.result()) is not None:
            following = thread.submit(next, items, None)
            yield item


def slices(batch: pa.RecordBatch, rows: int) -> Iterator[pa.RecordBatch]:
    """The batch in pieces of at most so many rows, each of which knows its place."""
    file, first = ((batch.schema.metadata or {})[key].decode() for key in PLACE_KEYS)
    for start in range(0, batch.num_rows, rows):
        yield at_place(batch.slice(start, rows), file, int(first) + start)


def _places(batch: pa.RecordBatch) -> list[str | None]:
    """File and row of each record, such as monday.csv:17; None where the batch does not know them."""
    file, first = ((batch.schema.metadata or {}).get(key) for key in PLACE_KEYS)
    if file is None or first is None:
        return [None] * batch.num_rows
    return [f"{file.decode()}:{row}" for row in range(int(first), int(first) + batch.num_rows)]


def _wide_maps(batch: pa.RecordBatch, columns: tuple[str, ...]) -> np.ndarray:
    if not columns or not batch.num_rows:
        return np.empty((batch.num_rows, len(columns)), np.float32)
    kinds = {batch.schema.field(column).type for column in columns}
    if pa.float16() in kinds and len(kinds) > 1:  # Arrow's tensors cannot mix half floats with others
        return _as_float32(np.stack([batch.column(name).to_numpy(zero_copy_only=False) for name in columns], axis=1))
    values = batch.select(list(columns)).to_tensor(null_to_nan=True, row_major=True).to_numpy()
    return _as_float32(values)


def _listed_maps(batch: pa.RecordBatch, columns: tuple[str, ...], data: DataConfig) -> tuple[np.ndarray, np.ndarray]:
    """The maps of a list column, flat or nested to any depth, and which rows have another size.

    The outermost list of a nested map must hold its rows, or one channel: 39×36 is not 36×39.
    """
    if not columns:
        return np.empty((batch.num_rows, 0), np.float32), np.zeros(batch.num_rows, bool)
    size = data.rows * data.cols
    values, lengths = batch.column("map"), np.ones(batch.num_rows, np.int64)
    values = values.storage if isinstance(values, pa.ExtensionArray) else values
    outermost = _lengths(values)
    while pa.types.is_nested(values.type):
        bounds, ends = np.concatenate([[0], np.cumsum(_lengths(values))]), np.cumsum(lengths)
        lengths = bounds[ends] - bounds[ends - lengths]
        values = pc.list_flatten(values)  # a null list has length 0 and gives nothing
    fits = (lengths == size) & np.isin(outermost, (size, data.rows, 1))
    maps = np.full((batch.num_rows, size), np.nan, np.float32)
    flat = _as_float32(values.to_numpy(zero_copy_only=False))
    maps[fits] = flat[np.repeat(fits, lengths)].reshape(-1, size)
    return maps, ~fits


def _lengths(lists: pa.Array) -> np.ndarray:
    return pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False).astype(np.int64)


def _as_float32(values: np.ndarray) -> np.ndarray:
    """Contiguous float32 without negative zeros, whose hash would differ from that of zeros.

    A value beyond float32 becomes infinite here, and the check for finite values reports it.
    """
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, np.float32) + np.float32(0)


def as_text(batch: pa.RecordBatch, column: str | None) -> list[str | None]:
    """A column as text: 1, 1.0 and "1" are the same label, because CSV and Parquet write them differently."""
    if column is None or column not in batch.schema.names:
        return [None] * batch.num_rows
    cells = batch.column(column)
    if not _repeats(cells.type):
        return [cell_text(value) for value in cells.to_pylist()]
    coded = cells.dictionary_encode()  # few cells differ
    texts = np.array([*map(cell_text, coded.dictionary.to_pylist()), None], object)
    return texts[pc.fill_null(coded.indices.cast(pa.int32()), len(texts) - 1).to_numpy()].tolist()


def _repeats(kind: pa.DataType) -> bool:
    """Whether Arrow finds the distinct cells of such a column."""
    types = pa.types
    number = types.is_integer(kind) or types.is_float32(kind) or types.is_float64(kind)
    return number or types.is_string(kind) or types.is_large_string(kind) or types.is_boolean(kind)


def cell_text(value: object) -> str | None:
    """The text of a cell, None for an empty one: a whole number has no decimal point, a truth value is 1 or 0.

    Letters are composed (NFC): the same word from macOS and from Windows is the same label.
    """
    if value in (None, "") or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool | int | float) and float(value).is_integer():
        return str(int(value))
    text = str(value)
    return text if text.isascii() else unicodedata.normalize("NFC", text)
