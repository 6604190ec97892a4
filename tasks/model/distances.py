"""The one distance of a model: the same object serves loss, mining, prototypes, threshold, verdict and export.

A distance is written once, over an array namespace (`numpy` or `keras.ops`). It says how far x lies from the anchor:
smaller means more alike, and the order of the two counts where a distance is not symmetric. A release stores the name
of its distance and uses no other.

A distance of your own is a small class in a module (tasks/core/own_code.py), named as `module:Class`:

    class City(Distance):
        "Sum of the absolute differences."

        name = "city.py's City"

        def pair(self, x, anchor, xp=np):
            return xp.sum(xp.abs(x - anchor), axis=-1)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tasks.config.model import DISTANCES, TrainingConfig
from tasks.core.errors import BadSetting
from tasks.core.own_code import is_own, load_own

EPSILON = 1e-12  # under every root: the gradient stays finite where both are equal
ROWS_PER_BLOCK = 512  # of a numpy matrix at a time, so that memory does not grow with the records

Prototype = dict[str, Any]


class Distance:
    """The contract. All distances are ≥ 0 and 0 between equals; `xp` is numpy or keras.ops.

    A subclass must define `pair` only. A mode is reduced to a prototype: a dictionary of arrays with the same leading
    axes; for a distance between points it holds their `mean`.
    """

    name: str
    symmetric = True

    def pair(self, x: Any, anchor: Any, xp: Any = np) -> Any:
        """Distances (...) of embeddings x from anchor, both (..., d) and broadcast against each other."""
        raise TypeError(f"{type(self).__name__} defines no pair()")

    def matrix(self, x: Any, anchors: Any, xp: Any = np) -> Any:
        """Distances (n, m) of all of x (n, d) from all of anchors (m, d)."""
        return self.to_prototypes(x, {"mean": anchors}, xp)

    def prototype(self, records: Any, xp: Any = np) -> Prototype:
        """What the n records (..., n, d) of a mode are reduced to; the arrays keep the axes before n."""
        return {"mean": xp.mean(records, axis=-2)}

    def pooled(self, prototypes: Prototype, together: Prototype, xp: Any = np) -> Prototype:
        """The prototypes, smoothed towards `together`, those of all modes; here unchanged."""
        return prototypes

    def prototypes(self, groups: list[np.ndarray]) -> Prototype:
        """The prototypes of m modes from the embeddings (n, d) of each, in numpy: arrays with m rows."""
        prototypes = [self.prototype(np.asarray(group, np.float64)) for group in groups]
        together = {name: np.stack([prototype[name] for prototype in prototypes]) for name in prototypes[0]}
        return self.pooled(together, together)

    def from_prototype(self, x: Any, prototype: Prototype, xp: Any = np) -> Any:
        """Distances (...) of x (..., d) from prototypes whose axes broadcast against those of x before d."""
        return self.pair(x, prototype["mean"], xp)

    def to_prototypes(self, x: Any, prototypes: Prototype, xp: Any = np) -> Any:
        """Distances (n, m) of all of x (n, d) from m prototypes; in float64 where xp is numpy."""
        if xp is not np:
            return self.from_prototype(x[:, None], {name: value[None] for name, value in prototypes.items()}, xp)
        x, wide = np.asarray(x, np.float64), {n: np.asarray(v, np.float64)[None] for n, v in prototypes.items()}
        blocks = [self.from_prototype(x[i : i + ROWS_PER_BLOCK, None], wide) for i in range(0, len(x), ROWS_PER_BLOCK)]
        return np.concatenate(blocks) if blocks else np.empty((0, len(prototypes["mean"])))

    def get_config(self) -> dict[str, Any]:
        """What a release stores; `distance(**config)` makes the same object again."""
        return {"name": self.name}


class Euclidean(Distance):
    """|x − anchor|, in the embedding's units."""

    name = "euclidean"

    def pair(self, x: Any, anchor: Any, xp: Any = np) -> Any:
        """See Distance.pair."""
        return xp.sqrt(xp.maximum(xp.sum(xp.square(x - anchor), axis=-1), EPSILON))

    def to_prototypes(self, x: Any, prototypes: Prototype, xp: Any = np) -> Any:
        """See Distance.to_prototypes; numpy's by one product in float64: no digit that matters is lost."""
        if xp is not np:
            return super().to_prototypes(x, prototypes, xp)
        return np.sqrt(np.maximum(_squares(x, prototypes["mean"]), EPSILON))


class SquaredEuclidean(Distance):
    """|x − anchor|², in the square of the embedding's units."""

    name = "squared-euclidean"

    def pair(self, x: Any, anchor: Any, xp: Any = np) -> Any:
        """See Distance.pair."""
        return xp.sum(xp.square(x - anchor), axis=-1)


class Cosine(Distance):
    """1 − cos(x, anchor), in 0..2. A zero vector has distance 1 to everything."""

    name = "cosine"

    def pair(self, x: Any, anchor: Any, xp: Any = np) -> Any:
        """See Distance.pair."""
        squares = xp.sum(xp.square(x), axis=-1) * xp.sum(xp.square(anchor), axis=-1)
        return 1.0 - xp.sum(x * anchor, axis=-1) / xp.sqrt(xp.maximum(squares, EPSILON**2))


class SNR(Distance):
    """Var(x − anchor) / Var(anchor), without unit: noise over signal, so that the anchor's own spread is the measure.

    Source: Yuan, Deng, Tang, Tang, Chen, *Signal-to-Noise Ratio: A Robust Distance Metric for Deep
    Metric Learning* (CVPR 2019), arXiv:1904.02616.
    """

    name = "snr"
    symmetric = False

    def pair(self, x: Any, anchor: Any, xp: Any = np) -> Any:
        """See Distance.pair. An anchor without spread is measured against a spread of 10⁻⁶."""
        return _variance(x - anchor, xp) / xp.maximum(_variance(anchor, xp), EPSILON)


def _variance(values: Any, xp: Any) -> Any:
    return xp.mean(xp.square(values - xp.mean(values, axis=-1, keepdims=True)), axis=-1)


def _squares(x: Any, anchors: Any) -> np.ndarray:
    """Squared Euclidean distances (n, m) in float64; about a common centre, where the product loses least."""
    x, anchors = np.asarray(x, np.float64), np.asarray(anchors, np.float64)
    centre = anchors.mean(axis=0)
    x, anchors = x - centre, anchors - centre
    blocks = (x[i : i + ROWS_PER_BLOCK] for i in range(0, len(x), ROWS_PER_BLOCK))
    lengths = np.concatenate([np.empty(0), *(np.square(block).sum(axis=1) for block in blocks)])
    return lengths[:, None] + np.square(anchors).sum(axis=1) - 2 * (x @ anchors.T)


def distance(name: str, folder: Path | None = None, **options: Any) -> Distance:
    """The distance of that name, or of a class `module:Class` of your own; BadSetting names those that exist.

    folder: of a release, whose own copy of that class is used where it has one.
    """
    for kind in (Euclidean, SquaredEuclidean, Cosine, SNR, RT):
        if kind.name == name:
            return kind(**options)
    kind = load_own(name, folder) if is_own(name) else None
    if not (isinstance(kind, type) and issubclass(kind, Distance)):
        raise BadSetting(
            f"distance: expected one of {', '.join(DISTANCES)}, or module:Class of a Distance, received {name!r}"
        )
    custom = kind(**options)
    custom.name = name  # a release stores where its distance comes from
    return custom


def trained_distance(fit: TrainingConfig) -> Distance:
    """The distance that resolved settings ask for."""
    return distance(fit.distance, **({"blocks": fit.blocks} if fit.distance == "rt" else {}))


class RT(Distance):
    """The RT distance of x from a mode's unit space, without unit; asymmetric, no metric.

    blocks: parts of the embedding, which must divide its length; shrink: 0..1, share of the mean V;
    floor: added to V's diagonal, with a hundredth of the diagonal itself where it is above 0;
    epsilon: under the roots and in r, where the gradient would be infinite.
    """

    name = "rt"
    symmetric = False

    def __init__(self, blocks: int = 1, shrink: float = 0.3, floor: float = 1e-4, epsilon: float = 1e-6) -> None:
        self.blocks, self.shrink, self.floor, self.epsilon = blocks, shrink, floor, epsilon

    def get_config(self) -> dict[str, Any]:
        """See Distance.get_config."""
        options = {name: getattr(self, name) for name in ("blocks", "shrink", "floor", "epsilon")}
        return {"name": self.name, **options}

    def pair(self, x: Any, anchor: Any, xp: Any = np) -> Any:
        """See Distance.pair: RT against the unit space of one record."""
        y = self.coordinates(x, anchor, xp)
        square = xp.square(y[..., 0] - 1.0) + xp.square(y[..., 1])
        return _root(xp.mean(square, axis=-1) / 2.0, xp)

    def coordinates(self, x: Any, m: Any, xp: Any = np) -> Any:
        """Y = (β, s) of x (..., d) against means m (..., d), as (..., blocks, 2)."""
        x, m = self._cut(x, xp), self._cut(m, xp)
        r = xp.sum(xp.square(m), axis=-1) + self.epsilon
        beta = xp.sum(x * m, axis=-1) / r
        error = xp.sum(xp.square(x - beta[..., None] * m), axis=-1)
        return xp.stack([beta, xp.sqrt(error / r + self.epsilon)], axis=-1)

    def _cut(self, values: Any, xp: Any) -> Any:
        return xp.reshape(values, (*xp.shape(values)[:-1], self.blocks, values.shape[-1] // self.blocks))

    def prototype(self, records: Any, xp: Any = np) -> Prototype:
        """A unit space of records (..., n, d): `mean` (..., d), `mean_y` (..., blocks, 2), `V` (..., blocks, 2, 2)."""
        mean = xp.mean(records, axis=-2)
        y = self.coordinates(records, mean[..., None, :], xp)  # (..., n, blocks, 2)
        mean_y = xp.mean(y, axis=-3)
        off = y - mean_y[..., None, :, :]
        V = xp.mean(off[..., :, None] * off[..., None, :], axis=-4)
        return {"mean": mean, "mean_y": mean_y, "V": V}

    def pooled(self, prototypes: Prototype, together: Prototype, xp: Any = np) -> Prototype:
        """See Distance.pooled: V with its share of the mean V of `together`, and its floor."""
        V = together["V"]
        common = xp.mean(xp.reshape(V, (-1, *V.shape[-3:])), axis=0)
        shrunk = (1.0 - self.shrink) * prototypes["V"] + self.shrink * common
        rise = self.floor * (1.0 + 100.0 * shrunk) * np.eye(2, dtype="float32")
        return {**prototypes, "V": shrunk + rise}

    def from_prototype(self, x: Any, prototype: Prototype, xp: Any = np) -> Any:
        """See Distance.from_prototype. A prototype that is a mere point is a unit space of one record."""
        if "V" not in prototype:
            return self.pair(x, prototype["mean"], xp)
        off = self.coordinates(x, prototype["mean"], xp) - prototype["mean_y"]
        V, level, shape = prototype["V"], off[..., 0], off[..., 1]
        a, b, c = V[..., 0, 0], V[..., 0, 1], V[..., 1, 1]
        square = (c * xp.square(level) - 2.0 * b * level * shape + a * xp.square(shape)) / (a * c - xp.square(b))
        return _root(xp.mean(square, axis=-1) / 2.0, xp)


def _root(square: Any, xp: Any) -> Any:
    return xp.sqrt(xp.maximum(square, EPSILON))
