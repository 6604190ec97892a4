"""Nearest-prototype classifiers: an encoder, one distance, and the prototypes of the modes and of good parts.

A map is embedded once, by `embed`; everything else is computed from the embeddings. A trained tower, an untrained
one, the raw map and the champion are all evaluated through this one contract, `Classifier`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, get_args

import numpy as np

from tasks.data.bank import Bank
from tasks.imaging import rt
from tasks.model.distances import Distance, Prototype
from tasks.model.embeddings import Embedded, EmbeddedBank, Encoder, embed
from tasks.model.fused_score import Fusion

ScoreKind = Literal["distance", "fused", "patches"]  # of evaluate.score
SCORE_KINDS = get_args(ScoreKind)
NO_UNIT_SPACE_DISTANCE = 1e12  # from a mode with too few records for a unit space: RT cannot classify it


class Classifier(Protocol):
    """Distances of embedded maps to each mode and to good parts; a smaller distance means more alike."""

    name: str
    modes: list[str]

    @property
    def knows_good(self) -> bool:
        """Whether there were good training records, so that there is a distance to good."""

    def embed(self, maps: np.ndarray) -> Embedded:
        """Embeds maps (n, values)."""

    def mode_distances(self, embedded: Embedded) -> np.ndarray:
        """Distances (n, modes) of n records to the prototypes of the modes."""

    def good_distances(self, embedded: Embedded) -> np.ndarray:
        """Distances (n,) of n records to the good prototype; NaN where there is none."""

    def score(self, embedded: Embedded) -> np.ndarray:
        """The anomaly score (n,) that thresholds, evaluation and verdicts use; larger is more anomalous."""


@dataclass(frozen=True)
class PrototypeClassifier:
    """Classifies by the distances to prototypes in the embedding.

    prototypes: arrays with a row for each mode; good: the same with one row, None where there were no good training
    records; fusion: the reference records of the fused score; score_kind: one of SCORE_KINDS, what the score is.
    """

    name: str
    modes: list[str]
    encoder: Encoder
    distance: Distance
    prototypes: Prototype
    good: Prototype | None = None
    fusion: Fusion | None = None
    score_kind: ScoreKind = "distance"

    @property
    def knows_good(self) -> bool:
        """Whether there is a good prototype."""
        return self.good is not None

    @property
    def unit(self) -> str:
        """What the score is measured in: the distance's name, or that it is fused, and how."""
        name = self.distance.name
        values = {"fused": f"{name} and peak", "patches": f"{name} and patches"}.get(self.score_kind)
        return name if values is None else f"{self.fusion.form} of {values}"

    def embed(self, maps: np.ndarray) -> Embedded:
        """Embeds maps (n, values)."""
        return embed(self.encoder, maps)

    def mode_distances(self, embedded: Embedded) -> np.ndarray:
        """Distances (n, modes) of n records to the prototypes of the modes."""
        return self.distance.to_prototypes(embedded.vectors, self.prototypes)

    def good_distances(self, embedded: Embedded) -> np.ndarray:
        """Distances (n,) of n records to the good prototype; NaN where there is none."""
        if self.good is None:
            return np.full(len(embedded), np.nan)
        return self.distance.to_prototypes(embedded.vectors, self.good)[:, 0]

    def pair_distances(self, embedded: Embedded, others: Embedded) -> np.ndarray:
        """Distances (n, m) of n records to m other records."""
        return self.distance.matrix(embedded.vectors, others.vectors)

    def scores(self, embedded: Embedded) -> dict[str, np.ndarray]:
        """Every score (n,) that separates good parts from defects; larger is more anomalous.

        `distance` to good, `peak` of the raw map, and, where there are reference records, `fused`, which is both in
        one, and with a memory of patches `patches`, which is distance and patches in one. Empty without a good
        prototype.
        """
        if self.good is None:
            return {}
        scores = {"distance": self.good_distances(embedded), "peak": embedded.peaks}
        if self.fusion is None:
            return scores
        scores["fused"] = self.fusion(*scores.values())
        if self.fusion.patches is not None:
            scores["patches"] = self.fusion.with_patches(scores["distance"], embedded.patches)
        return scores

    def score(self, embedded: Embedded) -> np.ndarray:
        """The one score (n,) that thresholds, evaluation and verdicts use; NaN without a good prototype."""
        return self.score_at(self.good_distances(embedded), embedded.peaks, embedded.patches)

    def score_at(self, distances: Any, peaks: Any, patches: Any, xp: Any = np) -> Any:
        """The score (n,) of records with these distances (n,) to good, peaks (n,) and patches (n,) or None.

        `xp` as in a distance.
        """
        if self.score_kind == "distance":
            return distances
        if self.score_kind == "fused":
            return self.fusion(distances, peaks, xp)
        return self.fusion.with_patches(distances, patches, xp)


@dataclass(frozen=True)
class UnitSpaceClassifier:
    """RT on the raw map: a unit space for each mode, and one of the good records; a map is its own embedding.

    A mode with too few records has no unit space, and is farther away than any other.
    """

    name: str
    modes: list[str]
    spaces: list[rt.UnitSpace | None]
    good_space: rt.UnitSpace | None

    @property
    def knows_good(self) -> bool:
        """Whether there is a unit space of good records."""
        return self.good_space is not None

    def embed(self, maps: np.ndarray) -> Embedded:
        """The maps (n, values) themselves."""
        return embed(np.asarray, maps)

    def mode_distances(self, embedded: Embedded) -> np.ndarray:
        """Distances (n, modes) of n records from the modes' unit spaces."""
        return np.stack([_rt_distance(embedded, space) for space in self.spaces], axis=1)

    def good_distances(self, embedded: Embedded) -> np.ndarray:
        """Distances (n,) of n records from the unit space of good records; NaN where there is none."""
        return np.full(len(embedded), np.nan) if self.good_space is None else _rt_distance(embedded, self.good_space)

    def score(self, embedded: Embedded) -> np.ndarray:
        """The distance (n,) to good."""
        return self.good_distances(embedded)


def _rt_distance(embedded: Embedded, space: rt.UnitSpace | None) -> np.ndarray:
    return np.full(len(embedded), NO_UNIT_SPACE_DISTANCE) if space is None else rt.distance(embedded.vectors, space)


def fit_prototypes(name: str, records: EmbeddedBank, distance: Distance, prototype: str) -> PrototypeClassifier:
    """A classifier whose prototypes come from the bank's training records alone.

    prototype: `mean-map` embeds the modes' mean maps, `mean-embedding` reduces the embeddings of their records.
    """
    bank = records.bank
    count, good = len(bank.modes), bank.good[bank.rows("train")]
    if prototype == "mean-map":
        points = {"mean": records.encoder(np.concatenate([bank.anchors, _good_mean_map(bank)]))}
    else:
        vectors, mode = records.part("train").vectors, bank.mode[bank.rows("train")]
        groups = [vectors[mode == code] for code in range(count)]
        points = distance.prototypes([*groups, *([vectors[good]] if good.any() else [])])
    modes = {key: value[:count] for key, value in points.items()}
    good_point = {key: value[count:] for key, value in points.items()} if good.any() else None
    return PrototypeClassifier(name, bank.modes, records.encoder, distance, modes, good_point)


def _good_mean_map(bank: Bank) -> np.ndarray:
    """The mean map (1, values) of the good training records; (0, values) where there are none."""
    rows = bank.rows("train")
    maps = bank.maps[rows[bank.good[rows]]]
    return maps.mean(axis=0, keepdims=True) if len(maps) else bank.anchors[:0]


def with_fused_score(classifier: PrototypeClassifier, records: EmbeddedBank, score: ScoreKind) -> PrototypeClassifier:
    """The classifier with the bank's good calibration records as reference; `score` is the one that it uses.

    Without a good prototype or reference records there is nothing to fuse, and the score stays the distance.
    """
    good = records.bank.good[records.bank.rows("calibrate")]
    if not classifier.knows_good or not good.any():
        return classifier
    reference = records.part("calibrate").take(good)
    fusion = Fusion(classifier.good_distances(reference), reference.peaks, patches=reference.patches)
    return replace(classifier, fusion=fusion, score_kind=score)


def raw_map_baseline(distance: Distance, bank: Bank) -> PrototypeClassifier:
    """The raw map itself as embedding: what a model must beat."""
    return fit_prototypes(f"raw map, {distance.name}", EmbeddedBank(np.asarray, bank), distance, "mean-map")


def rt_baseline(bank: Bank) -> UnitSpaceClassifier:
    """RT on the raw map: one unit space for each mode, and one of the good records."""
    rows = bank.rows("train")
    maps, mode, good = np.asarray(bank.maps[rows], np.float64), bank.mode[rows], bank.good[rows]
    spaces = [_unit_space(maps[mode == code]) for code in range(len(bank.modes))]
    good_space = _unit_space(maps[good]) if good.any() else None
    return UnitSpaceClassifier("raw map, rt", bank.modes, spaces, good_space)


def _unit_space(maps: np.ndarray) -> rt.UnitSpace | None:
    return rt.fit(maps, ridge=1e-6) if len(maps) >= rt.MIN_RECORDS and np.any(maps.mean(axis=0)) else None
