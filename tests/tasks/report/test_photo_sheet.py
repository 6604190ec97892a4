"""The sheet of photographs: a line for each, in colour or grey, and a map even where nothing is anomalous."""

from __future__ import annotations

import numpy as np
from matplotlib.image import imread

from tasks.report.photo_sheet import SheetRow, photo_sheet


def test_every_photograph_has_a_line_and_red_stays_red(tmp_path):
    red = np.zeros((8, 10, 3), np.float32)
    red[..., 2] = 1  # blue, green, red
    rows = [SheetRow("part", red, red, np.zeros((4, 5))), SheetRow("x" * 99, red, red, np.ones((4, 5)))]
    sizes = []
    for count in (1, 2):
        photo_sheet(rows[:count], red, tmp_path / "sheet.png")
        picture = imread(tmp_path / "sheet.png")
        sizes.append(picture.shape[0])
        assert (picture[..., :3] == [1, 0, 0]).all(axis=-1).mean() > 0.2
        assert not (picture[..., :3] == [0, 0, 1]).all(axis=-1).any()
    assert sizes[1] > 1.5 * sizes[0]


def test_grey_photographs_are_drawn_grey(tmp_path):
    grey = np.full((8, 10), 0.5, np.float32)
    photo_sheet([SheetRow("part", grey, grey, np.ones((4, 5)))], grey, tmp_path / "sheet.png")
    colours = imread(tmp_path / "sheet.png")[..., :3]
    middle = np.isclose(colours, 0.5, atol=0.02).all(axis=-1)
    assert middle.mean() > 0.2
