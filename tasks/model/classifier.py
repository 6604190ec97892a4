"""Judges: a way to embed maps, one distance, and the prototypes of the modes that both belong to.

A trained tower, an untrained one, the raw map and the champion are all judged through this one door.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tasks.data.bank import Bank
from tasks.imaging import rt
from tasks.model.distances import Distance, Prototype
from tasks.model.fused_score import Fusion, peak

EMBED_BATCH = 1024  # maps that a tower embeds at once

Embed = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class PrototypeClassifier:
    """How far maps (n, values) are from each mode and from good: (n, modes), (n,).

    `embed` and `distance` are None for RT on the raw map, whose unit spaces are no points.
    """

    name: str
    modes: list[str]
    mode_distances: Callable[[np.ndarray], np.ndarray]
    good_distances: Callable[[np.ndarray], np.ndarray] | None
    embed: Embed | None = None
    distance: Distance | None = None
    prototypes: Prototype | None = None
    good: Prototype | None = None
    fusion: Fusion | None = None
    fused: bool = False

    def scores(self, maps: np.ndarray) -> dict[str, np.ndarray]:
        """Every score (n,) of maps by which good may be told from defect; larger is more anomalous.

        `distance` to good, `peak` of the raw map, and `fused`, both as one, where there are reference
        records. There must be a good prototype.
        """
        found = {"distance": self.good_distances(maps), "peak": peak(maps)}
        return found if self.fusion is None else {**found, "fused": self.fusion(found["distance"], found["peak"])}

    def score(self, maps: np.ndarray) -> np.ndarray:
        """The one score (n,) that thresholds, evaluation and verdicts use."""
        return self.scores(maps)["fused"] if self.fused else self.good_distances(maps)

    @property
    def unit(self) -> str:
        """What the score is measured in: the distance's name, or that it is a sum of ranks."""
        return f"ranks of {self.distance.name} and peak" if self.fused else self.distance.name


def with_fused_score(judge: PrototypeClassifier, bank: Bank, score: str) -> PrototypeClassifier:
    """The judge with the bank's good calibration records as reference; `score` is the one that it uses.

    Without a good prototype or reference records there is nothing to fuse, and the distance stays.
    """
    rows = bank.rows("calibrate")
    maps = np.asarray(bank.maps[rows[bank.good[rows]]])
    if judge.good_distances is None or not len(maps):
        return judge
    return replace(judge, fusion=Fusion(judge.good_distances(maps), peak(maps)), fused=score == "fused")


def from_prototypes(
    name: str, embed: Embed, distance: Distance, modes: list[str], prototypes: Prototype, good: Prototype | None
) -> PrototypeClassifier:
    """A judge by its prototypes in the embedding: of the modes, arrays with a row each, and of good parts, one row."""
    return PrototypeClassifier(
        name,
        modes,
        mode_distances=lambda maps: distance.to_prototypes(embed(maps), prototypes),
        good_distances=None if good is None else lambda maps: distance.to_prototypes(embed(maps), good)[:, 0],
        embed=embed,
        distance=distance,
        prototypes=prototypes,
        good=good,
    )


def fit_prototypes(name: str, embed: Embed, distance: Distance, prototype: str, bank: Bank) -> PrototypeClassifier:
    """A judge whose prototypes come from the bank's training records alone.

    prototype: `mean-map` embeds the mean map, `mean-embedding` takes the embeddings themselves.
    """
    rows = bank.rows("train")
    maps, mode, good = np.asarray(bank.maps[rows]), bank.mode[rows], bank.good[rows]
    if prototype == "mean-map":
        centre = maps[good].mean(axis=0, keepdims=True) if good.any() else bank.anchors[:0]
        found = {"mean": embed(np.concatenate([bank.anchors, centre]))}
    else:
        embedded = embed(maps)
        groups = [embedded[mode == code] for code in range(len(bank.modes))]
        found = distance.prototypes([*groups, *([embedded[good]] if good.any() else [])])
    count = len(bank.modes)
    modes, last = ({key: value[part] for key, value in found.items()} for part in (slice(count), slice(count, None)))
    return from_prototypes(name, embed, distance, bank.modes, modes, last if good.any() else None)


def make_embed(tower: Any) -> Embed:
    """A Keras tower as a function from maps (n, values) to embeddings (n, d) in float64.

    `predict_on_batch` is half as dear as `predict`, which prepares a data set each time. The last batch is
    filled up to a power of two, so that a tower is compiled for a few sizes and not for each.
    """

    def batch(maps: np.ndarray) -> np.ndarray:
        room = 1 << max(len(maps) - 1, 0).bit_length()
        filled = np.concatenate([maps, np.zeros((room - len(maps), *maps.shape[1:]), maps.dtype)])
        return np.asarray(tower.predict_on_batch(filled), np.float64)[: len(maps)]

    def embed(maps: np.ndarray) -> np.ndarray:
        maps = np.asarray(maps)
        if not len(maps):
            return np.empty((0, tower.output_shape[-1]))
        return np.concatenate([batch(maps[start : start + EMBED_BATCH]) for start in range(0, len(maps), EMBED_BATCH)])

    return embed


def raw_map_baseline(distance: Distance, bank: Bank) -> PrototypeClassifier:
    """The raw map itself: what a model must beat."""
    return fit_prototypes(f"raw map, {distance.name}", np.asarray, distance, "mean-map", bank)


def rt_baseline(bank: Bank) -> PrototypeClassifier:
    """RT on the raw map: one unit space for each mode, and one of the good records."""
    rows = bank.rows("train")
    maps, mode, good = np.asarray(bank.maps[rows], np.float64), bank.mode[rows], bank.good[rows]
    spaces = [_unit_space(maps[mode == code]) for code in range(len(bank.modes))]
    centre = _unit_space(maps[good]) if good.sum() >= rt.MIN_RECORDS else None
    return PrototypeClassifier(
        "raw map, rt",
        bank.modes,
        mode_distances=lambda maps: np.stack([_rt_distance(maps, space) for space in spaces], axis=1),
        good_distances=None if centre is None else lambda maps: _rt_distance(maps, centre),
    )


def _unit_space(maps: np.ndarray) -> rt.UnitSpace | None:
    return rt.fit(maps, ridge=1e-6) if len(maps) >= rt.MIN_RECORDS and np.any(maps.mean(axis=0)) else None


def _rt_distance(maps: np.ndarray, space: rt.UnitSpace | None) -> np.ndarray:
    """A mode too small for a unit space is infinitely far: RT cannot judge it."""
    return np.full(len(maps), 1e12) if space is None else rt.distance(maps, space)
