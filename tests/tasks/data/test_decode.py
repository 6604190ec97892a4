"""Arrow tables of any kind become the same float32 maps, the same texts and the same hashes."""

from __future__ import annotations

import math
import threading
import unicodedata
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from support import inspected_parts as parts

from tasks.config.run import DataConfig
from tasks.data.decode import DecodedBlock, ahead, as_text, at_place, decode, slices
from tasks.data.schema import detect_layout

SIZE = DataConfig(rows=2, cols=3)
MAP = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
NESTED = [MAP[:3], MAP[3:]]


def decoded(table: pa.Table, data: DataConfig = SIZE) -> list[DecodedBlock]:
    (batch,) = table.to_batches()
    return list(decode(batch, detect_layout(table.schema, data), data))


def listed(maps: object, kind: pa.DataType | None = None) -> pa.Table:
    column = maps if isinstance(maps, pa.Array) else pa.array(maps, kind)
    return pa.table({"map": column, "label": [0] * len(column), "fmode": [0] * len(column)})


def test_all_kinds_give_one_record_one_hash():
    part = parts.inspected(each=4)
    pairs = np.stack([np.arange(11), np.arange(1, 12)], axis=1)
    (wide,) = decoded(parts.wide_records(part), parts.DATA)
    (column,) = decoded(parts.map_column(part), parts.DATA)
    _, positive, negative = decoded(parts.wide_triplets(part, pairs), parts.DATA)
    assert wide.hashes == column.hashes
    assert positive.hashes + negative.hashes[-1:] == wide.hashes
    assert len(set(wide.hashes)) == 12
    np.testing.assert_array_equal(wide.maps, part.maps)
    assert wide.label == [str(label) for label in part.label]


FLOATS = pa.float64()


@pytest.mark.parametrize(
    ("maps", "kind"),
    [
        (MAP, pa.list_(FLOATS)),
        (MAP, pa.large_list(pa.float32())),
        (MAP, pa.list_(FLOATS, 6)),
        (MAP, pa.list_(pa.int16())),
        (np.array(MAP, np.float16), pa.list_(pa.float16())),
        (NESTED, pa.list_(pa.list_(FLOATS))),
        (NESTED, pa.large_list(pa.list_(FLOATS, 3))),
        (NESTED, pa.list_(pa.list_(FLOATS, 3), 2)),
        ([[[value] for value in row] for row in NESTED], pa.list_(pa.list_(pa.list_(FLOATS)))),
        ([NESTED], pa.list_(pa.list_(pa.list_(FLOATS)))),
    ],
)
def test_lists_of_every_form_hold_the_same_map(maps, kind):
    (block,) = decoded(listed([maps, maps], kind))
    np.testing.assert_array_equal(block.maps, [MAP, MAP])
    assert block.maps.dtype == np.float32
    assert not block.wrong_size.any()


@pytest.mark.parametrize("kind", [pa.list_(pa.list_(FLOATS)), pa.list_(pa.list_(FLOATS, 3), 2)], ids=str)
def test_slices_of_a_table_are_read_where_they_lie(kind):
    """The second batch of a table is a view into the first's buffers."""
    shifted = [[[value + i for value in row] for row in NESTED] for i in range(4)]
    (block,) = decoded(listed(pa.array(shifted, kind).slice(1, 2)))
    np.testing.assert_array_equal(block.maps, np.array([MAP, MAP]) + np.array([[1], [2]]))


def test_tensors_of_datasets_and_arrow_are_maps():
    tensor = pa.FixedShapeTensorArray.from_numpy_ndarray(np.array([NESTED, NESTED], np.float32))
    (block,) = decoded(listed(tensor))
    np.testing.assert_array_equal(block.maps, [MAP, MAP])


@pytest.mark.parametrize(
    ("maps", "kind"),
    [
        (MAP[:5], pa.list_(FLOATS)),
        ([*MAP, 7.0], pa.list_(FLOATS)),
        ([], pa.list_(FLOATS)),
        (None, pa.list_(FLOATS)),
        (None, pa.list_(FLOATS, 6)),
        ([MAP[:3], None], pa.list_(pa.list_(FLOATS))),
        ([MAP[:3], None], pa.list_(pa.list_(FLOATS, 3), 2)),
        (None, pa.list_(pa.list_(FLOATS, 3), 2)),
        ([MAP[:3], MAP[:4]], pa.list_(pa.list_(FLOATS))),
        ([MAP[:2], MAP[2:4], MAP[4:]], pa.list_(pa.list_(FLOATS))),
    ],
)
def test_maps_of_another_size_are_odd_and_disturb_no_neighbour(maps, kind):
    whole = NESTED if pa.types.is_nested(kind.value_type) else MAP
    (block,) = decoded(listed([whole, maps, whole], kind))
    assert block.wrong_size.tolist() == [False, True, False]
    assert np.isnan(block.maps[1]).all()
    np.testing.assert_array_equal(block.maps[[0, 2]], [MAP, MAP])


@pytest.mark.parametrize(
    "types", [["int8"], ["uint64", "int64"], ["float16"], ["float16", "int32"], ["double"]], ids=str
)
def test_columns_of_mixed_types_and_empty_cells(types):
    wide = {
        f"data{i}": pa.array(
            [np.float16(i), None] if "float16" in types[i % len(types)] else [i, None], types[i % len(types)]
        )
        for i in range(6)
    }
    (block,) = decoded(pa.table({**wide, "label": [0, 1], "fmode": [0, 1]}))
    np.testing.assert_array_equal(block.maps, [[0, 1, 2, 3, 4, 5], [np.nan] * 6])


def test_values_beyond_float32_become_infinite():
    """They are then reported as such; a silent cut would change the record."""
    (block,) = decoded(listed([[1e300, -1e300, 1.0, 2.0, 3.0, 1e-300]]))
    np.testing.assert_array_equal(block.maps, [[np.inf, -np.inf, 1, 2, 3, 0]])


def test_negative_zero_is_zero():
    (block,) = decoded(listed([[0.0] * 6, [-0.0] * 6]))
    assert len(set(block.hashes)) == 1


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        ([1, 0], ["1", "0"]),
        ([1.0, 0.0], ["1", "0"]),
        (["1", "0"], ["1", "0"]),
        ([True, False], ["1", "0"]),
        ([-0.0, 2.5], ["0", "2.5"]),
        ([2**60, -3], [str(2**60), "-3"]),
        (["fray", "欠け"], ["fray", "欠け"]),
        (["", None], [None, None]),
        ([math.nan, math.inf], [None, "inf"]),
    ],
)
def test_labels_are_the_same_text_whatever_wrote_them(cells, text):
    (block,) = decoded(listed([MAP, MAP]).set_column(1, "label", pa.array(cells)))
    assert block.label == text


def test_a_column_that_is_not_there_is_empty():
    (block,) = decoded(pa.table({"map": [MAP]}))
    assert (block.label, block.mode, block.group) == ([None], [None], [None])
    (unfit,) = decoded(pa.table({"map": ["text"], "label": [1]}))
    assert unfit.maps.shape == (1, 0)
    assert unfit.label == ["1"]


def test_the_same_word_in_either_form_of_unicode_is_the_same_label():
    forms = [unicodedata.normalize(form, "がü") for form in ("NFC", "NFD")]
    assert len({*forms}) == 2
    assert as_text(pa.record_batch({"fmode": forms}), "fmode") == [forms[0]] * 2


def test_a_part_is_named_by_its_columns_else_by_its_file_and_row():
    table = (
        listed([MAP] * 3).append_column("lot", pa.array(["L7", None, None])).append_column("no", pa.array([1, 2, None]))
    )
    (batch,) = table.to_batches()
    data = DataConfig(rows=2, cols=3, id="lot, no")
    layout = detect_layout(batch.schema, data)
    (block,) = decode(at_place(batch, "monday.csv", 40), layout, data)
    assert block.id == ["L7/1", "/2", "monday.csv:42"]
    assert [finding.notes for finding in layout.findings if finding.name == "part names"] == ["from lot, no"]
    (plain,) = decode(at_place(batch, "monday.csv", 40), detect_layout(batch.schema, SIZE), SIZE)
    assert plain.id == ["monday.csv:40", "monday.csv:41", "monday.csv:42"]
    (nowhere,) = decode(batch, detect_layout(batch.schema, SIZE), SIZE)
    assert nowhere.id == [None] * 3


def test_a_source_without_the_column_is_read_with_a_warning():
    data = DataConfig(rows=2, cols=3, id="serial")
    (finding,) = [
        finding for finding in detect_layout(listed([MAP]).schema, data).findings if finding.name == "part names"
    ]
    assert (finding.success, finding.required) == (False, False)
    assert finding.notes == "no column serial: parts are named by their file and row"


def test_both_parts_of_a_triplet_have_a_name():
    part = parts.inspected(each=4)
    table = parts.wide_triplets(part, np.array([[0, 1]]))
    table = table.append_column("pserial", pa.array(["a"])).append_column("nserial", pa.array(["b"]))
    (batch,) = table.to_batches()
    named = replace(parts.DATA, id="serial")
    blocks = list(decode(at_place(batch, "t.csv", 0), detect_layout(batch.schema, named), named))
    assert [block.id for block in blocks[1:]] == [["a"], ["b"]]
    blocks = list(decode(at_place(batch, "t.csv", 0), detect_layout(batch.schema, parts.DATA), parts.DATA))
    assert [block.id for block in blocks[1:]] == [["t.csv:0:pos"], ["t.csv:0:neg"]]


def test_pieces_of_a_batch_know_their_places():
    (batch,) = listed([MAP] * 5).to_batches()
    pieces = slices(at_place(batch, "a.csv", 7), 2)
    assert [next(decode(piece, detect_layout(piece.schema, SIZE), SIZE)).id for piece in pieces] == [
        ["a.csv:7", "a.csv:8"],
        ["a.csv:9", "a.csv:10"],
        ["a.csv:11"],
    ]


def test_one_item_is_made_ahead_and_an_error_comes_in_its_place():
    """In another thread, one at a time; what is not asked for is not made."""
    made, threads = [], set()

    def items():
        for number in range(9):
            made.append(number)
            threads.add(threading.current_thread().name)
            if number == 4:
                raise ValueError("the fifth")
            yield number

    taken = ahead(items())
    assert (next(taken), next(taken)) == (0, 1)
    taken.close()
    assert len(made) <= 3
    assert threading.main_thread().name not in threads
    taken = ahead(items())
    assert [next(taken) for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="the fifth"):
        next(taken)
    assert list(ahead(iter([]))) == []
