"""What a revision brings against the champion's: records by hash, counts by mode, and drift."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import ks_2samp
from support.inspected_parts import banked, inspected
from support.releases import manifest

from tasks.changes import changes, ks_p_value, sorted_median
from tasks.core.results import Stage
from tasks.data import columns
from tasks.data.map_statistics import map_summaries
from tasks.registry.release_files import SplitRecords
from tasks.registry.releases import Release

EACH = 40


@pytest.fixture
def bank_of(tmp_path):
    """Makes a stage with the bank of some parts."""

    def make(parts):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        banked(parts).save(folder)
        return Stage(str(folder), folder.name, {}, reused=False)

    return make


@pytest.fixture
def champion(tmp_path):
    """Makes a release of some parts; it keeps of them what the next revision is compared with."""

    def make(parts):
        bank, folder = banked(parts), tmp_path / "champion"
        folder.mkdir()
        mode, summary = np.array(bank.modes)[bank.mode], map_summaries(bank.maps)
        SplitRecords(bank.hash, bank.part, mode, bank.good, summary).save(folder)
        return Release("v1", folder, manifest())

    return make


def with_mode(parts, rows, mode):
    """The same maps; the records at `rows` have another mode."""
    new = parts.take(np.arange(len(parts)))
    new.mode[rows] = mode
    new.label[rows] = int(mode > 0)
    return new


def test_without_a_champion_there_is_nothing_to_compare_with(bank_of):
    assert changes(bank_of(inspected(3, 12)), None) is None


def test_the_same_revision_brings_nothing(bank_of, champion):
    parts = inspected(3, EACH)
    result = changes(bank_of(parts), champion(parts))
    assert (result.added, result.removed, result.relabelled, result.drift) == (0, 0, 0, [])
    assert result.modes == {str(mode): [EACH, EACH] for mode in range(3)}
    assert (result.against, result.revision) == ("v1", "0123abc")


def test_added_removed_and_relabelled_are_counted_by_hash(bank_of, champion):
    """Of 120 records the first 9 go, 3 more get another mode, and 5 new ones of each mode come."""
    parts, more = inspected(3, EACH), inspected(3, 5, seed=7)
    later = parts.take(np.arange(9, len(parts)))
    later = with_mode(later, np.flatnonzero(later.mode == 1)[:2], 2)
    later = with_mode(later, np.flatnonzero(later.mode == 0)[:1], 1)
    names = ("maps", "label", "mode", "group")
    both = type(parts)(*(np.concatenate([getattr(later, name), getattr(more, name)]) for name in names))
    result = changes(bank_of(both), champion(parts))
    assert (result.added, result.removed, result.relabelled) == (15, 9, 3)
    assert result.modes == {"0": [40, 40 - 3 - 1 + 5], "1": [40, 40 - 3 - 2 + 1 + 5], "2": [40, 40 - 3 + 2 + 5]}


def test_a_new_mode_is_in_the_counts(bank_of, champion):
    result = changes(bank_of(inspected(4, EACH)), champion(inspected(3, EACH)))
    assert result.modes["3"] == [0, EACH]


def test_one_mode_that_drifted_is_found_and_the_others_are_not(bank_of, champion):
    parts, later = inspected(3, EACH), inspected(3, EACH, seed=5)
    later.maps[later.mode == 1] += 0.5
    result = changes(bank_of(later), champion(parts))
    assert {test.mode for test in result.drift} == {"1"}
    mean = next(test for test in result.drift if test.of == "mean")
    assert mean.now - mean.then == pytest.approx(0.5, abs=0.1)
    assert [test.p for test in result.drift] == sorted(test.p for test in result.drift)
    stored = json.loads(json.dumps(result.as_json(), allow_nan=False))
    assert set(stored) == {"against", "revision", "added", "removed", "relabelled", "modes", "drift"}
    assert set(stored["drift"][0]) == {"mode", "of", "p", "then", "now"}


@pytest.mark.parametrize("sizes", [(40, 60), (10_001, 30), (300, 12_345)])
def test_p_and_medians_are_those_of_scipy_and_numpy(sizes, monkeypatch):
    monkeypatch.setattr(columns, "BLOCK_ROWS", 1000)
    rng = np.random.default_rng(0)
    then, now = (
        np.sort(rng.normal(shift, 1, size).round(1).astype(np.float32))
        for shift, size in zip((0, 0.1), sizes, strict=True)
    )
    assert ks_p_value(then, now) == ks_2samp(then, now).pvalue
    assert [sorted_median(side) for side in (then, now)] == [float(np.median(side)) for side in (then, now)]


def test_noise_is_called_drift_no_more_often_than_promised(bank_of, champion):
    """1 % over all tests of a comparison: of 20 comparisons of new draws, at most 2 may find drift (p < 0.001)."""
    release = champion(inspected(3, EACH))
    alarms = sum(bool(changes(bank_of(inspected(3, EACH, seed=seed)), release).drift) for seed in range(1, 21))
    assert alarms <= 2


def test_a_mode_with_too_few_records_is_not_tested(bank_of, champion):
    parts = inspected(3, 12)
    later = parts.take(np.flatnonzero((parts.mode != 2) | (np.cumsum(parts.mode == 2) <= 7)))
    later.maps[later.mode == 2] += 50
    result = changes(bank_of(later), champion(parts))
    assert result.modes["2"] == [12, 7]
    assert not [test for test in result.drift if test.mode == "2"]
