"""Taguchi's RT distance between embeddings, with a gradient: the shop floor's metric inside the network.

A mode's records are its unit space. x is reduced to β = Σmx/r, the level, and s = √(S_e/r), the shape,
against the mode's mean m (r = Σm², S_e = Σ(x−βm)²), and D = √(½ (Y−Ȳ)ᵀ V⁻¹ (Y−Ȳ)), Y = (β, s). RT's own
second coordinate is √V_e = s·√(r/(k−1)): a fixed factor within a unit space, which V⁻¹ takes out again,
so that D is the same; s has no unit, and can be pooled over modes. With `blocks` the embedding is cut
into that many parts, each with coordinates of its own, and D² is their mean.

V of a few records is poor: each mode's takes a share `shrink` from the mean V of all modes, and a least
deviation (`floor`). Two points alone are a unit space of one record: V is then the unit matrix, and
D = |x−m| / √(2r). For the method itself, in its textbook form, see tasks/rt.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.distance import Distance, Prototype


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
    return xp.sqrt(xp.maximum(square, 1e-12))
