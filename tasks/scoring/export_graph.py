"""A release as one Keras model: from maps to everything that a verdict needs, its constants within.

The tower computes in float32 as it was trained; what follows (distances, ranks, thresholds) is the same
objects as in tasks/scoring/verdicts.py over keras.ops, in float64, so that a score between two reference records
or beside a threshold falls on the same side. TensorFlow alone has float64 within a graph.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from tasks.model.fused_score import peak
from tasks.registry.loading import LoadedRelease
from tasks.scoring.verdicts import VERDICTS, verdict_codes

UNREADABLE_CODE = len(VERDICTS)  # the code of a map with a value that is no finite number
CODES = (*VERDICTS, "unreadable")
OUTPUTS = ("distances", "mode", "distance", "score", "margin", "verdict", "beta", "sqrt_ve")
INPUT = "map"


class Operations:
    """keras.ops, but for a mean along one axis, which is a sum over a count.

    A mean becomes a pooling in ONNX, for which ONNX Runtime has no float64.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(ops, name)

    def mean(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """See keras.ops.mean."""
        if not isinstance(axis, int) or x.shape[axis] is None:
            return ops.mean(x, axis=axis, keepdims=keepdims)
        return ops.sum(x, axis=axis, keepdims=keepdims) / x.shape[axis]


XP = Operations()


class VerdictLayer(keras.layers.Layer):
    """From maps (n, values) and their embeddings (n, d), both float32, to the OUTPUTS by name.

    `distances` (n, modes) float64 in the release's distance; the others (n,): `mode` and `verdict` int32
    (places in the release's modes and in CODES), the rest float64 as in tasks/scoring/verdicts.py.
    """

    def __init__(self, opened: LoadedRelease) -> None:
        super().__init__(autocast=False, trainable=False, name="judged")
        self.opened = opened

    def call(self, maps: Any, embedded: Any) -> dict[str, Any]:
        """See the class."""
        opened, judge = self.opened, self.opened.judge
        embedded = ops.cast(embedded, "float64")
        distances = self._to(embedded, judge.prototypes)
        near = ops.min(distances, axis=1)
        mode = _first_equal(distances, near)
        score = self._score(maps, embedded)
        verdict = verdict_codes(score, near, opened.defect_threshold, opened.mode_radius, ops)
        readable = ops.all(ops.isfinite(maps), axis=1)
        beta, sqrt_ve = self._level_and_shape(ops.cast(maps, "float64"), mode)
        return {
            "distances": distances,
            "mode": mode,
            "distance": near,
            "score": score,
            "margin": opened.defect_threshold - score,
            "verdict": ops.cast(ops.where(readable, verdict, UNREADABLE_CODE), "int32"),
            "beta": beta,
            "sqrt_ve": sqrt_ve,
        }

    def _to(self, embedded: Any, prototypes: dict[str, np.ndarray]) -> Any:
        wide = {name: ops.convert_to_tensor(np.asarray(value, np.float64)) for name, value in prototypes.items()}
        return self.opened.judge.distance.to_prototypes(embedded, wide, XP)

    def _score(self, maps: Any, embedded: Any) -> Any:
        judge = self.opened.judge
        if judge.good is None:
            return ops.full((ops.shape(maps)[0],), np.nan, "float64")
        distance = self._to(embedded, judge.good)[:, 0]
        return judge.fusion(distance, peak(maps, ops), ops) if judge.fused else distance

    def _level_and_shape(self, maps: Any, mode: Any) -> tuple[Any, Any]:
        """RT's coordinates as tasks/imaging/rt.py has them, against the anchor of each map's own mode."""
        anchor = ops.take(ops.convert_to_tensor(self.opened.anchors), mode, axis=0)
        beta = ops.sum(maps * anchor, axis=1) / ops.sum(ops.square(anchor), axis=1)
        error = ops.sum(ops.square(maps - beta[:, None] * anchor), axis=1)
        return beta, ops.sqrt(error / (self.opened.anchors.shape[1] - 1))


def _first_equal(distances: Any, near: Any) -> Any:
    """What argmin is, int32 (n,), which Keras makes on TensorFlow of bit operations that ONNX has not.

    Where no distance equals the least because they are no numbers, the last mode, for there must be one.
    """
    last = distances.shape[1] - 1
    codes = ops.arange(last + 1, dtype="int32")[None]
    return ops.min(ops.where(ops.equal(distances, near[:, None]), codes, last), axis=1)


def verdict_model(opened: LoadedRelease, tower: keras.Model) -> keras.Model:
    """The model from `map` (n, rows·cols) float32 to the OUTPUTS, around the release's own tower."""
    maps = keras.Input((opened.data.rows * opened.data.cols,), name=INPUT, dtype="float32")
    return keras.Model(maps, VerdictLayer(opened)(maps, tower(maps)), name="verdict")
