"""A sheet of photographs and their maps, for the engineer's eye."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from tasks.report.pictures import STYLE

Shown = tuple[str, np.ndarray, np.ndarray, np.ndarray]


def photo_sheet(shown: list[Shown], mean: np.ndarray, path: Path) -> None:
    """Draw a row for each of `shown` (name, photograph, registered, map) as a PNG: with the standard's mean between."""
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(8.4, 2.05 * len(shown) + 0.3), layout="constrained")
        rows = figure.subplots(len(shown), 4, squeeze=False)
        top = max(float(np.quantile(values, 0.999)) for *_, values in shown)
        for axes, (name, seen, registered, values) in zip(rows, shown, strict=True):
            for ax, picture in zip(axes, (seen, registered, mean), strict=False):
                ax.imshow(_colours(picture), cmap="gray", vmin=0, vmax=1)
            axes[3].imshow(np.sqrt(values / max(top, 1e-9)), cmap="cividis", vmin=0, vmax=1)
            axes[0].set_ylabel(name[-28:], fontsize=7)
            for ax in axes:
                ax.set(xticks=[], yticks=[])
        for ax, title in zip(rows[0], ("photograph", "registered", "mean of good parts", "map"), strict=True):
            ax.set_title(title)
        figure.savefig(path, dpi=90)


def _colours(picture: np.ndarray) -> np.ndarray:
    """Red first, as it is drawn."""
    return picture if picture.ndim == 2 else picture[:, :, ::-1].clip(0, 1)
