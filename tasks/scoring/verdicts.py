"""The predictions of a release on maps: the nearest mode, an anomaly score, and the verdict that follows from both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.imaging import rt
from tasks.model.embeddings import Embedded
from tasks.registry.loading import CalibratedClassifier

VERDICTS = ("good", "defect", "unknown")


@dataclass(frozen=True)
class Predictions:
    """Predictions on n maps; every array is (n,) but for `embedded`.

    mode: code of the nearest of the release's modes; distance: to it, in the release's distance; score: larger is
    more anomalous, NaN where the release knows no good parts; verdict: one of VERDICTS; margin: threshold minus
    score, negative for what is not good; beta, sqrt_ve: RT's level and shape against the nearest mode's anchor;
    embedded: (n, d) float64.
    """

    mode: np.ndarray
    distance: np.ndarray
    score: np.ndarray
    verdict: np.ndarray
    margin: np.ndarray
    beta: np.ndarray
    sqrt_ve: np.ndarray
    embedded: np.ndarray


def predict(release: CalibratedClassifier, maps: np.ndarray) -> Predictions:
    """Predictions on finite maps (n, values), which are embedded once.

    A record is good where its score is at most the threshold. Otherwise it is a defect of the nearest mode, or
    unknown where it is farther from every mode than two records of one mode are from each other.
    """
    return predict_embedded(release, maps, release.classifier.embed(maps))


def predict_embedded(release: CalibratedClassifier, maps: np.ndarray, embedded: Embedded) -> Predictions:
    """Predictions on finite maps (n, values) that are embedded already."""
    distances = release.classifier.mode_distances(embedded)
    mode = distances.argmin(axis=1)
    distance = distances[np.arange(len(maps)), mode]
    score = release.classifier.score(embedded)
    beta, sqrt_ve = level_and_shape(maps, release.anchors, mode)
    codes = verdict_codes(score, distance, release.defect_threshold, release.mode_radius)
    return Predictions(
        mode=mode,
        distance=distance,
        score=score,
        verdict=np.array(VERDICTS)[codes],
        margin=release.defect_threshold - score,
        beta=beta,
        sqrt_ve=sqrt_ve,
        embedded=embedded.vectors,
    )


def verdict_codes(score: Any, distance: Any, defect_threshold: float, mode_radius: float, xp: Any = np) -> Any:
    """Positions in VERDICTS (n,), from scores and distances to the nearest mode; `xp` as in a distance."""
    return xp.where(score <= defect_threshold, 0, xp.where(distance > mode_radius, 2, 1))


def level_and_shape(maps: np.ndarray, anchors: np.ndarray, mode: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """RT's β (no unit) and √V_e (the map's unit), each (n,), of maps against the anchors (modes, values) of `mode`."""
    beta, sqrt_ve = np.empty(len(maps)), np.empty(len(maps))
    for code in np.unique(mode):
        rows = np.flatnonzero(mode == code)
        beta[rows], sqrt_ve[rows] = rt.coordinates(maps[rows], anchors[code]).T
    return beta, sqrt_ve
