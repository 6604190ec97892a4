"""The three kinds are told apart by their columns, and every finding about columns comes at once."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tasks.config.run import DataConfig
from tasks.data.schema import TableLayout, detect_layout, listed, map_columns

SIZE = DataConfig(rows=2, cols=2)
FLOAT, TEXT, WHOLE = pa.float32(), pa.string(), pa.int64()


def columns(*prefixes: str, **described: pa.DataType) -> dict[str, pa.DataType]:
    return {f"{prefix}{i}": FLOAT for prefix in prefixes for i in range(4)} | described


RECORDS = columns("data", label=WHOLE, fmode=WHOLE)
TRIPLETS = columns("arch", "pos", "neg", plabel=WHOLE, nlabel=WHOLE, pmode=WHOLE, nmode=WHOLE)
LISTED = {"map": pa.list_(FLOAT), "label": TEXT, "fmode": TEXT}


def shape(fields: dict[str, pa.DataType], data: DataConfig = SIZE) -> TableLayout:
    return detect_layout(pa.schema(list(fields.items())), data)


def finding(layout: TableLayout, name: str) -> tuple[str, str]:
    return next((f.verdict, f.notes) for f in layout.findings if f.name == name)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        (TRIPLETS, "wide triplets"),
        (RECORDS, "wide records"),
        (LISTED, "records with a map column"),
        (RECORDS | {"map": pa.list_(FLOAT)}, "records with a map column"),
        (RECORDS | {"pos": TEXT, "posture1": TEXT}, "wide records"),
        ({"text": TEXT}, "wide records"),
        ({}, "wide records"),
    ],
)
def test_kinds_are_recognised(fields, kind):
    assert shape(fields).kind == kind


@pytest.mark.parametrize(("fields", "sizes"), [(TRIPLETS, [4, 4, 4]), (RECORDS, [4]), (LISTED, [1])])
def test_a_whole_table_is_fit(fields, sizes):
    layout = shape(fields)
    assert layout.fit
    assert [f.verdict for f in layout.findings] == ["ok"] * 4
    assert [len(names) for names in layout.columns] == sizes


def test_columns_are_read_in_the_order_of_the_map_not_of_the_table():
    backwards = dict(reversed(columns("data").items())) | {"label": WHOLE, "fmode": WHOLE}
    wide = DataConfig(rows=3, cols=4)
    assert shape(backwards).columns == (("data0", "data1", "data2", "data3"),)
    assert map_columns(shape(RECORDS, wide).blocks[0], wide)[9:] == ["data9", "data10", "data11"]


@pytest.mark.parametrize("fields", [TRIPLETS, RECORDS, LISTED], ids=["triplets", "records", "map"])
def test_every_column_is_missed(fields):
    for name in fields.keys() - {"map"}:  # without `map`, it is another kind
        verdict, notes = finding(shape({n: kind for n, kind in fields.items() if n != name}), "columns present")
        assert verdict == "failed"
        assert f"missing {name} of {len(fields)} columns" in notes


def test_a_map_of_another_size_is_told_from_both_sides():
    larger = shape(RECORDS, DataConfig(rows=2, cols=3))
    assert finding(larger, "columns present")[1].startswith("missing data4, data5 of 8 columns expected")
    smaller = shape(RECORDS, DataConfig(rows=1, cols=3))
    assert finding(smaller, "no surplus columns") == (
        "failed",
        "data3 beyond the map's size; set data.rows and data.cols to the data's",
    )
    assert not smaller.fit


def test_other_surplus_columns_are_a_warning():
    layout = shape(RECORDS | {"photo": TEXT, "data": FLOAT})
    assert finding(layout, "no surplus columns") == ("warning", "ignored: photo, data")
    assert layout.fit


@pytest.mark.parametrize("wrong", [TEXT, pa.bool_(), pa.timestamp("s"), pa.decimal128(5, 2), pa.list_(FLOAT)], ids=str)
def test_values_must_be_numbers(wrong):
    layout = shape(RECORDS | {"data2": wrong})
    assert finding(layout, "column types") == ("failed", f"expected numbers, found {wrong} in data2")
    assert not layout.fit


@pytest.mark.parametrize("number", [pa.int8(), pa.uint64(), pa.float16(), pa.float64(), pa.int64()], ids=str)
def test_every_number_type_is_a_number(number):
    assert shape(RECORDS | {"data2": number}).fit


@pytest.mark.parametrize("kind", [TEXT, pa.large_string(), pa.string_view(), pa.bool_(), WHOLE, pa.float64()], ids=str)
def test_labels_may_be_any_plain_value(kind):
    assert shape(RECORDS | {"label": kind, "fmode": kind}).fit


@pytest.mark.parametrize("kind", [pa.list_(TEXT), pa.struct([("a", FLOAT)]), pa.binary()], ids=str)
def test_labels_may_be_nothing_else(kind):
    assert finding(shape(RECORDS | {"label": kind}), "column types")[0] == "failed"


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(FLOAT),
        pa.large_list(pa.float64()),
        pa.list_(pa.int16(), 4),
        pa.list_(pa.list_(FLOAT)),
        pa.list_(pa.list_(FLOAT, 2), 2),
        pa.list_(pa.list_(pa.list_(FLOAT))),
        pa.fixed_shape_tensor(FLOAT, (2, 2)),
    ],
    ids=str,
)
def test_a_map_column_may_be_any_list_of_numbers(kind):
    assert shape(LISTED | {"map": kind}).fit


@pytest.mark.parametrize("kind", [FLOAT, TEXT, pa.list_(TEXT), pa.list_(pa.bool_()), pa.binary()], ids=str)
def test_a_map_column_may_be_nothing_else(kind):
    layout = shape(LISTED | {"map": kind})
    assert finding(layout, "column types") == ("failed", f"expected numbers, found {kind} in map")


def test_the_map_kind_takes_mode_for_fmode():
    layout = shape({"map": pa.list_(FLOAT), "label": TEXT, "mode": TEXT})
    assert layout.fit
    assert layout.blocks[0].mode == "mode"
    both = shape(LISTED | {"mode": TEXT})
    assert both.blocks[0].mode == "fmode"


@pytest.mark.parametrize(
    ("fields", "group", "columns"),
    [
        (RECORDS | {"group": TEXT}, "group", ["group"]),
        (RECORDS | {"lot": WHOLE}, "lot", ["lot"]),
        (LISTED | {"board": TEXT}, "board", ["board"]),
        (TRIPLETS | {"pgroup": TEXT, "ngroup": TEXT}, "group", ["pgroup", "ngroup"]),
        (TRIPLETS | {"plot": TEXT, "nlot": TEXT}, "lot", ["plot", "nlot"]),
        (RECORDS, "group", []),
        (RECORDS | {"lot": WHOLE}, "group", []),
    ],
)
def test_the_group_column_by_any_name(fields, group, columns):
    layout = shape(fields, DataConfig(rows=2, cols=2, group=group))
    assert [block.group for block in layout.blocks if block.group] == columns
    assert finding(layout, "group column")[1] == (f"splits keep {', '.join(columns)} together" if columns else "none")
    assert all(name not in finding(layout, "no surplus columns")[1] for name in columns)


def test_all_findings_about_columns_at_once():
    broken = {n: TEXT if n == "data1" else kind for n, kind in RECORDS.items() if n not in ("data3", "fmode")}
    layout = shape(broken | {"data9": FLOAT})
    assert {f.name for f in layout.findings if f.verdict == "failed"} == {
        "columns present",
        "column types",
        "no surplus columns",
    }
    assert "missing data3, fmode of 6" in finding(layout, "columns present")[1]
    assert layout.columns == (("data0", "data2"),)


def test_long_lists_of_names_are_cut():
    assert listed(["a", "b"]) == "a, b"
    assert listed([f"c{i}" for i in range(9)]) == "c0, c1, c2, c3 and 5 more"
