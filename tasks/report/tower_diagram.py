"""The diagram of a tower: a box for each layer from the map to the embedding, with output shape and parameters.

Drawn by matplotlib: Keras' own `plot_model` needs Graphviz, which a fresh machine does not have.
"""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from tasks.core.json_form import Json, value_of
from tasks.model.architecture import TowerLayer
from tasks.report.pictures import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, Picture, chart

DIM = "#555555"
MAX_LAYERS = 24  # of larger towers the first and the last are drawn
BOX, GAP = 0.66, 0.34  # heights in rows
COLOURS = {"Input": GREY, "Conv": BLUE, "Dense": GREEN, "Pool": SKY, "Dropout": PURPLE, "Normalization": ORANGE}


def tower_diagram(layers: tuple[TowerLayer, ...]) -> Picture:
    """The picture of the layers; `layers` must not be empty."""
    rows = _drawn_rows(len(layers))

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.set(xlim=(0, 100), ylim=(len(rows) + 0.35, -0.65))
        axes.set_axis_off()
        for x, title, side in ((10, "layer", "left"), (76, "output", "right"), (97, "parameters", "right")):
            axes.text(x, -0.35, title, ha=side, va="center", color=DIM, fontsize=8.5)
        for place, number in enumerate(rows):
            _draw_row(axes, place, number, layers)
        total = sum(layer.parameters for layer in layers)
        axes.text(97, len(rows) - 0.05, f"{total:,} parameters in all", ha="right", va="center", fontsize=8.5)

    shapes = f"{_shape(layers[0])} to {_shape(layers[-1])}"
    return chart(draw, f"the tower: {len(layers)} layers from {shapes}", (4.9, 0.34 * (len(rows) + 1)))


def model_layers(model: Json) -> tuple[TowerLayer, ...]:
    """The layers that a report's `model` holds; none in reports of earlier versions."""
    return value_of(tuple[TowerLayer, ...], model.get("layers", []))


def _drawn_rows(count: int) -> list[int | None]:
    """The numbers of the layers that are drawn; None for those that are left out."""
    if count <= MAX_LAYERS:
        return list(range(count))
    half = MAX_LAYERS // 2
    return [*range(half), None, *range(count - half, count)]


def _draw_row(axes: Axes, place: int, number: int | None, layers: tuple[TowerLayer, ...]) -> None:
    if number is None:
        axes.text(50, place + BOX / 2, f"… {len(layers) - MAX_LAYERS} more …", ha="center", va="center", color=GREY)
        return
    layer, middle = layers[number], place + BOX / 2
    colour = next((colour for word, colour in COLOURS.items() if word in layer.kind), DIM)
    axes.add_patch(Rectangle((2, place), 96, BOX, fc=colour, ec="none", alpha=0.14))
    axes.add_patch(Rectangle((2, place), 0.9, BOX, fc=colour, ec="none"))
    axes.text(7.5, middle, f"{number + 1}", ha="right", va="center", color=DIM, fontsize=8)
    axes.text(10, middle, _title(layer, number), ha="left", va="center", parse_math=False)
    axes.text(76, middle, _shape(layer), ha="right", va="center")
    axes.text(97, middle, f"{layer.parameters:,}" if layer.parameters else "–", ha="right", va="center")
    if number - 1 in layer.inputs:
        axes.annotate("", (50, place), (50, place - GAP), arrowprops={"arrowstyle": "-|>", "color": GREY, "lw": 0.9})


def _title(layer: TowerLayer, number: int) -> str:
    """Kind and details; where the values do not come from the layer above, the numbers of those that give them."""
    name = "Input: the map" if layer.kind == "InputLayer" else layer.kind
    sources = "" if layer.inputs in ((), (number - 1,)) else f"← {', '.join(str(i + 1) for i in layer.inputs)}"
    return " ".join(filter(None, [name, layer.details, sources]))


def _shape(layer: TowerLayer) -> str:
    return " × ".join(map(str, layer.shape))
