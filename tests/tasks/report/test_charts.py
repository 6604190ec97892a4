"""The maps of an example are drawn on one scale; training curves show what the log holds."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from tasks.evaluation.report_data import Misclassification, TripletExample
from tasks.report.charts import heat_maps, mistake_maps, training_curves


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


@pytest.mark.parametrize("measured", [True, False])
@pytest.mark.parametrize("margin", [0.4, None])
def test_training_curves_show_what_the_log_holds(measured, margin):
    """Logs of earlier versions do not say how well the validation part was told apart."""
    line = {"epoch": 1, "loss": 0.4, "val_loss": 0.5, "active": 0.7}
    line |= {"val_auroc": 0.9, "val_mode_accuracy": 0.8} if measured else {}
    picture = training_curves({"epochs": [line], "best_epoch": 1}, margin)
    assert picture.content.count(b'id="axes_') == (3 if measured else 2)
    assert ("verification AUROC 0.900" if measured else "validation loss 0.5000") in picture.alt
