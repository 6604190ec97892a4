"""A batch of scored records, and one record of it."""

from __future__ import annotations

import numpy as np
from support.inspected_parts import inspected
from support.scored_parts import decoded, predictions

from tasks.scoring.batch import ScoredBatch


def test_a_record_has_its_row_in_the_source_and_all_that_is_known_of_it():
    parts = inspected(each=2, groups=1)
    said = predictions(["good", "defect", "unknown"] * 2, score=np.arange(6), mode=[0, 1, 2, 2, 1, 0])
    batch = ScoredBatch(100, decoded(parts), said)
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
