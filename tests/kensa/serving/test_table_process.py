"""Tables are read by a child that may end: its request is refused, and the next one has another child."""

from __future__ import annotations

import io
import os
import signal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kensa.serving import table_process
from kensa.serving.bodies import ARROW, PARQUET, Refused
from kensa.serving.table_process import TableReaders
from tasks.config.run import DataConfig

DATA = DataConfig(rows=4, cols=5)
MAPS = np.random.default_rng(0).normal(size=(8, 20)).astype(np.float32)


@pytest.fixture
def readers():
    made = TableReaders()
    yield made
    made.close()
    assert not made.readers


def parquet():
    file = io.BytesIO()
    table = pa.table({"map": [row.tolist() for row in MAPS], "part": list("abcdefgh")})
    pq.write_table(table, file, compression="zstd")
    return file.getvalue()


def test_a_table_is_read_and_a_refusal_comes_back(readers):
    parts = readers.read(PARQUET, parquet(), DATA)
    assert (parts.maps == MAPS).all()
    assert parts.names == list("abcdefgh")
    with pytest.raises(Refused, match="expected an Arrow stream") as refused:
        readers.read(ARROW, parquet(), DATA)
    assert refused.value.status == 400
    assert len(readers.readers) == 1, "one child serves all requests of a thread"


def test_a_reader_that_ends_is_replaced(readers):
    readers.read(PARQUET, parquet(), DATA)
    (reader,) = readers.readers
    os.kill(reader.process.pid, signal.SIGKILL)
    with pytest.raises(Refused, match="found what cannot be read") as refused:
        readers.read(PARQUET, parquet(), DATA)
    assert refused.value.status == 400
    assert (readers.read(PARQUET, parquet(), DATA).maps == MAPS).all()
    assert readers.readers.isdisjoint({reader})


@pytest.mark.slow
def test_a_reader_that_takes_too_long_is_ended(readers, monkeypatch):
    readers.read(PARQUET, parquet(), DATA)
    (reader,) = readers.readers
    monkeypatch.setattr(table_process, "READ_SECONDS", 0.3)
    os.kill(reader.process.pid, signal.SIGSTOP)
    with pytest.raises(Refused, match=r"expected one that is read within 0.3 s") as refused:
        readers.read(PARQUET, parquet(), DATA)
    assert refused.value.status == 413
    monkeypatch.undo()
    assert (readers.read(PARQUET, parquet(), DATA).maps == MAPS).all()
    assert readers.readers.isdisjoint({reader})


@pytest.mark.slow
def test_every_other_byte_of_a_footer_is_read_or_refused(readers):
    """Some of these end pyarrow's reader, by an exception in C++ that nobody catches."""
    body = parquet()
    start = len(body) - 8 - int.from_bytes(body[-8:-4], "little")
    for place in range(start, len(body) - 8, 3):
        changed = bytearray(body)
        changed[place] = 83
        try:
            readers.read(PARQUET, bytes(changed), DATA)
        except Refused as refused:
            assert refused.status in (400, 413, 422)
    assert (readers.read(PARQUET, body, DATA).maps == MAPS).all()
