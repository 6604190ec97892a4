"""The one distance of a model: the same object serves loss, evaluation, threshold and verdict.

A distance is written once, over an array namespace (`numpy` or `keras.ops`), so that both forms are
the same formula. Smaller always means more alike. It names itself in every release, and a release is
judged with no other.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class Distance:
    """The contract: `pair` along the last axis, `matrix` between two sets, both ≥ 0, 0 = alike."""

    name: str

    def pair(self, a: Any, b: Any, xp: Any = np) -> Any:
        """Distances (...) of embeddings a, b (..., d) that broadcast; `xp` is numpy or keras.ops."""
        raise TypeError(f"{type(self).__name__} defines no pair()")

    def matrix(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Distances (n, m) between all of a (n, d) and b (m, d)."""
        return np.stack([self.pair(a, row) for row in b], axis=1)

    def get_config(self) -> dict[str, str]:
        """What a release stores; `distance(**config)` makes the same object again."""
        return {"name": self.name}


class Euclidean(Distance):
    """|a − b|, in the embedding's units."""

    name = "euclidean"

    def pair(self, a: Any, b: Any, xp: Any = np) -> Any:
        """See Distance.pair. The floor keeps the gradient finite where a equals b."""
        return xp.sqrt(xp.maximum(xp.sum(xp.square(a - b), axis=-1), 1e-12))

    def matrix(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """See Distance.matrix; by one matrix product, in float64 so that no digit that matters is lost."""
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        squares = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1) - 2 * (a @ b.T)
        return np.sqrt(np.maximum(squares, 1e-12))


class Cosine(Distance):
    """1 − cos(a, b), in 0..2."""

    name = "cosine"

    def pair(self, a: Any, b: Any, xp: Any = np) -> Any:
        """See Distance.pair. A zero vector has distance 1 to everything."""
        norms = xp.sqrt(xp.maximum(xp.sum(xp.square(a), axis=-1) * xp.sum(xp.square(b), axis=-1), 1e-24))
        return 1.0 - xp.sum(a * b, axis=-1) / norms

    def matrix(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """See Distance.matrix; by one matrix product."""
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        norms = np.sqrt(np.maximum(np.outer(np.square(a).sum(axis=1), np.square(b).sum(axis=1)), 1e-24))
        return 1.0 - a @ b.T / norms


DISTANCES: dict[str, type[Distance]] = {kind.name: kind for kind in (Euclidean, Cosine)}


def distance(name: str) -> Distance:
    """The distance of that name; ValueError names those that exist."""
    if name not in DISTANCES:
        raise ValueError(f"distance: expected one of {', '.join(DISTANCES)}, received {name!r}")
    return DISTANCES[name]()
