"""The layouts in which data arrives, declared once, and the checks of their columns.

A table's columns tell which of three layouts it has: wide triplets (`arch0… pos0… neg0…`), wide records (`data0…`),
or records with one list column `map`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

from tasks.config.run import DataConfig
from tasks.core.results import Finding

MAP_COLUMN_LAYOUT = "records with a map column"
VALUE_COLUMN = re.compile(r"(?:data|arch|pos|neg)\d+")
TEXT_TYPES = (pa.types.is_boolean, pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)


@dataclass(frozen=True)
class MapBlock:
    """One map within a row, and the columns that describe it. `role` is `anchor` or `record`."""

    role: str
    prefix: str
    mode: str
    label: str | None = None
    group: str | None = None
    id: tuple[str, ...] = ()

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
    MAP_COLUMN_LAYOUT: (MapBlock("record", "map", "fmode", "label", ""),),
}


@dataclass(frozen=True)
class TableLayout:
    """A recognised source: its kind, its blocks, the readable map columns of each, and the checks of all columns."""

    kind: str
    blocks: tuple[MapBlock, ...]
    columns: tuple[tuple[str, ...], ...]
    findings: tuple[Finding, ...]

    @property
    def fit(self) -> bool:
        """Whether every required check of the columns passed."""
        return all(finding.success or not finding.required for finding in self.findings)

    def names(self, schema: pa.Schema) -> list[str]:
        """The columns of a table that are read, in the table's order: maps, and what describes them."""
        described = ((*block.described, block.group, *block.id) for block in self.blocks)
        wanted = {column for columns in described for column in columns}.union(*self.columns)
        return [name for name in dict.fromkeys(schema.names) if name in wanted]


def detect_layout(schema: pa.Schema, data: DataConfig) -> TableLayout:
    """The layout of a table with all findings about its columns; never raises."""
    kind = _kind(schema.names)
    blocks = tuple(_with_group(block, schema.names, data.group) for block in LAYOUTS[kind])
    blocks = tuple(_with_id(block, schema.names, data.id_columns) for block in blocks)
    if kind == MAP_COLUMN_LAYOUT and "fmode" not in schema.names and "mode" in schema.names:
        blocks = tuple(replace(block, mode="mode") for block in blocks)
    columns = tuple(tuple(_fit_columns(schema, block, data)) for block in blocks)
    return TableLayout(kind, blocks, columns, _findings(schema, kind, blocks, data))


def _kind(names: list[str]) -> str:
    if "map" in names:
        return MAP_COLUMN_LAYOUT
    wide = {prefix: sum(bool(re.fullmatch(rf"{prefix}\d+", name)) for name in names) for prefix in ("pos", "data")}
    return "wide triplets" if wide["pos"] > wide["data"] else "wide records"


def _with_group(block: MapBlock, names: list[str], group: str) -> MapBlock:
    if block.group is None:
        return block
    column = block.group + group
    return replace(block, group=column if column in names else None)


def _with_id(block: MapBlock, names: list[str], columns: tuple[str, ...]) -> MapBlock:
    """The block with the columns that name its part, if all are there; those of a triplet begin with p and n."""
    if block.role != "record":
        return block
    prefix = block.prefix[0] if block.prefix in ("pos", "neg") else ""
    present = tuple(prefix + column for column in columns)
    return replace(block, id=present if present and set(present) <= set(names) else ())


def map_columns(block: MapBlock, data: DataConfig) -> list[str]:
    """The names of a block's map columns, in row-major order of the map."""
    return ["map"] if block.prefix == "map" else [f"{block.prefix}{i}" for i in range(data.rows * data.cols)]


def _fit_columns(schema: pa.Schema, block: MapBlock, data: DataConfig) -> Iterator[str]:
    present = set(schema.names)
    return (name for name in map_columns(block, data) if name in present and _holds_values(schema, name))


def _holds_values(schema: pa.Schema, column: str) -> bool:
    kind = schema.field(column).type
    return _is_map(kind) if column == "map" else is_number(kind)


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


def _holds_text(schema: pa.Schema, column: str) -> bool:
    kind = schema.field(column).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind  # categories are their names
    return is_number(kind) or any(is_text(kind) for is_text in TEXT_TYPES)


def _findings(schema: pa.Schema, kind: str, blocks: tuple[MapBlock, ...], data: DataConfig) -> tuple[Finding, ...]:
    """The checks of all columns; that of the group column only where the others passed."""
    expected = list(dict.fromkeys(name for block in blocks for name in (*map_columns(block, data), *block.described)))
    present = _columns_present(schema, expected, kind, data)
    types = _column_types(schema, expected, blocks)
    findings = (present, _no_surplus_columns(schema, expected, blocks), types, *_id_columns(blocks, data))
    return (*findings, _group_column(blocks)) if present.success and types.success else findings


def _columns_present(schema: pa.Schema, expected: list[str], kind: str, data: DataConfig) -> Finding:
    present = set(schema.names)  # Arrow makes a new list each time
    missing = [name for name in expected if name not in present]
    size = f"{data.rows}×{data.cols} = {data.rows * data.cols} values a map"
    if not missing:
        return Finding("columns present", True, True, f"{kind}, {size}")
    notes = f"missing {listed(missing)} of {len(expected)} columns expected for {kind} ({size}); "
    return Finding("columns present", False, True, notes + "rename the columns, or set data.rows and data.cols")


def _no_surplus_columns(schema: pa.Schema, expected: list[str], blocks: tuple[MapBlock, ...]) -> Finding:
    """A surplus value of a map is a failure, because the map's size is set wrong; other columns are ignored."""
    used = {*expected, *(column for block in blocks for column in (block.group, *block.id))}
    surplus = [name or "a column without a name" for name in schema.names if name not in used]
    prefixes = "|".join(block.prefix for block in blocks if block.prefix != "map") or "map"
    values = [name for name in surplus if re.fullmatch(rf"({prefixes})\d+", name)]
    if values:
        notes = f"{listed(values)} beyond the map's size; set data.rows and data.cols to the data's"
        return Finding("no surplus columns", False, True, notes)
    return Finding("no surplus columns", not surplus, False, f"ignored: {listed(surplus)}" if surplus else "none")


def _column_types(schema: pa.Schema, expected: list[str], blocks: tuple[MapBlock, ...]) -> Finding:
    present, texts = set(schema.names), {column for block in blocks for column in block.described}
    wrong = [
        name
        for name in expected
        if name in present and not (_holds_text if name in texts else _holds_values)(schema, name)
    ]
    if not wrong:
        return Finding("column types", True, True, "numeric columns are numeric")
    kinds = sorted({str(schema.field(name).type) for name in wrong})
    return Finding("column types", False, True, f"expected numbers, found {', '.join(kinds)} in {listed(wrong)}")


def _id_columns(blocks: tuple[MapBlock, ...], data: DataConfig) -> Iterator[Finding]:
    """Whether the columns that are to name a part are there; nothing where none are named."""
    if data.id_columns:
        id_columns = [column for block in blocks for column in block.id]
        lacking = f"no column {listed(list(data.id_columns))}: parts are named by their file and row"
        yield Finding("part names", bool(id_columns), False, f"from {listed(id_columns)}" if id_columns else lacking)


def _group_column(blocks: tuple[MapBlock, ...]) -> Finding:
    groups = [block.group for block in blocks if block.group]
    return Finding("group column", True, False, f"splits keep {listed(groups)} together" if groups else "none")


def listed(names: list[str], most: int = 4) -> str:
    """The first few names and how many more there are."""
    first = ", ".join(names[:most])
    return first if len(names) <= most else f"{first} and {len(names) - most} more"


def union_schema(schemas: list[pa.Schema]) -> pa.Schema:
    """The columns of all schemas, with a type that says whether they hold numbers, lists of numbers, or text."""
    kinds: dict[str, list[pa.DataType]] = {}
    for schema in schemas:
        for field in schema:
            if not pa.types.is_null(field.type) or field.name not in kinds:
                kinds.setdefault(field.name, []).append(field.type)
    return pa.schema([(name, _common(name, types)) for name, types in kinds.items()])


def _common(name: str, kinds: list[pa.DataType]) -> pa.DataType:
    kinds = [kind for kind in kinds if not pa.types.is_null(kind)]
    if not kinds:
        return pa.float32() if VALUE_COLUMN.fullmatch(name) else pa.string()
    if len(set(kinds)) == 1 or all(map(is_number, kinds)):
        return kinds[0]
    return next((kind for kind in kinds if not is_number(kind)), kinds[0])
