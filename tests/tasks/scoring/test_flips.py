"""Verdicts that differ between two releases: counted both ways, who is right, the clearest shown, a row for each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from support.scored_parts import scored_batches

from tasks.scoring.flips import FLIPS_SCHEMA, FlipCollector
from tasks.scoring.verdicts import predict


@pytest.fixture(scope="module")
def strict(small_release):
    """The release with a threshold half as high."""
    halved = replace(small_release.thresholds["good or defect"], value=small_release.defect_threshold / 2)
    return replace(small_release, thresholds=small_release.thresholds | {halved.name: halved})


@pytest.fixture(scope="module")
def parts(hidden):
    return hidden(each=60, seed=4)


def collected(release, against, parts, size):
    tables = []
    collector = FlipCollector(release, against, tables.append, k=4)
    for batch in scored_batches(release, parts, size, against):
        collector.update(batch)
    return collector.result(), pa.Table.from_batches(tables, FLIPS_SCHEMA)


def test_every_flip_is_a_row_and_counted(small_release, strict, parts):
    flips, table = collected(small_release, strict, parts, 50)
    verdict, other = (predict(release, parts.maps).verdict for release in (small_release, strict))
    rows = np.flatnonzero(verdict != other)
    assert len(rows) > 3, "else nothing is tested"
    assert table["row"].to_pylist() == rows.tolist()
    assert table["fmode"].to_pylist() == parts.mode[rows].astype(str).tolist()
    assert table["verdict"].to_pylist() == verdict[rows].tolist()
    assert table["verdict_against"].to_pylist() == other[rows].tolist()
    assert (flips.summary.records, flips.summary.flipped) == (180, len(rows))
    assert sum(pair.count for pair in flips.summary.pairs) == len(rows)
    assert all(pair.after == "good" for pair in flips.summary.pairs), "the stricter release is the one before"
    good = parts.label[rows] == 0
    assert flips.summary.right.this == int(good.sum()), "a higher threshold is right about the good ones alone"
    assert flips.summary.right.against == int((~good).sum())


def test_batches_do_not_matter_and_examples_are_seen_by_both(small_release, strict, parts):
    large, _ = collected(small_release, strict, parts, 180)
    small, _ = collected(small_release, strict, parts, 11)
    assert [record.row for record, _ in large.examples] == [record.row for record, _ in small.examples]
    for record, other in small.examples:
        assert record.row == other.row
        assert record.verdict != other.verdict
        assert record.margin != other.margin


def test_the_same_release_changes_nothing(small_release, parts):
    flips, table = collected(small_release, small_release, parts, 90)
    assert (flips.summary.flipped, flips.summary.right, flips.examples, len(table)) == (0, None, [], 0)
