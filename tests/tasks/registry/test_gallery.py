"""The records that a release keeps: training records of every mode, few of each, the same ones every time."""

from __future__ import annotations

import numpy as np
import pytest
from support.inspected_parts import banked, inspected

from tasks.data.split import PARTS
from tasks.model.distances import distance
from tasks.model.embeddings import EmbeddedBank
from tasks.registry.gallery import MIN_MODE_RECORDS, build_gallery


@pytest.fixture(scope="module")
def bank():
    return banked(inspected(modes=3, each=60))


def embedded(bank):
    """The first two values of a map as its embedding."""
    return EmbeddedBank(lambda maps: np.asarray(maps, float)[:, :2], bank)


def test_a_gallery_holds_training_records_of_every_mode(bank):
    gallery = build_gallery(embedded(bank))
    trained = bank.part == PARTS.index("train")
    assert sorted(gallery.hash.tolist()) == sorted(bank.hash[trained].tolist())
    row = int(np.flatnonzero(bank.hash == gallery.hash[5])[0])
    np.testing.assert_array_equal(gallery.maps[5], bank.maps[row])
    np.testing.assert_allclose(gallery.embedded[5], bank.maps[row][:2], rtol=1e-6)
    assert (gallery.mode[5], gallery.good[5]) == (bank.mode[row], bank.good[row])


@pytest.mark.parametrize(("most", "each"), [(30, 10), (3, MIN_MODE_RECORDS)])
def test_a_sample_has_as_many_of_each_mode_and_is_the_same_every_time(bank, most, each):
    first, again = (build_gallery(embedded(bank), most) for _ in range(2))
    assert np.bincount(first.mode).tolist() == [each] * 3
    assert first.hash.tolist() == again.hash.tolist()


def test_a_record_is_nearest_to_itself_and_fewer_are_given_where_fewer_are_kept(bank):
    gallery = build_gallery(embedded(bank), 15)
    rows, distances = gallery.nearest(distance("euclidean"), gallery.embedded[:7].astype(float), 99)
    assert rows.shape == (7, len(gallery)) == (7, 15)
    np.testing.assert_array_equal(rows[:, 0], np.arange(7))
    assert (np.diff(distances, axis=1) >= 0).all()
