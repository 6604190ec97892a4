"""Examples of scored records: the same whatever the batches, few, and the right ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare
from support.scored_parts import scored_batches

from tasks.scoring.examples import ExampleCollector, TopK
from tasks.scoring.verdicts import predict


@pytest.fixture(scope="module")
def parts(hidden):
    return hidden(each=100, seed=5)


def rows(release, parts, size):
    """The rows of the examples by kind, each compared with the part that it is."""
    collector = ExampleCollector(release)
    for batch in scored_batches(release, parts, size):
        collector.update(batch)
    examples = collector.result()
    for record in (record for records in examples.values() for record in records):
        assert record.mode == str(parts.mode[record.row])
        np.testing.assert_array_equal(record.map, parts.maps[record.row])
    return {kind: [record.row for record in records] for kind, records in examples.items()}


def test_the_batches_do_not_matter(small_release, parts):
    assert rows(small_release, parts, 7) == rows(small_release, parts, 300)


def test_the_worst_and_the_most_uncertain_are_those(small_release, parts):
    predictions = predict(small_release, parts.maps)
    chosen = rows(small_release, parts, 64)
    assert chosen["worst"] == np.argsort(-predictions.score, kind="stable")[:6].tolist()
    assert chosen["uncertain"] == np.argsort(np.abs(predictions.margin), kind="stable")[:6].tolist()


def test_the_sample_is_fair_and_of_the_seed(small_release, parts):
    """Over many seeds every record is drawn equally often but for chance: 400 × 6 draws of 300 records are 8 each."""
    (batch,) = scored_batches(small_release, parts, 300)
    counts = np.zeros(300)
    for seed in range(400):
        collector = ExampleCollector(small_release, seed=seed)
        collector.update(batch)
        counts[[record.row for record in collector.result()["random"]]] += 1
    assert chisquare(counts).pvalue > 0.001


def test_of_equal_keys_the_earlier_record_stays_and_nan_is_no_candidate(small_release, parts):
    top = TopK(2)
    for batch in scored_batches(small_release, parts.take(slice(0, 9)), 3):
        top.update(batch, np.array([np.nan, 1.0, 1.0]))
    assert [record.row for record in top.result()] == [1, 2]
