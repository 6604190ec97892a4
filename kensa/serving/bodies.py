"""The maps of a request's body: JSON, NumPy's format, Parquet or Arrow; photographs have a module of their own.

A body is a stranger's, whatever it says.
What a body claims to hold is compared with the limits before memory is taken for it.
"""

from __future__ import annotations

import math
import re
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.config.run import DataConfig

JSON, NPY = "application/json", "application/x-npy"
PARQUET, ARROW = "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"
MULTIPART, IMAGES = "multipart/form-data", ("image/png", "image/tiff", "image/bmp", "image/jpeg")
PHOTOGRAPHS = (MULTIPART, *IMAGES)
ReadTable = Callable[[str, bytes, DataConfig], "Parts"]
ReadPhotographs = Callable[[str, bytes], "Parts"]  # of a Content-Type and a body
MOST_MAPS = 20_000  # of one request
MOST_NAME = 200  # characters of a part's name
MOST_NPY_HEADER = 10_000  # bytes
NPY_HEADER = {
    "descr": re.compile(rb"""['"]descr['"]\s*:\s*['"]([<>|=]?[a-z]\d{1,2})['"]"""),
    "fortran_order": re.compile(rb"""['"]fortran_order['"]\s*:\s*(True|False)"""),
    "shape": re.compile(rb"""['"]shape['"]\s*:\s*\(([\d\s,]*)\)"""),
}
NPY_LENGTHS = {b"\x93NUMPY\x01\x00": "<H", b"\x93NUMPY\x02\x00": "<I"}  # how the header's length is written


class Refused(Exception):  # an answer, not an error of ours
    """A request that is not answered with verdicts: HTTP status, reason, and further headers."""

    def __init__(self, status: int, reason: str, **headers: str) -> None:
        super().__init__(reason)
        self.status, self.headers = status, headers


@dataclass(frozen=True)
class Parts:
    """maps: (n, values) float32, NaN where a map has another size; names: of the parts, None where they have none.

    registered: of photographs, whether each was aligned with the standard.
    """

    maps: np.ndarray
    names: list[str | None] | None = None
    registered: list[bool] | None = None


def read_parts(
    content_type: str,
    body: bytes,
    data: DataConfig,
    tables: ReadTable | None = None,
    photographs: ReadPhotographs | None = None,
) -> Parts:
    """The parts of a body for a release that reads tables as `data` says; raises Refused.

    tables: what reads Parquet and Arrow, by default `read_table` in this process; photographs: what reads those,
    None for a release that takes none.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind in PHOTOGRAPHS and photographs is not None:
        parts = photographs(content_type, body)
    elif kind in TABLES:
        parts = (tables or read_table)(kind, body, data)
    elif kind in READERS:
        parts = READERS[kind](body, data)
    else:
        kinds = ", ".join([*READERS, *TABLES, *(PHOTOGRAPHS if photographs else ())])
        raise Refused(415, f"Content-Type: expected {kinds}, found {kind[:100] or 'none'}")
    if not len(parts.maps):
        raise Refused(422, "expected at least one map, found none")
    return parts


def _read_json(body: bytes, data: DataConfig) -> Parts:
    from pydantic_core import from_json

    try:
        content = from_json(body)
    except ValueError:
        raise Refused(400, "body: expected JSON, found something else") from None
    if not isinstance(content, dict) or "maps" not in content or set(content) - {"maps", "parts"}:
        raise Refused(422, 'body: expected an object {"maps": […]}, and "parts" with their names if they have any')
    try:
        values = np.array(content["maps"])
    except (ValueError, TypeError, OverflowError):
        values = np.array("maps of several sizes")
    maps = _flat(values, data)
    return Parts(maps, _names(content.get("parts"), len(maps)))


def _read_npy(body: bytes, data: DataConfig) -> Parts:
    """By the form's own description: numpy.load would take the memory that a header claims, and warn of odd ones.

    The header is a Python literal, but Python 3.11 cannot parse in several threads at once (CPython issue 106905).
    """
    try:
        length, start = NPY_LENGTHS[body[:8]], 8 + struct.calcsize(NPY_LENGTHS[body[:8]])
        end = start + struct.unpack(length, body[8:start])[0]
        if end - start > MOST_NPY_HEADER:
            raise ValueError("its header is too long")
        header = {name: pattern.search(body, start, end)[1].decode() for name, pattern in NPY_HEADER.items()}
        dtype, shape = np.dtype(header["descr"]), tuple(map(int, filter(str.strip, header["shape"].split(","))))
        if dtype.kind in "iuf" and math.prod(shape) * dtype.itemsize == len(body) - end:
            order = "F" if header["fortran_order"] == "True" else "C"
            return Parts(_flat(np.frombuffer(body, dtype, offset=end).reshape(shape, order=order), data))
    except (ValueError, KeyError, TypeError, OverflowError, struct.error):
        pass
    raise Refused(400, "body: expected numbers as numpy.save writes them, found something else")


def _flat(values: np.ndarray, data: DataConfig) -> np.ndarray:
    """Maps (n, rows, cols), (n, values) or one map (rows, cols), as (n, values) float32."""
    size, count = (data.rows, data.cols), data.rows * data.cols
    values = values[None] if values.shape == size else values
    if values.dtype.kind not in "iuf" or values.shape[1:] not in ((count,), size):
        received = f"the shape {values.shape}" if values.dtype.kind in "iuf" else "something else"
        raise Refused(422, f"maps: expected numbers (n, {size[0]}, {size[1]}) or (n, {count}), found {received}")
    _require_few(len(values))
    with np.errstate(over="ignore"):  # too large for float32: infinite, and so unreadable
        return np.ascontiguousarray(values.reshape(-1, count), np.float32)


def _require_few(maps: int) -> None:
    if maps > MOST_MAPS:
        raise Refused(413, f"expected at most {MOST_MAPS:,} maps in one request, found {maps:,}; send several")


def _names(names: Any, count: int) -> list[str | None] | None:
    if names is None:
        return None
    if not isinstance(names, list) or len(names) != count or not all(map(_is_name, names)):
        raise Refused(422, f"parts: expected {count} texts of at most {MOST_NAME} characters, one for each map")
    return names


def _is_name(name: Any) -> bool:
    return name is None or (isinstance(name, str) and len(name) <= MOST_NAME)


def read_table(kind: str, body: bytes, data: DataConfig) -> Parts:
    """The parts of a table of this content type; raises Refused. A hostile one may end the process."""
    return TABLES[kind](body, data)


def _read_parquet(body: bytes, data: DataConfig) -> Parts:
    import pyarrow.parquet as pq

    def read(path: Path) -> Any:
        file = pq.ParquetFile(path)
        _require_few(file.metadata.num_rows)
        _require_claimed(_parquet_bytes(file.metadata), data)
        return file.read()

    return _read_table(body, data, read, "Parquet")


def _parquet_bytes(metadata: Any) -> int:
    """What its columns take once they are read: eight bytes for each value, or more where they are texts."""
    from tasks.data.limits import column_chunks

    return sum(max(8 * chunk.num_values, chunk.total_uncompressed_size) for chunk in column_chunks(metadata))


def _read_arrow(body: bytes, data: DataConfig) -> Parts:
    import pyarrow as pa

    from tasks.data.limits import arrow_batch_sizes

    def read(path: Path) -> Any:
        _require_claimed(sum(arrow_batch_sizes(path)), data)
        with pa.memory_map(str(path)) as file:
            return pa.ipc.open_stream(file).read_all()

    return _read_table(body, data, read, "an Arrow stream")


def _require_claimed(size: int, data: DataConfig) -> None:
    """Raise Refused where a table would take more memory than the most maps of float64 and their names."""
    most = MOST_MAPS * (data.rows * data.cols * 8 + MOST_NAME)
    if size > most:
        raise Refused(413, f"body: expected at most {most:,} bytes once unpacked, found {size:,}")


def _read_table(body: bytes, data: DataConfig, read: Callable[[Path], Any], form: str) -> Parts:
    import pyarrow as pa

    with tempfile.NamedTemporaryFile(suffix=".table") as file:
        file.write(body)
        file.flush()
        try:
            table = read(Path(file.name))
            table.validate(full=True)  # offsets of Arrow that lead elsewhere would end the process
        except (pa.ArrowException, OSError, ValueError, KeyError):
            raise Refused(400, f"body: expected {form}, found something else") from None
        _require_few(len(table))
        return _decode(table, data)


def _decode(table: Any, data: DataConfig) -> Parts:
    import pyarrow as pa

    from tasks.data.decode import as_text, decode
    from tasks.data.schema import detect_layout, map_columns

    layout = detect_layout(table.schema, data)
    if len(layout.blocks) != 1 or len(layout.columns[0]) != len(map_columns(layout.blocks[0], data)):
        raise Refused(422, f"table: expected {data.rows}×{data.cols} maps (data0… or map), found {layout.kind}")
    if not len(table):
        return Parts(np.empty((0, data.rows * data.cols), np.float32))
    try:
        (batch,) = table.replace_schema_metadata(None).combine_chunks().to_batches()
        with np.errstate(all="ignore"):  # too large for float32: infinite, and so unreadable
            (records,) = decode(batch, layout, data)
        named = records.id if records.block.id else None  # by the columns of data.id
        names = as_text(batch, "part") if "part" in table.column_names else named
    except (pa.ArrowException, ValueError, TypeError):
        raise Refused(422, "table: expected maps of numbers, found something else") from None
    return Parts(records.maps, _names(names, len(table)))


READERS: dict[str, Callable[[bytes, DataConfig], Parts]] = {JSON: _read_json, NPY: _read_npy}
TABLES: dict[str, Callable[[bytes, DataConfig], Parts]] = {PARQUET: _read_parquet, ARROW: _read_arrow}
