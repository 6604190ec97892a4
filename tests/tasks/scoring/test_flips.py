"""What two releases say otherwise: counted both ways, who is right, the farthest shown, a row for each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from tasks.registry.loading import load_release
from tasks.scoring.flips import SCHEMA, FlipCollector
from tasks.scoring.verdicts import predict


@pytest.fixture(scope="module")
def two(small_line):
    """A release, and itself with a threshold half as high."""
    opened = load_release(small_line.artifacts_path)
    halved = replace(opened.thresholds["good or defect"], value=opened.defect_threshold / 2)
    return opened, replace(opened, thresholds=opened.thresholds | {halved.name: halved})


def collected(two, parts, batch):
    opened, strict = two
    flips, tables = FlipCollector(opened, strict, most=4), []
    for start in range(0, len(parts.maps), batch):
        maps = parts.maps[start : start + batch]
        label = [str(value) for value in parts.label[start : start + batch]]
        mode = [str(value) for value in parts.mode[start : start + batch]]
        found, theirs = predict(opened, maps), predict(strict, maps)
        tables.append(flips.take(start, maps, found, theirs, (label, mode, [None] * len(maps))))
    return flips, pa.Table.from_batches(tables, SCHEMA)


def test_every_flip_is_a_row_and_counted(two, hidden):
    parts = hidden(each=60, seed=4)
    flips, table = collected(two, parts, 50)
    ours, theirs = (predict(one, parts.maps).verdict for one in two)
    rows = np.flatnonzero(ours != theirs)
    assert len(rows) > 3, "else nothing is tested"
    assert table["row"].to_pylist() == rows.tolist()
    assert table["verdict"].to_pylist() == ours[rows].tolist()
    assert table["verdict_against"].to_pylist() == theirs[rows].tolist()
    told = flips.as_json()
    assert (told["records"], told["flipped"]) == (180, len(rows))
    assert sum(pair["count"] for pair in told["pairs"]) == len(rows)
    good = parts.label[rows] == 0
    assert told["right"]["this"] == int(good.sum()), "a higher threshold is right about the good ones alone"
    assert told["right"]["against"] == int((~good).sum())


def test_batches_do_not_matter_and_the_shown_are_seen_by_both(two, hidden):
    parts = hidden(each=60, seed=4)
    whole = collected(two, parts, 180)[0].cases()
    small = collected(two, parts, 11)[0].cases()
    assert [ours.row for ours, _ in whole] == [ours.row for ours, _ in small]
    for ours, theirs in small:
        assert ours.row == theirs.row
        assert ours.verdict != theirs.verdict
        assert ours.margin != theirs.margin


def test_the_same_release_changes_nothing(two, hidden):
    flips, table = collected((two[0], two[0]), hidden(each=20, seed=4), 30)
    assert flips.as_json()["flipped"] == 0
    assert len(table) == 0
    assert flips.cases() == []
