"""A record, a batch, and a batch without the maps that nobody looks at."""

from __future__ import annotations

import numpy as np
import pytest
from support.inspected_parts import inspected
from support.scored_parts import decoded, predictions

from tasks.scoring.batch import ScoredBatch


def test_a_record_has_its_row_in_the_source_and_all_that_is_known_of_it():
    parts = inspected(each=2, groups=1)
    scores = predictions(["good", "defect", "unknown"] * 2, score=np.arange(6), mode=[0, 1, 2, 2, 1, 0])
    batch = ScoredBatch(100, decoded(parts), scores)
    assert len(batch) == 6
    assert batch.rows.tolist() == [100, 101, 102, 103, 104, 105]
    record = batch.record(3)
    assert (record.row, record.verdict, record.score, record.nearest) == (103, "good", 3.0, 2)
    assert (record.label, record.mode, record.group) == ("0", "0", "L0")
    np.testing.assert_array_equal(record.map, parts.maps[3])


def test_a_record_does_not_keep_its_batch_in_memory():
    batch = ScoredBatch(0, decoded(inspected(each=2)), predictions(["good"] * 6))
    assert batch.record(0).map.base is None
    assert batch.record(0).embedded.base is None


def test_a_slim_batch_has_the_maps_and_embeddings_of_some_records_and_all_else():
    scores = predictions(["good", "unknown"] * 3, embedded=np.arange(12.0).reshape(6, 2))
    other = predictions(["good"] * 6)
    batch = ScoredBatch(10, decoded(inspected(each=2)), scores, {"v2": other})
    slim = batch.slim(np.array([1, 4]))
    assert (len(slim), slim.rows.tolist()) == (6, batch.rows.tolist())
    assert slim.records.hashes == batch.records.hashes
    assert slim.predictions.verdict.tolist() == scores.verdict.tolist()
    for side, whole in ((slim, batch), (slim.as_judged_by("v2"), batch.as_judged_by("v2"))):
        record, expected = side.record(4), whole.record(4)
        np.testing.assert_array_equal(record.map, expected.map)
        np.testing.assert_array_equal(record.embedded, expected.embedded)
        assert (record.row, record.verdict, record.id) == (14, expected.verdict, expected.id)
    with pytest.raises(KeyError):
        slim.record(2)
