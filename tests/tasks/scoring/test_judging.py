"""A source scored batch by batch: in order, complete, and refused where its maps do not fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from support.inspected_parts import map_column, source, wide_records

from tasks.core.errors import BadSetting, UnreadableSource
from tasks.scoring.judging import open_parts, score_batches
from tasks.scoring.verdicts import predict


@pytest.mark.parametrize("table", [map_column, wide_records])
def test_batches_hold_every_record_in_order_with_its_predictions(small_release, hidden, tmp_path, table):
    parts = hidden(each=7, seed=3)
    batches = list(score_batches(open_parts(source(table(parts), tmp_path), small_release), small_release))
    np.testing.assert_array_equal(np.concatenate([batch.records.maps for batch in batches]), parts.maps)
    np.testing.assert_array_equal(np.concatenate([batch.rows for batch in batches]), np.arange(21))
    assert [text for batch in batches for text in batch.records.mode] == parts.mode.astype(str).tolist()
    scores = np.concatenate([batch.predictions.score for batch in batches])
    np.testing.assert_allclose(scores, predict(small_release, parts.maps).score, rtol=1e-6)


def test_a_source_is_read_by_its_own_splits_not_by_those_of_the_training(small_release, hidden, tmp_path):
    trained = replace(small_release, data=replace(small_release.data, config="front", part="station1"))
    parts = source(map_column(hidden(each=2)), tmp_path)
    assert sum(len(batch) for batch in score_batches(open_parts(parts, trained), trained)) == 6
    with pytest.raises(BadSetting, match=r"expected the split night, found train; choose with --part=…"):
        open_parts(parts, trained, part="night")
    with pytest.raises(BadSetting, match="expected the configuration front, found none; leave --config away"):
        open_parts(parts, trained, config="front")


def test_a_limit_that_was_set_for_the_training_is_not_one_of_new_parts(small_release, hidden, tmp_path):
    trained = replace(small_release, data=replace(small_release.data, most_records=5, most_bytes=10))
    parts = source(map_column(hidden(each=2)), tmp_path)
    assert sum(len(batch) for batch in score_batches(open_parts(parts, trained), trained)) == 6


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("empty", "without rows"),
        ("size", r"row 0: expected a map of 4×5 finite values, as v1 was trained on, found one of another size"),
        ("nan", r"row 3: expected a map of 4×5 finite values, .* found values that are not; correct or remove"),
        ("shape", "expected records with 4×5 maps"),
    ],
)
def test_what_does_not_fit_is_refused(small_release, hidden, tmp_path, name, message):
    parts = hidden(each=2)
    maps = parts.maps.copy()
    maps[3, 2] = np.nan
    tables = {
        "empty": map_column(parts).slice(0, 0),
        "size": pa.table({"map": list(parts.maps[:, :-1])}),
        "nan": pa.table({"map": list(maps)}),
        "shape": pa.table({"weight": [1.0, 2.0]}),
    }
    with pytest.raises(UnreadableSource, match=message):
        list(score_batches(open_parts(source(tables[name], tmp_path), small_release), small_release))
