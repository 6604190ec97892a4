"""The layers of a tower as plain records, for whoever shows a model without Keras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TowerLayer:
    """A layer: its kind, its settings in words, the shape of its output without the batch, its number of parameters.

    inputs: the places of the layers that it takes its values from, counted from 0.
    """

    kind: str
    details: str
    shape: tuple[int, ...]
    parameters: int
    inputs: tuple[int, ...]


def tower_layers(tower: Any) -> tuple[TowerLayer, ...]:
    """The layers and operations of a functional Keras model, in the order in which they are computed.

    A model that is not functional, or whose layers have several outputs, has none that could be shown in order.
    """
    operations = list(getattr(tower, "operations", ()))
    if any(isinstance(operation.output, list | tuple | dict) for operation in operations):
        return ()
    place = {id(operation.output): number for number, operation in enumerate(operations)}
    return tuple(_layer(operation, place) for operation in operations)


def _layer(operation: Any, place: dict[int, int]) -> TowerLayer:
    first = not place[id(operation.output)]
    return TowerLayer(
        kind=type(operation).__name__,
        details=_details(operation),
        shape=tuple(operation.output.shape[1:]),
        parameters=operation.count_params() if hasattr(operation, "count_params") else 0,
        inputs=() if first else tuple(place[id(value)] for value in _values(operation.input) if id(value) in place),
    )


def _values(values: Any) -> Sequence[Any]:
    return values if isinstance(values, list | tuple) else [values]


def _details(layer: Any) -> str:
    """What a reader wants to know of the usual layers: windows, strides, activation, rates."""
    activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
    strides = set(getattr(layer, "strides", None) or ()) if hasattr(layer, "kernel_size") else set()
    words = (
        _by(getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)),
        f"stride {max(strides)}" if strides and max(strides) > 1 else "",
        "" if activation == "linear" else activation,
        f"rate {layer.rate:g}" if isinstance(getattr(layer, "rate", None), float) else "",
    )
    return ", ".join(word for word in words if word)


def _by(size: Any) -> str:
    return " × ".join(map(str, size)) if isinstance(size, list | tuple) else ""
