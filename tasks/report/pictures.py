"""The report's pictures: charts in one style, and heat maps of triplets, small enough to be inlined.

No text from the dataset enters a picture: names stand in the page beside it, where they are escaped,
wrap, and are set in a font that has their letters.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imsave

# Okabe and Ito's colours, which the colour-blind can tell apart; their yellow is too pale for paper.
BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY, BLACK = (
    "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#000000",
)  # fmt: skip


COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY, BLACK)


GREY = "#8a8a8a"


STYLE = {
    "svg.hashsalt": "kensa",  # else every drawing gets other ids
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that every machine draws the same
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "hatch.linewidth": 0.6,
}


@dataclass(frozen=True)
class Picture:
    """A data URI, its alternative text, and its size in CSS pixels."""

    uri: str
    alt: str
    width: int
    height: int

    @property
    def content(self) -> bytes:
        """The picture as a file's bytes."""
        return base64.b64decode(self.uri.partition(",")[2])


def chart(draw: Callable[[Figure], None], alt: str, size: tuple[float, float] = (4.9, 3.2)) -> Picture:
    """What `draw` puts into a figure of `size` (inches), as an SVG that is the same byte for byte every time."""
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        _fix_layout(figure)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return Picture(_uri("svg+xml", buffer), alt, round(size[0] * 96), round(size[1] * 96))


def _fix_layout(figure: Figure) -> None:
    """Lay the axes out once, in rounded places: the solver's last digits differ from one run to the next."""
    figure.get_layout_engine().execute(figure)
    figure.set_layout_engine("none")
    for axes in figure.axes:
        axes.set_position([round(end, 5) for end in axes.get_position(original=True).bounds])


def _uri(kind: str, buffer: io.BytesIO) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _pixels(shares: np.ndarray, alt: str, across: int = 240, colours: str = "cividis") -> Picture:
    """A map of shares 0..1 in these colours, enlarged without smoothing or thinned to about `across` pixels."""
    thin = -(-max(shares.shape) // (2 * across))
    shares = shares[::thin, ::thin]
    large = max(1, across // max(shares.shape))
    buffer = io.BytesIO()
    coloured = mpl.colormaps[colours](shares, bytes=True)
    imsave(buffer, coloured.repeat(large, axis=0).repeat(large, axis=1), format="png")
    return Picture(_uri("png", buffer), alt, shares.shape[1] * large, shares.shape[0] * large)


@dataclass(frozen=True)
class HeatMaps:
    """Maps on one scale, such as those of a triplet or a mistake, their colour bar, and its values from the top down.

    `rooted` says that the colour follows the value's square root; `example` is what they are of.
    """

    maps: tuple[Picture, ...]
    bar: Picture
    ticks: list[str]
    rooted: bool
    example: Any


def on_one_scale(values: tuple[np.ndarray, ...], alts: tuple[str, ...], example: Any, share: float = 1.0) -> HeatMaps:
    """Maps on a scale that ends at this share of all their values, brighter ones looking alike.

    Maps without negative values are shown by their square root: a mean map is far weaker than a
    single record's peak, and would be a dark field beside it.
    """
    low, top = float(min(map(np.min, values))), float(max(map(np.max, values)))
    high = float(np.quantile(np.stack(values), share))
    power, span = 0.5 if low >= 0 else 1.0, (high - low) or 1.0
    maps = tuple(
        _pixels((((one - low) / span).clip(0, 1)) ** power, alt) for one, alt in zip(values, alts, strict=True)
    )
    bar = _pixels(np.linspace(1, 0, 120)[:, None].repeat(4, axis=1), f"colour bar from {low:.3g} to {high:.3g}", 120)
    digits = 2 - math.floor(math.log10(span))
    ticks = [f"{round(low + span * place ** (1 / power), digits):g}" for place in (1.0, 0.5, 0.0)]
    ticks[0] = f"≥ {ticks[0]}" if top > high else ticks[0]
    return HeatMaps(maps, bar, ticks, power != 1, example)


def difference_map(values: np.ndarray, alt: str) -> Picture:
    """A map of differences: blue below zero, white at it, red above; strongest at its own largest."""
    largest = float(np.abs(values).max()) or 1.0
    return _pixels(0.5 + values / (2 * largest), alt, colours="RdBu_r")


def intensity_map(values: np.ndarray, alt: str) -> Picture:
    """A map of what counts: dark at zero and below, brightest at its own largest."""
    largest = float(values.max())
    return _pixels(values.clip(0, None) / largest if largest > 0 else np.zeros_like(values), alt, colours="inferno")
