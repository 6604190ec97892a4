"""The maps of a body in each form, and what is refused: wrong, hostile or too large, before memory is taken for it."""

from __future__ import annotations

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kensa.serving import bodies
from kensa.serving.bodies import ARROW, JSON, NPY, PARQUET, Refused, read_parts
from tasks.config.run import DataConfig

MAPS = np.arange(12, dtype=np.float32).reshape(2, 6)
DATA = DataConfig(rows=2, cols=3)


def npy(values):
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def table(maps=MAPS, **columns):
    return pa.table({"map": [row.tolist() for row in maps], **columns})


def parquet(content, **options):
    file = io.BytesIO()
    pq.write_table(content, file, **options)
    return file.getvalue()


def arrow(content, compression=None):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, content.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(content)
    return sink.getvalue().to_pybytes()


def said(maps, **others):
    return json.dumps({"maps": maps, **others}).encode()


WIDE = pa.table({f"data{i}": MAPS[:, i] for i in range(6)})
FORMS = {
    "JSON": (JSON, said(MAPS.tolist())),
    "JSON with a character set": ("Application/JSON; charset=utf-8", said(MAPS.reshape(2, 2, 3).tolist())),
    "npy": (NPY, npy(MAPS.astype(np.float64))),
    "npy of rows and columns": (NPY, npy(MAPS.reshape(2, 2, 3))),
    "npy in Fortran's order": (NPY, npy(np.asfortranarray(MAPS))),
    "npy of whole numbers": (NPY, npy(MAPS.astype(np.int64))),
    "Parquet": (PARQUET, parquet(table(), compression="zstd")),
    "Parquet of columns": (PARQUET, parquet(WIDE)),
    "Arrow": (ARROW, arrow(table())),
    "Arrow, packed": (ARROW, arrow(WIDE, "zstd")),
}


@pytest.mark.parametrize("name", FORMS)
def test_each_form_gives_the_same_maps(name):
    parts = read_parts(*FORMS[name], DATA)
    assert parts.maps.dtype == np.float32
    assert (parts.maps == MAPS).all()
    assert parts.names is None


def test_one_map_is_one_part():
    assert (read_parts(NPY, npy(MAPS[0].reshape(2, 3)), DATA).maps == MAPS[:1]).all()


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (JSON, said(MAPS.tolist(), parts=["a", None])),
        (PARQUET, parquet(table(part=["a", None]))),
        (ARROW, arrow(table(part=["a", None]))),
    ],
    ids=["JSON", "Parquet", "Arrow"],
)
def test_parts_have_names(kind, body):
    assert read_parts(kind, body, DATA).names == ["a", None]


def test_the_columns_that_name_a_part_for_the_release_name_it_here():
    data = DataConfig(rows=2, cols=3, id="lot, serial")
    parts = read_parts(ARROW, arrow(table(lot=["L1", "L1"], serial=[7, 8])), data)
    assert parts.names == ["L1/7", "L1/8"]
    assert read_parts(ARROW, arrow(table(lot=["L1", "L1"])), data).names is None
    assert read_parts(ARROW, arrow(table(part=["a", "b"], lot=["L1", "L1"], serial=[7, 8])), data).names == ["a", "b"]


@pytest.mark.parametrize(
    ("kind", "body", "status", "words"),
    [
        ("text/plain", b"", 415, "found text/plain"),
        ("", b"", 415, "found none"),
        (JSON, b"", 400, "expected JSON"),
        (JSON, b"[" * 100_000, 400, "expected JSON"),
        (JSON, b"\xff\xfe", 400, "expected JSON"),
        (JSON, b"[[1,2,3,4,5,6]]", 422, "expected an object"),
        (JSON, said(MAPS.tolist(), release="v1"), 422, "expected an object"),
        (JSON, said([]), 422, "found the shape (0,)"),
        (JSON, said([[1, 2, 3]]), 422, "found the shape (1, 3)"),
        (JSON, said([[1, 2, 3, 4, 5, 6], [1]]), 422, "found something else"),
        (JSON, said([["1"] * 6]), 422, "found something else"),
        (JSON, said([[None] * 6]), 422, "found something else"),
        (JSON, said([[True] * 6]), 422, "found something else"),
        (JSON, said([[10**400] * 6]), 422, "found something else"),
        (JSON, said(MAPS.tolist(), parts=["a"]), 422, "expected 2 texts"),
        (JSON, said(MAPS.tolist(), parts=["a", 1]), 422, "expected 2 texts"),
        (JSON, said(MAPS.tolist(), parts=["a", "b" * 201]), 422, "expected 2 texts"),
        (NPY, npy(np.array([object()])), 400, "expected numbers"),
        (NPY, npy(MAPS)[:-1], 400, "expected numbers"),
        (NPY, npy(MAPS).replace(b"(2, 6)", b"(2**99,)"), 400, "expected numbers"),
        (NPY, npy(MAPS).replace(b"(2, 6), }", b"(9999999999, 6), }"), 400, "expected numbers"),
        (NPY, npy(MAPS.astype(complex)), 400, "expected numbers"),
        (NPY, npy(np.empty((0, 6))), 422, "at least one map"),
        (PARQUET, b"PAR1" * 9, 400, "expected Parquet"),
        (PARQUET, parquet(pa.table({"x": [1]})), 422, "expected 2×3 maps"),
        (PARQUET, parquet(table()[:0]), 422, "at least one map"),
        (ARROW, parquet(table()), 400, "expected an Arrow stream"),
        (ARROW, arrow(table())[:-100], 400, "expected an Arrow stream"),
    ],
)
def test_what_is_no_map_is_refused(kind, body, status, words):
    with pytest.raises(Refused) as refused:
        read_parts(kind, body, DATA)
    assert refused.value.status == status
    assert words in str(refused.value)


def test_offsets_that_lead_elsewhere_are_refused():
    """Arrow would end the process where a list claims to begin behind the end of its values."""
    body = arrow(table())
    offsets = np.array([0, 6, 12], np.int32).tobytes()
    assert body.count(offsets) == 1
    for wrong in ([0, 2**30, 12], [0, -6, 12], [9, 6, 12], [0, 6, 2**31 - 1]):
        with pytest.raises(Refused, match="expected an Arrow stream"):
            read_parts(ARROW, body.replace(offsets, np.array(wrong, np.int32).tobytes()), DATA)


@pytest.mark.parametrize("value", [1e300, float("nan"), float("-inf")])
def test_a_value_that_float32_does_not_have_is_unreadable(value):
    values = np.full((1, 6), value)
    for kind, body in ((NPY, npy(values)), (ARROW, arrow(table(values))), (PARQUET, parquet(table(values)))):
        assert not np.isfinite(read_parts(kind, body, DATA).maps).any()


def test_a_map_of_another_size_in_a_table_is_unreadable_alone():
    maps = read_parts(ARROW, arrow(pa.table({"map": [MAPS[0].tolist(), [1.0]]})), DATA).maps
    assert np.isfinite(maps).all(axis=1).tolist() == [True, False]


def test_a_small_body_that_claims_much_is_refused(monkeypatch):
    """Zeros pack a thousandfold: what they claim counts, not what was sent."""
    monkeypatch.setattr(bodies, "MOST_MAPS", 100)
    zeros = np.zeros((101, 6), np.float32)
    for kind, body in (
        (JSON, said(zeros.tolist())),
        (NPY, npy(zeros)),
        (PARQUET, parquet(table(zeros))),
        (ARROW, arrow(table(zeros), "zstd")),
    ):
        with pytest.raises(Refused, match="expected at most 100 maps") as refused:
            read_parts(kind, body, DATA)
        assert refused.value.status == 413
    long = pa.table({"map": [[0.0] * 10**6]})
    for kind, body in ((PARQUET, parquet(long)), (ARROW, arrow(long, "zstd"))):
        assert len(body) < 20_000
        with pytest.raises(Refused, match="once unpacked, found 8,000,0") as refused:
            read_parts(kind, body, DATA)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(list(FORMS)), st.integers(0, 10_000), st.binary(min_size=1, max_size=8))
def test_a_body_with_other_bytes_is_read_or_refused(name, place, change):
    kind, body = FORMS[name]
    start = place % len(body)
    try:
        parts = read_parts(kind, body[:start] + change + body[start + len(change) :], DATA)
    except Refused:
        return
    assert parts.maps.shape[1] == 6


def test_npy_is_read_without_the_parser_of_python(monkeypatch):
    """Which fails now and then in Python 3.11 while another thread parses: "recursion depth mismatch"."""

    def parse(*_, **__):
        raise SystemError("AST constructor recursion depth mismatch")

    body = npy(MAPS)
    with monkeypatch.context() as patched:  # pytest itself parses, to show what failed
        patched.setattr("ast.parse", parse)
        found = read_parts(NPY, body, DATA)
    assert (found.maps == MAPS).all()


@pytest.mark.parametrize(
    "header",
    [
        b"{'shape': (2, 6), 'fortran_order': False, 'descr': '<f4', }",
        b"{'descr':'<f4','fortran_order':False,'shape':(2,6)}",
        b'{"descr": "<f4", "fortran_order": False, "shape": (2, 6)}',
    ],
)
def test_headers_of_other_writers_are_read(header):
    body = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + MAPS.tobytes()
    assert (read_parts(NPY, body, DATA).maps == MAPS).all()
