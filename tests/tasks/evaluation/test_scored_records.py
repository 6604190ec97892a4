"""Records of one part with their distances and scores: the part's own rows, whichever way they were embedded."""

from __future__ import annotations

import numpy as np
import pytest
from support.inspected_parts import banked, inspected

from tasks.evaluation.scored_records import score_bank_part, score_part
from tasks.model.classifier import raw_map_baseline
from tasks.model.distances import distance
from tasks.model.embeddings import EmbeddedBank


@pytest.fixture(scope="module")
def bank():
    return banked(inspected(modes=3, each=40, groups=4))


@pytest.fixture(scope="module")
def classifier(bank):
    return raw_map_baseline(distance("euclidean"), bank)


def test_a_part_is_the_same_from_a_bank_and_from_its_embeddings(bank, classifier):
    fresh, known = (
        score_bank_part(classifier, bank, "test"),
        score_part(classifier, EmbeddedBank(np.asarray, bank), "test"),
    )
    rows = bank.rows("test")
    for records in (fresh, known):
        np.testing.assert_array_equal(records.distances, classifier.mode_distances(classifier.embed(bank.maps[rows])))
        np.testing.assert_array_equal(records.score, classifier.score(classifier.embed(bank.maps[rows])))
        assert (records.mode == bank.mode[rows]).all()
        assert (records.good == bank.good[rows]).all()
        assert (records.group == bank.group[rows]).all()


def test_a_selection_keeps_each_records_own_values(bank, classifier):
    records = score_bank_part(classifier, bank, "test")
    chosen = np.array([4, 1])
    np.testing.assert_array_equal(records.take(chosen).distances, records.distances[chosen])
    np.testing.assert_array_equal(records.take(chosen).mode, records.mode[chosen])
    assert len(records.take(records.good)) == records.good.sum()


def test_good_and_defective_are_told_apart_only_where_both_are(classifier, bank):
    records = score_bank_part(classifier, bank, "test")
    assert records.has_good_and_defective
    assert not records.take(records.good).has_good_and_defective
    assert not records.take(~records.good).has_good_and_defective
