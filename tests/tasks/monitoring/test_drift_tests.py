"""Drift: what is asked of a release and its reference, verdicts on what was moved, mistakes in one line."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import false_discovery_control
from support.inspected_parts import configured, map_column, source

from tasks.core.errors import NothingToCompare
from tasks.core.stages import MANIFEST, seal_folder
from tasks.data.map_statistics import RunningMoments
from tasks.drift import drift
from tasks.monitoring.drift_tests import holm, test_cells, verdict_mix
from tasks.monitoring.reference import Reference, read_reference
from tasks.registry.loading import load_release


def compared(config, parts, folder, table=None):
    return drift(source(table or map_column(parts), folder / "new"), config, None, str(folder / "d.html"))


def test_the_reference_holds_what_the_release_was_not_trained_on(small_line):
    release = load_release(small_line.artifacts_path).release
    reference = read_reference(release.path)
    with np.load(release.path / "split.npz") as split:
        assert len(reference.mode) == int((split["part"] != 0).sum())
    assert reference.verdicts.sum() == len(reference.mode)
    assert len(reference.maps) == int(reference.good.sum())


def test_parts_like_the_others_are_steady(small_line, hidden, tmp_path):
    """Ten sources of the same parts: a verdict that is wrong one time in ten gives fewer than seven in 1 % of runs."""
    found = [compared(small_line, hidden(each=100, seed=21 + i), tmp_path / str(i)) for i in range(10)]
    steady = [i for i, one in enumerate(found) if one.standing == "steady"]
    assert len(steady) >= 7, [one.charts[:2] for one in found]
    assert "STEADY" in (tmp_path / str(steady[0]) / "d.html").read_text()


def test_a_brighter_lamp_is_a_drift_of_level_and_shape_and_says_since_when(small_line, hidden, tmp_path):
    parts = hidden(each=200, seed=22)
    parts.maps[300:] *= 1.5
    found = compared(small_line, parts, tmp_path)
    assert found.standing == "drifted"
    leading = found.charts[0]
    assert leading["p"] <= 0.05
    assert leading["since"] >= 275
    assert "DRIFTED" in (tmp_path / "d.html").read_text()


def test_a_cell_that_moved_is_found_and_named(small_line, hidden, tmp_path):
    parts = hidden(each=150, seed=23)
    parts.maps[:, 19] += 0.4  # the last of 4 × 5, of deviation 0.3
    found = compared(small_line, parts, tmp_path)
    assert found.standing == "drifted"
    assert found.cells["place"] == {"rows": (4, 4), "cols": (5, 5), "where": "lower right"}
    assert found.cells["rises"]


def test_more_defects_are_no_drift_of_the_instrument(small_line, hidden, tmp_path):
    table = map_column(hidden(each=200, seed=24))
    order = np.flatnonzero((np.arange(600) % 3 > 0) | (np.arange(600) < 60))
    found = compared(small_line, None, tmp_path, table.take(pa.array(order)))
    assert found.charts[0]["title"] == "score", "more slip through among what is called good"
    assert found.standing == "watch"
    assert found.mix["changed"]


def test_a_release_without_a_reference_is_refused(small_line, hidden, tmp_path):
    config = replace(configured(tmp_path), artifacts_folder=str(tmp_path / "artifacts"))
    shutil.copytree(small_line.artifacts_folder, tmp_path / "artifacts")
    folder = tmp_path / "artifacts" / "releases" / "v1"
    (folder / "reference.npz").unlink()
    manifest = load_release(small_line.artifacts_path).release.manifest
    (folder / MANIFEST).unlink()
    seal_folder(folder, {key: value for key, value in manifest.items() if key != "files"})
    with pytest.raises(NothingToCompare, match="from before there was any"):
        compared(config, hidden(each=50), tmp_path)


def test_a_handful_of_parts_is_refused_and_leaves_no_page(small_line, hidden, tmp_path):
    with pytest.raises(NothingToCompare, match="at least 50 records"):
        compared(small_line, hidden(each=5), tmp_path)
    assert not (tmp_path / "d.html").exists()


def test_labels_are_not_needed(small_line, hidden, tmp_path):
    assert compared(small_line, None, tmp_path, map_column(hidden(each=40, seed=4)).select(["map"])).records == 120


def test_moments_are_numpys():
    maps = np.random.default_rng(0).normal(3, 2, (500, 7)).astype(np.float32)
    moments = RunningMoments(7)
    for start in range(0, 500, 77):
        moments.take(maps[start : start + 77])
    moments.take(maps[:0])
    np.testing.assert_allclose(moments.mean, maps.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(moments.variance, maps.var(axis=0, ddof=1), rtol=1e-6)


def test_holm_by_hand():
    """Of three, the smallest is tripled, the next doubled, and none falls below the one before."""
    np.testing.assert_allclose(holm([0.02, 0.01, 0.5]), [0.04, 0.03, 0.5])
    np.testing.assert_allclose(holm([0.01, 0.011]), [0.02, 0.02])
    assert holm([]) == []


def test_cells_are_corrected_for_their_number():
    """Of 2000 cells of noise few may be called, of 40 that moved by a deviation most must be."""
    rng = np.random.default_rng(1)
    old, nothing = rng.normal(size=(200, 2000)).astype(np.float32), np.full(200, "")
    empty = np.empty(0)
    reference = Reference(*[empty] * 5, lot=nothing, verdicts=np.zeros(3), maps=old, map_lot=nothing)
    for moved in (0, 40):
        new = rng.normal(size=(200, 2000))
        new[:, :moved] += 1
        moments = RunningMoments(2000)
        moments.take(new)
        found = test_cells(reference, moments, 1, (40, 50))
        assert found.drifted == pytest.approx(moved, abs=2)
        assert (found.p <= 0.05) == (moved > 0)
    assert false_discovery_control(found.q.ravel()).min() <= found.q.min() * 2000


def test_the_mix_needs_a_large_change():
    assert not verdict_mix(np.array([500, 500, 0]), np.array([5000, 5300, 0]))["changed"]
    assert verdict_mix(np.array([500, 500, 0]), np.array([300, 700, 0]))["changed"]
    assert not verdict_mix(np.array([10, 0, 0]), np.array([30, 0, 0]))["changed"]
