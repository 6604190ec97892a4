"""Pictures are the same bytes each time, of the stated size, and maps beside each other share one scale."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.image import imread

from tasks.report.pictures import chart, difference_map, intensity_map, on_one_scale


def pixels(picture):
    return imread(io.BytesIO(picture.content), format="png")[..., :3]


def test_a_chart_is_the_same_bytes_each_time_and_without_a_date():
    drawn = [chart(lambda figure: figure.subplots().plot([1, 2]), "a line", (4, 3)) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert (drawn[0].width, drawn[0].height) == (384, 288)
    assert b"<dc:date>" not in drawn[0].content


def test_maps_on_one_scale_have_one_colour_for_one_value():
    first, second = np.array([[0.0, 1.0], [2.0, 4.0]]), np.array([[4.0, 0.0], [0.0, 1.0]])
    maps = on_one_scale((first, second), ("a", "b"), None)
    left, right = map(pixels, maps.maps)
    half = left.shape[0] // 2
    assert np.array_equal(left[-1, -1], right[0, 0]), "the value 4"
    assert np.array_equal(left[0, -1], right[-1, -1]), "the value 1"
    assert not np.array_equal(left[0, 0], left[half, -1])
    assert maps.rooted, "no value is negative"
    assert [tick.strip("≥ ") for tick in maps.ticks] == ["4", "1", "0"]


def test_a_scale_that_ends_below_the_largest_value_says_so():
    values = np.arange(100.0).reshape(10, 10) - 50
    maps = on_one_scale((values,), ("a",), None, share=0.9)
    assert maps.ticks[0].startswith("≥ ")
    assert not maps.rooted, "some values are negative"


def test_a_difference_of_zero_is_white_and_signs_have_different_colours():
    below, zero, above = pixels(difference_map(np.array([[-1.0, 0.0, 2.0]]), "a"))[0, [0, 100, -1]]
    assert zero.min() > 0.95
    assert below[2] > below[0], "blue"
    assert above[0] > above[2], "red"


def test_intensity_is_dark_at_zero_and_below():
    row = pixels(intensity_map(np.array([[-3.0, 0.0, 2.0]]), "a"))[0]
    assert np.array_equal(row[0], row[100])
    assert row[0].sum() < 0.1 < row[-1].sum()
    assert pixels(intensity_map(np.zeros((2, 2)), "a")).max() < 0.1


def test_a_large_map_is_thinned_and_a_small_one_enlarged():
    large, small = intensity_map(np.ones((3000, 1000)), "a"), intensity_map(np.ones((3, 4)), "b")
    assert max(large.width, large.height) <= 480
    assert (small.width, small.height) == (240, 180)
