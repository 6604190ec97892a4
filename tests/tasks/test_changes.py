"""What a revision brings against the champion's: records by hash, counts by mode, and drift."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support.inspected_parts import configured, inspected, map_column, split_stage

from tasks.changes import changes
from tasks.data.bank import load_bank
from tasks.data.map_statistics import map_summaries
from tasks.registry.release_files import ReleaseFiles, SplitRecords
from tasks.registry.releases import Release

EACH = 40


@pytest.fixture
def made(tmp_path):
    """The triplets stage of parts, in a folder of its own."""

    def make(parts):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        return split_stage(map_column(parts), folder, configured(folder))

    return make


@pytest.fixture
def champion(tmp_path):
    """A release that was made from a triplets stage; it keeps of the data what the next one is compared with."""

    def make(stage):
        bank, folder = load_bank(stage.path), tmp_path / "champion"
        folder.mkdir()
        mode, summary = np.array(bank.modes)[bank.mode], map_summaries(np.asarray(bank.maps))
        ReleaseFiles(folder).write_split(SplitRecords(bank.hash, bank.part, mode, bank.good, summary))
        return Release("v1", folder, {"train": {"revision": "a" * 40}})

    return make


def relabelled(parts, rows, mode):
    """The same maps; the records at `rows` have another mode."""
    new = parts.take(slice(None))
    new.mode[rows] = mode
    new.label[rows] = int(mode > 0)
    return new


def test_without_a_champion_there_is_nothing_to_compare_with(made):
    assert changes(made(inspected(3, 12)), None) is None


def test_the_same_revision_brings_nothing(made, champion):
    parts = inspected(3, EACH)
    found = changes(made(parts), champion(made(parts)))
    assert {name: found[name] for name in ("added", "removed", "relabelled", "drift")} == {
        "added": 0,
        "removed": 0,
        "relabelled": 0,
        "drift": [],
    }
    assert found["modes"] == {str(mode): [EACH, EACH] for mode in range(3)}
    assert (found["against"], found["revision"]) == ("v1", "a" * 40)


def test_added_removed_and_relabelled_are_counted_by_hash(made, champion):
    """Of 120 records the first 9 go, 3 more get another mode, and 5 new ones of each mode come."""
    parts, more = inspected(3, EACH), inspected(3, 5, seed=7)
    old = champion(made(parts))
    kept = parts.take(slice(9, None))
    kept = relabelled(kept, np.flatnonzero(kept.mode == 1)[:2], 2)
    kept = relabelled(kept, np.flatnonzero(kept.mode == 0)[:1], 1)
    both = type(parts)(
        *(np.concatenate([getattr(kept, n), getattr(more, n)]) for n in ("maps", "label", "mode", "group"))
    )
    found = changes(made(both), old)
    assert (found["added"], found["removed"], found["relabelled"]) == (15, 9, 3)
    assert found["modes"] == {"0": [40, 40 - 3 - 1 + 5], "1": [40, 40 - 3 - 2 + 1 + 5], "2": [40, 40 - 3 + 2 + 5]}


def test_a_mode_that_came_or_went_stands_in_the_counts(made, champion):
    found = changes(made(inspected(4, EACH)), champion(made(inspected(3, EACH))))
    assert found["modes"]["3"] == [0, EACH]


def test_one_mode_that_drifted_is_found_and_the_others_are_not(made, champion):
    parts, later = inspected(3, EACH), inspected(3, EACH, seed=5)
    later.maps[later.mode == 1] += 0.5
    found = changes(made(later), champion(made(parts)))["drift"]
    assert {row["mode"] for row in found} == {"1"}
    assert "mean" in {row["of"] for row in found}
    mean = next(row for row in found if row["of"] == "mean")
    assert mean["now"] - mean["then"] == pytest.approx(0.5, abs=0.1)
    assert [row["p"] for row in found] == sorted(row["p"] for row in found)
    json.dumps(found)  # it goes into the report


def test_noise_is_called_drift_no_more_often_than_promised(made, champion):
    """1 % over all tests of a comparison: of 20 comparisons of new draws, at most 2 may cry (p < 0.001)."""
    old = champion(made(inspected(3, EACH)))
    cried = sum(bool(changes(made(inspected(3, EACH, seed=seed)), old)["drift"]) for seed in range(1, 21))
    assert cried <= 2


def test_a_mode_of_too_few_records_is_not_tested(made, champion):
    parts = inspected(3, 12)
    keep = np.flatnonzero((parts.mode != 2) | (np.cumsum(parts.mode == 2) <= 7))
    later = parts.take(keep)
    later.maps[later.mode == 2] += 50
    found = changes(made(later), champion(made(parts)))
    assert found["modes"]["2"] == [12, 7]
    assert not [row for row in found["drift"] if row["mode"] == "2"]


def test_summaries_are_mean_deviation_and_peak():
    """Of the map 1, 2, 3, 6: mean 3, deviation √3.5, peak 6."""
    assert map_summaries(np.array([[1.0, 2.0, 3.0, 6.0]])).tolist() == [pytest.approx([3, np.sqrt(3.5), 6])]
