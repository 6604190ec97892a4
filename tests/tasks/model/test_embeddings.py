"""Embeddings: every map once, in any number of batches, with the peak of the raw map beside it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from support.inspected_parts import banked, inspected

from tasks.data.split import PARTS
from tasks.model.embeddings import MAX_BATCH, EmbeddedBank, embed, make_encoder


class CountingEncoder:
    """The first two values of each map; remembers how many maps it embedded in each call."""

    def __init__(self):
        self.calls = []

    def __call__(self, maps):
        self.calls.append(len(maps))
        return np.asarray(maps, float)[:, :2]


@pytest.fixture(scope="module")
def bank():
    return banked(inspected(modes=3, each=40))


def test_vectors_and_peaks_of_the_same_rows_stay_together():
    maps = np.array([[1, -5, 2], [3, 0, 1], [0, 2, -4]], np.float32)
    embedded = embed(CountingEncoder(), maps)
    np.testing.assert_array_equal(embedded.peaks, [5, 3, 4])
    last = embedded.take(np.array([2]))
    np.testing.assert_array_equal(last.vectors, [[0, 2]])
    assert (len(embedded), len(last), last.peaks[0]) == (3, 1, 4)


def test_a_part_is_embedded_once_however_often_it_is_asked_for(bank):
    encoder = CountingEncoder()
    records = EmbeddedBank(encoder, bank)
    np.testing.assert_array_equal(records.part("test").vectors, bank.maps[bank.rows("test"), :2])
    assert records.part("test") is records.part("test")
    assert encoder.calls == [len(bank.rows("test"))]


def test_all_records_come_in_the_order_of_the_bank(bank):
    encoder = CountingEncoder()
    records = EmbeddedBank(encoder, bank)
    np.testing.assert_array_equal(records.all().vectors, bank.maps[:, :2])
    np.testing.assert_array_equal(records.all().peaks, np.abs(bank.maps).max(axis=1))
    assert encoder.calls == [len(bank.rows(part)) for part in PARTS]


def test_a_tower_meets_batches_of_few_sizes():
    """One batch is full, the rest of 3 maps is padded to 4 with maps that are not returned."""
    sizes = []

    def predict_on_batch(maps):
        sizes.append(len(maps))
        return maps[:, :1]

    encode = make_encoder(SimpleNamespace(predict_on_batch=predict_on_batch, output_shape=(None, 1)))
    maps = np.arange(MAX_BATCH + 3, dtype=np.float32)[:, None]
    np.testing.assert_array_equal(encode(maps), maps)
    assert sizes == [MAX_BATCH, 4]
    assert encode(maps[:0]).shape == (0, 1)
