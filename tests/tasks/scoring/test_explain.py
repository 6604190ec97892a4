"""Explanations: level and shape add up, the region is where the defect is, the neighbours are the nearest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.scored_parts import scored_batches

from tasks.scoring.explain import explain, hottest_region, insertion_windows


@pytest.fixture(scope="module")
def records(small_release, hidden):
    (batch,) = scored_batches(small_release, hidden(each=2, seed=9), 6)
    return [batch.record(i) for i in range(6)]


def test_level_and_shape_are_the_whole_difference(small_release, records):
    """|x − m|² = (β − 1)² r + S_e, for the shape is at right angles to the mean map."""
    for explanation in (explain(small_release, record) for record in records):
        difference = explanation.map - explanation.anchor
        np.testing.assert_allclose(explanation.level + explanation.shape, difference, atol=1e-5)
        assert abs((explanation.anchor * explanation.shape).sum()) < 1e-4
        squares = np.square(explanation.level).sum(), np.square(explanation.shape).sum()
        assert explanation.level_share == pytest.approx(squares[0] / np.square(difference).sum(), rel=1e-4)
        assert squares[1] == pytest.approx(explanation.record.sqrt_ve**2 * (difference.size - 1), rel=1e-4)


def test_a_brighter_mean_map_is_a_change_of_level_alone(small_release, records):
    bright = (1.5 * small_release.anchors[records[0].nearest]).astype(np.float32)
    explanation = explain(small_release, replace(records[0], map=bright, beta=1.5, sqrt_ve=0.0))
    assert explanation.level_share == pytest.approx(1, abs=1e-6)


def test_what_is_odd_is_found_where_it_is(plain_release, records):
    """Judged by the plain map, a part that is usual but for one cell is odd in that cell and nowhere else."""
    gallery = plain_release.gallery
    for cell in (0, 7, 19):
        odd = gallery.maps[gallery.good].mean(axis=0)
        odd[cell] += 3
        explanation = explain(plain_release, replace(records[0], map=odd))
        heat = explanation.heatmap.ravel()
        assert heat[cell] == pytest.approx(3, rel=1e-4)
        assert np.abs(np.delete(heat, cell)).max() < 1e-3
        row, col = divmod(cell, 5)
        assert (explanation.region.rows, explanation.region.cols) == ((row + 1, row + 1), (col + 1, col + 1))


def test_neighbours_are_the_nearest_that_the_release_keeps(small_release, records):
    explanation = explain(small_release, records[0])
    embedded = small_release.gallery.embedded
    distances = small_release.classifier.distance.matrix(records[0].embedded[None], embedded)[0]
    neighbours = [neighbour.distance for neighbour in explanation.neighbours]
    np.testing.assert_allclose(neighbours, np.sort(distances)[:3])


def test_a_part_that_the_release_keeps_is_not_among_its_own_neighbours(small_release, records):
    gallery = small_release.gallery
    own = replace(records[0], map=gallery.maps[0], embedded=gallery.embedded[0].astype(float))
    distances = small_release.classifier.distance.matrix(own.embedded[None], gallery.embedded)[0]
    neighbours = [neighbour.distance for neighbour in explain(small_release, own).neighbours]
    np.testing.assert_allclose(neighbours, np.sort(np.delete(distances, 0))[:3])


def test_a_release_without_kept_records_or_good_parts_still_explains(small_release, records):
    explanation = explain(replace(small_release, gallery=None), records[0])
    assert explanation.neighbours == ()
    assert np.isfinite(explanation.heatmap).all()
    without_good = replace(small_release, classifier=replace(small_release.classifier, good=None))
    assert np.isfinite(explain(without_good, records[0]).heatmap).all()


@pytest.mark.parametrize("cells", [1, 2, 3, 4, 5, 6, 7, 12, 36, 39, 144, 1000])
def test_windows_cover_every_cell_and_are_not_many(cells):
    covered = np.zeros(cells, int)
    windows = insertion_windows(cells)
    for window in windows:
        covered[window] += 1
    assert covered.min() >= 1
    assert len(windows) <= 20
    assert all(window.stop <= cells for window in windows)


def test_a_region_is_the_hottest_connected_part():
    heatmap = np.zeros((36, 39))
    heatmap[3:6, 30:34] = 1
    heatmap[20, 5] = 0.9
    region = hottest_region(heatmap)
    assert (region.rows, region.cols, region.where) == ((4, 6), (31, 34), "upper right")
    assert hottest_region(np.full((3, 3), -1.0)) is None
    assert hottest_region(np.eye(1)).where == "centre"
