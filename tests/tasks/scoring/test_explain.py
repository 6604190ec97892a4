"""Why a verdict fell: level and shape add up, the place is where the defect is, the neighbours are the nearest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tasks.registry.loading import load_release
from tasks.scoring.examples import scored_record
from tasks.scoring.explain import _windows, explain, hottest_region
from tasks.scoring.verdicts import predict


@pytest.fixture(scope="module")
def opened(small_line):
    return load_release(small_line.artifacts_path)


@pytest.fixture(scope="module")
def cases(opened, hidden):
    maps = hidden(each=8, seed=9).maps
    found, nothing = predict(opened, maps), [None] * len(maps)
    return [scored_record(0, i, maps, found, (nothing, nothing, nothing)) for i in range(len(maps))]


def test_level_and_shape_are_the_whole_difference(opened, cases):
    """|x − m|² = (β − 1)² r + S_e, for the shape is at right angles to the mean map."""
    for one in explain(opened, cases):
        np.testing.assert_allclose(one.level + one.shape, one.map - one.anchor, atol=1e-5)
        assert abs((one.anchor * one.shape).sum()) < 1e-4
        whole = np.square(one.map - one.anchor).sum()
        assert one.level_share == pytest.approx(np.square(one.level).sum() / whole, rel=1e-4)
        assert np.square(one.shape).sum() == pytest.approx(one.case.sqrt_ve**2 * (one.map.size - 1), rel=1e-4)


def test_a_brighter_mean_map_is_a_change_of_level_alone(opened, cases):
    bright = 1.5 * opened.anchors[cases[0].nearest]
    (one,) = explain(opened, [replace(cases[0], map=bright.astype(np.float32), beta=1.5, sqrt_ve=0.0)])
    assert one.level_share == pytest.approx(1, abs=1e-6)


def test_what_is_odd_is_found_where_it_is(opened, cases):
    """Judged by the plain map, a part that is usual but for one cell is odd in that cell and nowhere else."""
    plain = replace(
        opened.judge,
        embed=lambda maps: np.asarray(maps, float),
        prototypes={"mean": opened.anchors},
        good={"mean": opened.gallery.maps[opened.gallery.good].mean(axis=0, keepdims=True)},
    )
    for cell in (0, 7, 19):
        odd = plain.good["mean"][0].copy()
        odd[cell] += 3
        (one,) = explain(replace(opened, judge=plain), [replace(cases[0], map=odd.astype(np.float32))])
        assert one.revealed.ravel()[cell] == pytest.approx(3, rel=1e-4)
        assert np.abs(np.delete(one.revealed.ravel(), cell)).max() < 1e-3
        row, col = divmod(cell, 5)
        assert (one.place.rows, one.place.cols) == ((row + 1, row + 1), (col + 1, col + 1))


def test_neighbours_are_the_nearest_that_the_release_keeps(opened, cases):
    (one,) = explain(opened, cases[:1])
    distances = opened.judge.distance.matrix(cases[0].embedded[None], opened.gallery.embedded)[0]
    np.testing.assert_allclose([near.distance for near in one.neighbours], np.sort(distances)[:3])


def test_a_release_without_kept_records_still_says_why(opened, cases):
    (one,) = explain(replace(opened, gallery=None), cases[:1])
    assert one.neighbours == ()
    assert np.isfinite(one.revealed).all()


def test_a_release_without_good_parts_still_says_why(opened, cases):
    (one,) = explain(replace(opened, judge=replace(opened.judge, good=None)), cases[:1])
    assert np.isfinite(one.revealed).all()


@pytest.mark.parametrize("cells", [1, 2, 3, 4, 5, 6, 7, 12, 36, 39, 144, 1000])
def test_windows_cover_every_cell_and_are_not_many(cells):
    covered = np.zeros(cells, int)
    windows = _windows(cells)
    for window in windows:
        covered[window] += 1
    assert covered.min() >= 1
    assert len(windows) <= 20
    assert all(window.stop <= cells for window in windows)


def test_a_place_is_the_hottest_connected_part():
    heat = np.zeros((36, 39))
    heat[3:6, 30:34] = 1
    heat[20, 5] = 0.9
    place = hottest_region(heat)
    assert (place.rows, place.cols, place.where) == ((4, 6), (31, 34), "upper right")
    assert hottest_region(np.full((3, 3), -1.0)) is None
    assert hottest_region(np.eye(1)).where == "centre"
