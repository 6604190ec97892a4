"""Tables with columns of any kind, given to Kensa as a source."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from bench.faults.harness import COLS, ROWS
from bench.faults.result_row import RECOVERED, refusal
from tasks.cache import cache
from tasks.config.run import DataConfig, RunConfig
from tasks.core.errors import KensaError
from tasks.download import download, resolve

TEXT = st.text(max_size=30)
PLAIN = (pa.int8(), pa.int64(), pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.string(), pa.bool_())
LISTS = (pa.list_(pa.float32()), pa.list_(pa.list_(pa.float64())), pa.list_(pa.string()))
ODD = (pa.large_string(), pa.binary(), pa.date32(), pa.null(), pa.decimal128(5, 2), pa.timestamp("s"))
KINDS = st.sampled_from([*PLAIN, *LISTS, *ODD, pa.list_(pa.float32(), ROWS * COLS)])
NAMES = st.sampled_from(["map", "label", "fmode", "mode", "group", "data0", "pos0", "neg0", "arch0", "pmode", "x", ""])
SCHEMAS = st.lists(st.tuples(st.one_of(NAMES, TEXT), KINDS), max_size=6, unique_by=lambda column: column[0])


def table_of(columns: list[tuple[str, pa.DataType]], rows: int, seed: int, full: bool) -> pa.Table:
    """Columns of any kind; with `full`, every column of wide records too, some of another kind."""
    draw = np.random.default_rng(seed)
    if full:
        present = {name for name, _ in columns}
        columns = columns + [(f"data{i}", pa.float32()) for i in range(ROWS * COLS) if f"data{i}" not in present]
        columns = columns + [(name, pa.int64()) for name in ("label", "fmode") if name not in present]
    return pa.table({name: _column(kind, rows, draw) for name, kind in columns} or {"x": pa.array([None] * rows)})


def _column(kind: pa.DataType, rows: int, draw: np.random.Generator) -> pa.Array:
    values = draw.normal(0, 10, rows).round(2)
    values[draw.random(rows) < 0.05] = draw.choice([np.nan, np.inf, 1e300])
    if pa.types.is_floating(kind):
        return pa.array(values.astype(np.float16 if kind == pa.float16() else np.float64)).cast(kind, safe=False)
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        sizes = [ROWS * COLS] * rows if pa.types.is_fixed_size_list(kind) else draw.integers(0, 2 * ROWS * COLS, rows)
        return pa.array([_cells(kind.value_type, int(size), draw) for size in sizes], kind)
    if pa.types.is_integer(kind):
        return pa.array(draw.integers(0, 4, rows)).cast(kind)
    if pa.types.is_boolean(kind):
        return pa.array(draw.random(rows) < 0.5)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pa.array([f"m{int(code)}" if code > 0 else None for code in draw.integers(0, 4, rows)], kind)
    return pa.nulls(rows, kind)


def _cells(kind: pa.DataType, size: int, draw: np.random.Generator) -> list[Any]:
    if pa.types.is_list(kind):
        return [_cells(kind.value_type, COLS, draw) for _ in range(size % 6)]
    return [str(value) if pa.types.is_string(kind) else float(value) for value in draw.normal(size=size)]


def check_source(folder: Path, table: pa.Table | None, content: bytes, name: str) -> str:
    """A table or any bytes as a folder: cached, or refused with findings; nothing half-written either way."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "source").mkdir(parents=True)
    if table is None:
        (folder / "source" / name).write_bytes(content)
    else:
        pq.write_table(table, folder / "source" / "t.parquet")
    config = RunConfig(data=DataConfig(rows=ROWS, cols=COLS), data_folder=str(folder / "data"))
    try:
        cache(download(resolve(str(folder / "source"), None, config.data_path)), config.data, config.data_path)
    except KensaError as error:
        return refusal(error)
    finally:
        drafts = [path for path in folder.rglob(".*") if path.is_dir()]
        assert not drafts, drafts
    return RECOVERED
