"""The checks of values: each failure is found, counted and told, and all of them at once."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from support import inspected_parts as parts

from tasks.caching.assembly import CacheTables
from tasks.caching.pieces import decode_all, write_tables
from tasks.config.run import DataConfig
from tasks.data.checks import DataChecks
from tasks.data.schema import detect_layout
from tasks.sources.decided_labels import LabelOverlay

Findings = dict[str, tuple[str, str]]


def findings(table: pa.Table, data: DataConfig = parts.DATA, batch: int = 1000) -> Findings:
    """Name → verdict and notes of all checks, as the cache makes them."""
    layout = detect_layout(table.schema, data)
    with tempfile.TemporaryDirectory() as folder:
        blocks = decode_all(table.to_batches(max_chunksize=batch), layout, data, LabelOverlay({}))
        tables = CacheTables(Path(folder))
        tables.move(write_tables(Path(folder) / ".read", blocks, layout, data, 1000))
        records = tables.close()
    results = [*layout.findings, *DataChecks(layout, data, tables.values, records).result()]
    assert len({finding.name for finding in results}) == len(results)
    return {finding.name: (finding.verdict, finding.notes) for finding in results}


def spoilt(rows: Any, values: Any, **columns: Any) -> pa.Table:
    """Good records with some values, labels or modes replaced."""
    part = parts.inspected(modes=3, each=12)
    part.maps[rows] = values
    for name, cells in columns.items():
        getattr(part, name)[rows] = cells
    return parts.map_column(part)


@pytest.mark.parametrize("kind", [parts.map_column, parts.wide_records])
def test_good_records_pass_every_check(kind):
    by_name = findings(kind(parts.inspected()))
    assert {verdict for verdict, _ in by_name.values()} == {"ok"}
    assert by_name["records present"][1] == "36 rows, 36 distinct records"
    assert by_name["good records"][1] == "12 with label '0'"
    assert by_name["records in each mode"][1] == "3 modes"


def test_good_triplets_pass_every_check():
    part = parts.inspected()
    pairs = parts.pairs_within(part, np.zeros(36, int), 200)
    by_name = findings(parts.wide_triplets(part, pairs))
    assert {verdict for verdict, _ in by_name.values()} == {"ok"}
    assert by_name["distinct records"][1] == "364 rows repeat a record; each is kept once"


def test_findings_do_not_depend_on_the_batches():
    table = spoilt([12, 20, 21], np.nan)
    assert findings(table, batch=5) == findings(table)
    assert findings(table)["finite values"][1] == "3 maps with NaN or infinite values; first in row 12, block map"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", [parts.map_column, parts.wide_records])
def test_values_that_are_no_numbers(kind, value):
    part = parts.inspected()
    part.maps[7, 3] = value
    verdict, notes = findings(kind(part))["finite values"]
    assert verdict == "failed"
    assert notes.startswith("1 maps with NaN or infinite values; first in row 7")


def test_a_value_too_large_for_float32_is_not_finite():
    values = [[*([1.0] * 19), 1e39]] * 9
    table = pa.table({"map": values, "label": [0, 1, 1] * 3, "fmode": [0, 1, 2] * 3})
    assert findings(table)["finite values"][0] == "failed"


def test_an_anchor_that_is_no_number_is_found_too():
    part = parts.inspected()
    table = parts.wide_triplets(part, parts.pairs_within(part, np.zeros(36, int), 50))
    column = table.schema.get_field_index("arch3")
    broken = table.set_column(column, "arch3", pa.array([np.nan] + [1.0] * 49))
    assert "first in row 0, block arch" in findings(broken)["finite values"][1]


def test_constant_maps_are_a_warning():
    by_name = findings(spoilt([3, 4], [[2.0], [3.0]]))
    assert by_name["maps vary"] == ("warning", "2 constant maps: they carry no shape")
    assert not [name for name, (verdict, _) in by_name.items() if verdict == "failed"]


def test_a_map_of_one_value_is_not_constant():
    table = pa.table({"map": [[float(i)] for i in range(9)], "label": [0, 1, 1] * 3, "fmode": [0, 1, 2] * 3})
    assert findings(table, DataConfig(rows=1, cols=1))["maps vary"][0] == "ok"


def test_maps_of_another_size_are_counted_apart_from_values_that_are_none():
    maps = [list(row) for row in parts.inspected().maps]
    maps[1], maps[2], maps[9][4] = maps[1][:-1], None, None
    table = parts.map_column(parts.inspected()).set_column(0, "map", pa.array(maps))
    by_name = findings(table)
    assert by_name["map sizes"] == ("failed", "2 maps that are not 4×5; set data.rows and data.cols")
    assert by_name["finite values"][1] == "1 maps with NaN or infinite values; first in row 9, block map"
    assert by_name["labels agree"][0] == "ok"  # three maps of nothing are not one record with three labels


@pytest.mark.parametrize("column", ["label", "fmode"])
@pytest.mark.parametrize("empty", [None, ""])
def test_records_without_label_or_mode(column, empty):
    table = parts.map_column(parts.inspected())
    cells = [str(cell) for cell in table[column].to_pylist()]
    cells[5] = cells[8] = empty
    broken = table.set_column(table.schema.get_field_index(column), column, pa.array(cells, pa.string()))
    assert findings(broken)["labels and modes given"] == ("failed", "2 records without label or mode")


def test_repeated_records_are_told():
    part = parts.inspected()
    by_name = findings(parts.map_column(part.take([*range(36), 0, 0, 7])))
    assert by_name["distinct records"] == ("ok", "3 rows repeat a record; each is kept once")
    assert by_name["records present"][1] == "39 rows, 36 distinct records"


def test_few_contradictions_are_a_warning_and_many_a_failure():
    def contradicting(count: int) -> Findings:
        part = parts.inspected(each=20)
        twins = part.take(np.arange(count))
        twins.label[:] = 1 - twins.label
        both = parts.Parts(
            *(np.concatenate([a, b]) for a, b in zip(vars(part).values(), vars(twins).values(), strict=True))
        )
        return findings(parts.map_column(both))

    notes = "records occur with different labels or modes; they are left out"
    assert contradicting(3)["labels agree"] == ("warning", f"3 {notes}")  # 3 of 60: just 5 %
    assert contradicting(4)["labels agree"] == ("failed", f"4 {notes}")


def test_a_mode_with_fewer_than_three_records_is_left_out():
    by_name = findings(spoilt([1, 4], parts.noise(1, 2, 20).maps, mode=9))
    assert by_name["records in each mode"] == ("warning", "left out, fewer than 3 records: 9")
    assert by_name["two modes at least"] == ("ok", "3 with 3 records or more")


def test_a_mode_of_three_records_is_kept():
    by_name = findings(spoilt([1, 4, 7], parts.noise(1, 3, 20).maps, mode=9))
    assert by_name["records in each mode"] == ("ok", "4 modes")


def test_repeats_do_not_make_a_mode_large_enough():
    """Three rows of one record are one record."""
    part = parts.inspected(modes=2)
    by_name = findings(parts.map_column(part.take([*range(0, 24, 2), 1, 1, 1])))
    assert by_name["records in each mode"][1] == "left out, fewer than 3 records: 1"
    assert by_name["two modes at least"][0] == "warning"


def test_one_mode_of_good_parts_is_a_warning():
    """They make a release without training."""
    by_name = findings(parts.map_column(parts.inspected(modes=1)))
    assert by_name["two modes at least"] == ("warning", "1 with 3 records or more, of good parts: nothing is trained")


def test_one_mode_that_is_not_of_good_parts_alone():
    inspected = parts.inspected(modes=1)
    mixed = parts.Parts(inspected.maps, np.arange(len(inspected)) % 2, inspected.mode, inspected.group)
    by_name = findings(parts.map_column(mixed))
    assert by_name["two modes at least"] == ("failed", "1 with 3 records or more")
    assert by_name["good records"][0] == "ok"


def test_a_few_defects_beside_good_parts_are_left_out():
    inspected = parts.inspected(modes=2)
    few = inspected.take((inspected.mode == 0) | (np.arange(len(inspected)) < 4))
    by_name = findings(parts.map_column(few))
    assert by_name["two modes at least"] == ("warning", "1 with 3 records or more, of good parts: nothing is trained")


def test_no_good_records():
    part = parts.inspected()
    part.label[:] = 7
    verdict, notes = findings(parts.map_column(part))["good records"]
    assert verdict == "failed"
    assert notes.startswith("no record that can be used has the label '0' (found: 7); name the good label with --set")


def test_good_records_that_are_left_out_do_not_count():
    """Two good records, in a mode too small to be used: there would be no good prototype."""
    part = parts.inspected().take([i for i in range(36) if i % 3 or i < 6])
    assert findings(parts.map_column(part))["good records"][0] == "failed"


def test_good_records_that_are_also_called_defects_do_not_count():
    part = parts.inspected(each=20)
    part.label[:] = 1
    part.label[[0, 3, 6]] = 0
    both = part.take([*range(60), 0, 3, 6])
    both.label[60:] = 1
    by_name = findings(parts.map_column(both))
    assert (by_name["labels agree"][0], by_name["good records"][0]) == ("warning", "failed")


def test_other_names_for_good():
    part = parts.inspected()
    named = parts.map_column(part).set_column(1, "label", pa.array(np.where(part.label == 0, "OK", "NG")))
    assert findings(named, DataConfig(4, 5, good="OK"))["good records"] == ("ok", "12 with label 'OK'")
    assert findings(named, DataConfig(4, 5, good="none"))["good records"][0] == "ok"
    assert findings(named)["good records"][0] == "failed"


def test_an_empty_table():
    by_name = findings(parts.map_column(parts.inspected()).slice(0, 0))
    assert by_name["records present"] == ("failed", "0 rows, 0 distinct records")
    assert by_name["two modes at least"][0] == "failed"


def test_everything_wrong_with_the_values_comes_at_once():
    part = parts.inspected(modes=1, each=12)
    part.label[:] = 1
    part.maps[0, 0], part.maps[1] = np.nan, 3.0
    twin = part.take([*range(12), 2])
    twin.label[12] = 2
    by_name = findings(parts.map_column(twin))
    assert {name for name, (verdict, _) in by_name.items() if verdict != "ok"} == {
        "finite values",
        "maps vary",
        "labels agree",
        "two modes at least",
        "good records",
    }


def test_unfit_columns_bring_no_made_up_findings():
    """Half a map cannot tell whether two records are the same."""
    table = parts.wide_records(parts.inspected())
    text = table.set_column(0, "data0", pa.array(["x"] * 36))
    by_name = findings(text.drop_columns([f"data{i}" for i in range(1, 20)]))
    assert [name for name, (verdict, _) in by_name.items() if verdict == "failed"] == [
        "columns present",
        "column types",
    ]


def test_values_are_checked_although_columns_are_missing():
    part = parts.inspected()
    part.maps[3, 3] = np.nan
    by_name = findings(parts.wide_records(part).drop_columns(["label", "data7"]))
    assert by_name["columns present"][0] == "failed"
    assert by_name["finite values"][0] == "failed"
    assert by_name["labels and modes given"] == ("failed", "36 records without label or mode")
