"""Which parts are shown: those that a model doubts, those that two releases judge differently, and random ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.inspected_parts import map_column, source

from tasks.core.errors import DamagedRelease
from tasks.registry.loading import LoadedRelease
from tasks.registry.release_files import LABELS_FILE
from tasks.review.items import Choice, collect_items


@pytest.fixture
def new_parts(hidden, tmp_path):
    """60 new parts without labels, of which one is like nothing else."""
    parts = hidden(each=20, seed=7)
    parts.maps[5] += 40
    return source(map_column(parts).select(["map"]), tmp_path / "new")


def of_kind(items, kind):
    return [item for item in items if item.kind == kind]


def test_parts_of_each_kind_take_turns_and_none_comes_twice(small_release, new_parts):
    items = collect_items(small_release, None, new_parts, Choice(most=5, random_share=0.25))
    assert len({item.key for item in items}) == len(items)
    assert of_kind(items, "unknown")[0].record.row == 5, "the farthest first"
    margins = [abs(item.record.margin) for item in of_kind(items, "uncertain")]
    assert margins == sorted(margins)
    assert all(item.new for item in items if item.kind != "queue")
    chosen = collect_items(small_release, None, new_parts, Choice(most=5, random_share=0.0))
    assert [item.kind for item in chosen[:2]] == ["unknown", "uncertain"]


def test_the_random_share_is_as_stated_and_does_not_depend_on_a_model(small_release, new_parts):
    half = collect_items(small_release, None, new_parts, Choice(most=6, random_share=0.5))
    assert len(of_kind(half, "random")) == pytest.approx(len(half) / 2, abs=2)
    blind = replace(small_release, thresholds={})
    again = collect_items(blind, None, new_parts, Choice(most=6, random_share=0.5))
    shorter = min(len(of_kind(half, "random")), len(of_kind(again, "random")))
    keys = [[item.key for item in of_kind(items, "random")][:shorter] for items in (half, again)]
    assert keys[0] == keys[1]
    assert not of_kind(collect_items(small_release, None, new_parts, Choice(6, 0.0)), "random")
    assert {item.picked for item in of_kind(half, "random")} == {"random"}
    assert {item.picked for item in half if item.kind != "random"} == {"chosen"}


def test_parts_on_which_two_releases_differ_say_so(small_release: LoadedRelease, new_parts):
    threshold = next(iter(small_release.thresholds.values()))
    strict = {**small_release.thresholds, threshold.name: replace(threshold, value=1e-6)}
    items = collect_items(small_release, replace(small_release, thresholds=strict), new_parts, Choice(5, 0.0))
    changed = of_kind(items, "changed")
    assert len(changed) == 5
    assert all((item.record.verdict, item.other) == ("good", "unknown") for item in changed) or all(
        item.record.verdict == "good" and item.other != "good" for item in changed
    )


def test_the_label_queue_needs_no_source(small_release):
    table = pq.read_table(small_release.path / LABELS_FILE)
    items = collect_items(small_release, None, None, Choice(most=3))
    assert [item.key for item in items] == table["record"].to_pylist()[:3]
    assert not any(item.new for item in items)
    assert [item.record.mode for item in items] == table["mode"].to_pylist()[:3]


def test_a_damaged_queue_is_told(small_release, tmp_path):
    for content in (b"PAR1", None):
        release = replace(small_release, release=replace(small_release.release, path=tmp_path))
        if content:
            (tmp_path / LABELS_FILE).write_bytes(content)
        else:
            pq.write_table(pa.table({"map": pa.array(np.zeros((2, 3)).tolist())}), tmp_path / LABELS_FILE)
        with pytest.raises(DamagedRelease, match="cannot be read"):
            collect_items(release, None, None, Choice())
