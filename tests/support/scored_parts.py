"""Inspected parts as the batches that collectors take, with a release's predictions or with given ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from support.inspected_parts import Parts

from tasks.data.decode import DecodedBlock
from tasks.model.classifier import PrototypeClassifier
from tasks.model.distances import Distance
from tasks.model.embeddings import Encoder, embed
from tasks.model.fused_score import Fusion
from tasks.registry.loading import LoadedRelease
from tasks.scoring.batch import ScoredBatch
from tasks.scoring.verdicts import Predictions, predict


def decoded(parts: Parts) -> DecodedBlock:
    """The parts as a decoded table; an empty group is none."""
    label, mode = ([str(value) for value in values] for values in (parts.label, parts.mode))
    group = [name or None for name in parts.group.tolist()]
    return DecodedBlock(None, parts.maps, label, mode, group, np.zeros(len(parts), bool))


def scored_batches(release: LoadedRelease, parts: Parts, size: int, *others: LoadedRelease) -> Iterator[ScoredBatch]:
    """The parts in batches of `size` records with the predictions of the release and of others."""
    for start in range(0, len(parts), size):
        records = decoded(parts.take(slice(start, start + size)))
        also = {other.version: predict(other, records.maps) for other in others}
        yield ScoredBatch(start, records, predict(release, records.maps), also)


def predictions(verdict: list[str], **columns: Any) -> Predictions:
    """Predictions with these verdicts; other columns are zeros unless given."""
    zeros = {name: np.zeros(len(verdict)) for name in ("distance", "score", "margin", "beta", "sqrt_ve")}
    filled = {**zeros, "mode": np.zeros(len(verdict), int), "embedded": np.zeros((len(verdict), 1)), **columns}
    return Predictions(verdict=np.array(verdict), **{name: np.asarray(value) for name, value in filled.items()})


def with_distance(
    release: LoadedRelease, distance: Distance, fused: bool = False, encoder: Encoder | None = None
) -> LoadedRelease:
    """The release as if it had been made with another distance (and encoder): its prototypes and thresholds.

    They come from the training records that the release keeps; one record in ten is not good, two in ten are unknown.
    """
    maps, mode, good = release.gallery.maps, release.gallery.mode, release.gallery.good
    encoder, modes = encoder or release.classifier.encoder, release.classifier.modes
    embedded = embed(encoder, maps)
    groups = [*(embedded.vectors[mode == code] for code in range(len(modes))), embedded.vectors[good]]
    points = distance.prototypes(groups)
    prototypes, centre = ({name: v[rows] for name, v in points.items()} for rows in (slice(-1), slice(-1, None)))
    classifier = PrototypeClassifier("other", modes, encoder, distance, prototypes, centre)
    if fused:
        fusion = Fusion(classifier.good_distances(embedded.take(good)), embedded.take(good).peaks)
        classifier = replace(classifier, fusion=fusion, score_kind="fused")
    threshold = float(np.quantile(classifier.score(embedded.take(good)), 0.9))
    radius = float(np.quantile(classifier.mode_distances(embedded).min(axis=1), 0.8))
    values = {"good or defect": threshold, "same mode": radius}
    thresholds = {name: replace(release.thresholds[name], value=value) for name, value in values.items()}
    return replace(release, classifier=classifier, thresholds=thresholds)
