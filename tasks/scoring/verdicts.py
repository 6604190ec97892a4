"""What a release says of maps: the nearest mode, how odd the part is, and the verdict that follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.imaging import rt
from tasks.model.fused_score import peak
from tasks.registry.loading import CalibratedClassifier

VERDICTS = ("good", "defect", "unknown")


@dataclass(frozen=True)
class Predictions:
    """Of n maps, each (n,) but the embeddings.

    mode: code of the nearest of the release's modes; distance: to it, in the release's own; score: larger
    is more anomalous, NaN where the release knows no good parts; verdict: text of VERDICTS; margin:
    threshold minus score, below zero for what is not good; beta, sqrt_ve: RT's level and shape against
    the nearest mode's anchor; embedded (n, d) float64.
    """

    mode: np.ndarray
    distance: np.ndarray
    score: np.ndarray
    verdict: np.ndarray
    margin: np.ndarray
    beta: np.ndarray
    sqrt_ve: np.ndarray
    embedded: np.ndarray


def predict(opened: CalibratedClassifier, maps: np.ndarray) -> Predictions:
    """The verdicts on finite maps (n, values).

    Good is what scores at or below the threshold; the others are of the nearest mode (defect), or of none
    that is known (unknown): farther from every mode than two records of one mode lie apart.
    """
    judge = opened.judge
    embedded = judge.embed(maps)
    distances = judge.distance.to_prototypes(embedded, judge.prototypes)
    nearest = distances.argmin(axis=1)
    near = distances[np.arange(len(maps)), nearest]
    score = anomaly_score(opened, embedded, maps)
    beta, sqrt_ve = level_and_shape(maps, opened.anchors, nearest)
    verdict = np.array(VERDICTS)[verdict_codes(score, near, opened.defect_threshold, opened.mode_radius)]
    return Predictions(nearest, near, score, verdict, opened.defect_threshold - score, beta, sqrt_ve, embedded)


def verdict_codes(score: Any, near: Any, cut: float, reach: float, xp: Any = np) -> Any:
    """The verdicts as places in VERDICTS (n,), from scores and distances to the nearest mode; `xp` as in a distance."""
    return xp.where(score <= cut, 0, xp.where(near > reach, 2, 1))


def anomaly_score(opened: CalibratedClassifier, embedded: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """The release's one score (n,), from embeddings that are there already."""
    judge = opened.judge
    if judge.good is None:
        return np.full(len(maps), np.nan)
    distance = judge.distance.to_prototypes(embedded, judge.good)[:, 0]
    return judge.fusion(distance, peak(maps)) if judge.fused else distance


def level_and_shape(maps: np.ndarray, anchors: np.ndarray, nearest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """RT's β (no unit) and √V_e (the map's unit), each (n,), of maps against their modes' anchors (modes, values)."""
    beta, sqrt_ve = np.empty(len(maps)), np.empty(len(maps))
    for code in np.unique(nearest):
        rows = np.flatnonzero(nearest == code)
        beta[rows], sqrt_ve[rows] = rt.coordinates(maps[rows], anchors[code]).T
    return beta, sqrt_ve
