"""The maps of an example are drawn on one scale."""

from __future__ import annotations

import base64

import numpy as np

from tasks.evaluation.report_data import Misclassification, TripletExample
from tasks.report.charts import heat_maps, mistake_maps


def test_a_mistake_has_one_scale_and_names_its_modes():
    """Values 0, 1 and 9: the middle of the square root's scale is 9/4. One cell of 2700 at 100 does not stretch it."""
    maps = [np.full((3, 4), value, np.float32) for value in (0, 1, 9)]
    shown = mistake_maps(Misclassification(*maps, "a", "b", "", 1.0, 0.5, 1.0, 0.5))
    assert shown.ticks == ["9", "2.25", "0"]
    assert [one.alt.rpartition(" ")[2] for one in shown.maps] == ["a", "a", "b"]
    maps = [np.full((30, 30), value, np.float32) for value in (0, 1, 9)]
    maps[0][0, 0] = 100
    assert mistake_maps(Misclassification(*maps, "a", "b", "", 1.0, 0.5, 1.0, 0.5)).ticks == ["≥ 9", "2.25", "0"]


def test_one_scale_for_the_maps_of_a_triplet():
    """Values 0, 1 and 4 lie at 0, ½ and 1 of the square root's scale; with −1 among them it is linear."""
    maps = [np.full((3, 4), value, np.float32) for value in (0, 1, 4)]
    shown = heat_maps(TripletExample(*maps, "a", "b", 1.0, 2.0))
    assert shown.ticks == ["4", "1", "0"]
    assert not heat_maps(TripletExample(maps[0] - 1, *maps[1:], "a", "b", 1.0, 2.0)).rooted
    for one in shown.maps:
        assert base64.b64decode(one.uri.partition(",")[2]).startswith(b"\x89PNG")
        assert (one.width, one.height) == (240, 180)
