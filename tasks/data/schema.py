"""The shapes in which data arrives, declared once, and the checks of their columns.

Three kinds are told apart by their columns: wide triplets (`arch0… pos0… neg0…`), wide records
(`data0…`) and records with one list column `map`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

from tasks.config.run import DataConfig
from tasks.core.results import Finding


@dataclass(frozen=True)
class MapBlock:
    """One map within a row, and the columns that describe it. `role` is `anchor` or `record`."""

    role: str
    prefix: str
    mode: str
    label: str | None = None
    group: str | None = None

    @property
    def described(self) -> tuple[str, ...]:
        """The columns that must be there beside the map."""
        return tuple(column for column in (self.label, self.mode) if column)


LAYOUTS: dict[str, tuple[MapBlock, ...]] = {
    "wide triplets": (
        MapBlock("anchor", "arch", "pmode"),
        MapBlock("record", "pos", "pmode", "plabel", "p"),
        MapBlock("record", "neg", "nmode", "nlabel", "n"),
    ),
    "wide records": (MapBlock("record", "data", "fmode", "label", ""),),
    "records with a map column": (MapBlock("record", "map", "fmode", "label", ""),),
}


@dataclass(frozen=True)
class TableLayout:
    """A recognised source: its kind, its blocks, and the columns of each that are fit to be read."""

    kind: str
    blocks: tuple[MapBlock, ...]
    columns: tuple[tuple[str, ...], ...]
    findings: tuple[Finding, ...]

    @property
    def fit(self) -> bool:
        """Whether every required check of the columns passed."""
        return all(finding.success or not finding.required for finding in self.findings)

    def names(self, schema: pa.Schema) -> list[str]:
        """The columns of a table that are read, in their order there: maps, and what describes them."""
        told = {column for block in self.blocks for column in (*block.described, block.group)}
        wanted = told.union(*self.columns)
        return [name for name in dict.fromkeys(schema.names) if name in wanted]


def detect_layout(schema: pa.Schema, data: DataConfig) -> TableLayout:
    """The shape of a table with all findings about its columns; never raises."""
    kind = _kind(schema.names)
    blocks = tuple(_with_group(block, schema.names, data.group) for block in LAYOUTS[kind])
    if kind == "records with a map column" and "fmode" not in schema.names and "mode" in schema.names:
        blocks = tuple(replace(block, mode="mode") for block in blocks)
    columns = tuple(tuple(_fit_columns(schema, block, data)) for block in blocks)
    return TableLayout(kind, blocks, columns, tuple(_findings(schema, kind, blocks, data)))


def _kind(names: list[str]) -> str:
    if "map" in names:
        return "records with a map column"
    wide = {prefix: sum(bool(re.fullmatch(rf"{prefix}\d+", name)) for name in names) for prefix in ("pos", "data")}
    return "wide triplets" if wide["pos"] > wide["data"] else "wide records"


def _with_group(block: MapBlock, names: list[str], group: str) -> MapBlock:
    if block.group is None:
        return block
    column = block.group + group
    return replace(block, group=column if column in names else None)


def map_columns(block: MapBlock, data: DataConfig) -> list[str]:
    """The names of a block's map columns, in row-major order of the map."""
    return ["map"] if block.prefix == "map" else [f"{block.prefix}{i}" for i in range(data.rows * data.cols)]


def is_number(kind: pa.DataType) -> bool:
    """Integers and floats; truth values are not measured values."""
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def _is_map(kind: pa.DataType) -> bool:
    """Whether a column holds lists of numbers, or lists of rows of numbers, also as `datasets.Array2D`."""
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    while pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        kind = kind.value_type
        if is_number(kind):
            return True
    return False


def _fits(schema: pa.Schema, column: str) -> bool:
    kind = schema.field(column).type
    return _is_map(kind) if column == "map" else is_number(kind)


def _fit_columns(schema: pa.Schema, block: MapBlock, data: DataConfig) -> Iterator[str]:
    present = set(schema.names)
    return (name for name in map_columns(block, data) if name in present and _fits(schema, name))


def _findings(schema: pa.Schema, kind: str, blocks: tuple[MapBlock, ...], data: DataConfig) -> Iterator[Finding]:
    expected = [name for block in blocks for name in (*map_columns(block, data), *block.described)]
    expected = list(dict.fromkeys(expected))
    present = set(schema.names)  # Arrow makes the list anew each time it is asked
    missing = [name for name in expected if name not in present]
    size = f"{data.rows}×{data.cols} = {data.rows * data.cols} values a map"
    yield Finding(
        "columns present",
        not missing,
        True,
        f"{kind}, {size}"
        if not missing
        else f"missing {listed(missing)} of {len(expected)} columns expected for {kind} ({size}); "
        "rename the columns, or set data.rows and data.cols",
    )
    yield _surplus(schema, expected, blocks)
    wrong = [n for n in expected if n in present and not _type_fits(schema, n, blocks)]
    kinds = sorted({str(schema.field(name).type) for name in wrong})
    yield Finding(
        "column types",
        not wrong,
        True,
        "numbers where numbers belong"
        if not wrong
        else f"expected numbers, found {', '.join(kinds)} in {listed(wrong)}",
    )
    if wrong or missing:
        return
    groups = [block.group for block in blocks if block.group]
    yield Finding("group column", True, False, f"splits keep {listed(groups)} together" if groups else "none")


def _surplus(schema: pa.Schema, expected: list[str], blocks: tuple[MapBlock, ...]) -> Finding:
    known = {*expected, *(block.group for block in blocks)}
    surplus = [name for name in schema.names if name not in known]
    prefixes = "|".join(block.prefix for block in blocks if block.prefix != "map") or "map"
    values = [name for name in surplus if re.fullmatch(rf"({prefixes})\d+", name)]
    if values:
        notes = f"{listed(values)} beyond the map's size; set data.rows and data.cols to the data's"
        return Finding("no surplus columns", False, True, notes)
    return Finding("no surplus columns", not surplus, False, f"ignored: {listed(surplus)}" if surplus else "none")


def _type_fits(schema: pa.Schema, column: str, blocks: tuple[MapBlock, ...]) -> bool:
    if any(column in block.described for block in blocks):
        kind = schema.field(column).type
        return is_number(kind) or any(
            is_kind(kind)
            for is_kind in (
                pa.types.is_boolean,
                pa.types.is_string,
                pa.types.is_large_string,
                pa.types.is_string_view,
            )
        )
    return _fits(schema, column)


def listed(names: list[str], most: int = 4) -> str:
    """The first few names and how many more there are."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
