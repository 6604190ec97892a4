"""A sheet of photographs and their maps, for an engineer to check the registration by eye."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from tasks.report.pictures import STYLE

BRIGHT_SHARE = 0.999  # share of a map's values at which the colours end
TITLES = ("photograph", "registered", "mean of good parts", "map")


class SheetRow(NamedTuple):
    """One photograph: its name, pixels 0..1 (height, width) or (height, width, 3) in BGR, the same after registration,
    and its map (rows, cols)."""

    name: str
    photograph: np.ndarray
    registered: np.ndarray
    map: np.ndarray


def photo_sheet(rows: list[SheetRow], mean: np.ndarray, path: Path) -> None:
    """Draw a PNG with a line for each row; `mean` is the standard's mean photograph. All maps share one scale."""
    largest = max(float(np.quantile(row.map, BRIGHT_SHARE)) for row in rows)
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(8.4, 2.05 * len(rows) + 0.3), layout="constrained")
        grid = figure.subplots(len(rows), len(TITLES), squeeze=False)
        for axes, row in zip(grid, rows, strict=True):
            for ax, picture in zip(axes[:3], (row.photograph, row.registered, mean), strict=True):
                ax.imshow(_to_rgb(picture), cmap="gray", vmin=0, vmax=1)
            axes[3].imshow(np.sqrt(row.map / max(largest, 1e-9)), cmap="cividis", vmin=0, vmax=1)
            axes[0].set_ylabel(row.name[-28:], fontsize=7)
            for ax in axes:
                ax.set(xticks=[], yticks=[])
        for ax, title in zip(grid[0], TITLES, strict=True):
            ax.set_title(title)
        figure.savefig(path, dpi=90)


def _to_rgb(picture: np.ndarray) -> np.ndarray:
    return picture if picture.ndim == 2 else picture[:, :, ::-1].clip(0, 1)
