"""The confusion matrix and the projection of the embeddings, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.report.confusion import confusion, confusion_picture, projection


def test_confusion_rows_add_up_and_the_commonest_mistake_leads():
    """Four records of mode 0, three nearest to mode 1, and one of mode 1, right: 25 %, 75 % and 100 %."""
    distances = np.array([[0, 1], [1, 0], [1, 0], [1, 0], [1, 0]], float)
    shown = confusion(["0", "1"], np.array([0, 0, 0, 0, 1]), distances)
    assert [(row, column, share) for row, column, share, *_ in shown.cells] == [(0, 0, 0.25), (0, 1, 0.75), (1, 1, 1.0)]
    assert shown.mistakes == [(0, 1, 3, 4)]


def test_the_picture_has_each_share_and_no_name_of_a_dataset():
    distances = np.array([[0, 1], [1, 0], [1, 0], [1, 0], [1, 0]], float)
    picture = confusion_picture(confusion(["<bad>", "1"], np.array([0, 0, 0, 0, 1]), distances))
    assert picture.alt == "confusion matrix of 2 modes; correct, as a mean over the modes: 62%"
    text = picture.content.decode()
    assert "<bad>" not in text
    assert [text.count(f"<!-- {share} -->") for share in (25, 75, 100)] == [1, 1, 1]


def test_projection_keeps_all_variance_of_points_in_a_plane():
    plane = np.random.default_rng(0).normal(size=(50, 2)) @ np.random.default_rng(1).normal(size=(2, 8))
    shown = projection(plane, np.arange(50) % 12, {11: 0.0})
    assert sum(shown.explained) == pytest.approx(1)
    assert len(shown.marks) == 8
    assert 11 in [mark.code for mark in shown.marks]
