"""Statistics that are collected batch by batch are those of all maps at once."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.data import map_statistics
from tasks.data.map_statistics import ModeMeans, RunningMoments, map_summaries, mode_means, tee_means

MAPS = np.random.default_rng(0).normal(3, 2, (500, 7)).astype(np.float32)
MODE = np.arange(500) % 4 - 1  # −1, 0, 1, 2


def test_means_by_mode_leave_out_negative_codes():
    means = mode_means(MAPS, MODE, 4)
    for code in range(3):
        np.testing.assert_allclose(means[code], MAPS[code == MODE].mean(axis=0), rtol=1e-6)
    assert np.isnan(means[3]).all(), "a mode without a record"
    assert means.dtype == np.float32


def test_means_do_not_depend_on_the_blocks(monkeypatch):
    whole = mode_means(MAPS, MODE, 3)
    monkeypatch.setattr(map_statistics, "MAPS_PER_BLOCK", 77)
    np.testing.assert_allclose(mode_means(MAPS, MODE, 3), whole, rtol=1e-6)


def test_blocks_pass_unchanged_while_they_are_added():
    collector = ModeMeans(3, 7)
    blocks = list(tee_means(iter([MAPS[:200], MAPS[200:]]), MODE, collector))
    np.testing.assert_array_equal(np.concatenate(blocks), MAPS)
    np.testing.assert_allclose(collector.result(), mode_means(MAPS, MODE, 3), rtol=1e-6)


def test_moments_are_numpys():
    collector = RunningMoments(7)
    for start in range(0, 500, 77):
        collector.update(MAPS[start : start + 77])
    collector.update(MAPS[:0])
    moments = collector.result()
    assert moments.count == 500
    np.testing.assert_allclose(moments.mean, MAPS.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(moments.variance, MAPS.var(axis=0, ddof=1), rtol=1e-6)


def test_the_variance_of_one_map_is_zero():
    collector = RunningMoments(7)
    collector.update(MAPS[:1])
    assert not collector.result().variance.any()


def test_summaries_are_mean_deviation_and_peak():
    """Of the map 1, 2, 3, 6: mean 3, deviation √3.5, peak 6."""
    assert map_summaries(np.array([[1.0, 2.0, 3.0, 6.0]])).tolist() == [pytest.approx([3, np.sqrt(3.5), 6])]
