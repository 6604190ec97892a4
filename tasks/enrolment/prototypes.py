"""Prototypes of a few parts in a release's embedding: of all of them, and without each in turn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tasks.enrolment.parts import EnrolledParts
from tasks.model.classifier import PrototypeClassifier
from tasks.model.distances import Prototype


def prototype_of(classifier: PrototypeClassifier, kind: str, parts: EnrolledParts) -> Prototype:
    """The parts' prototype, arrays with one row; kind: `mean-map` or `mean-embedding`, as the release's own."""
    if kind == "mean-map":
        return {"mean": classifier.encoder(parts.maps.mean(axis=0, keepdims=True))}
    return _stacked(classifier, [np.arange(len(parts))], parts)


def prototypes_left_out(classifier: PrototypeClassifier, kind: str, parts: EnrolledParts) -> Prototype:
    """The prototypes of all parts but one, arrays with n rows: the i-th is without the i-th part."""
    if kind == "mean-map":
        means = (parts.maps.sum(axis=0) - parts.maps) / (len(parts) - 1)
        return {"mean": classifier.encoder(means.astype(np.float32))}
    return _stacked(classifier, [np.delete(np.arange(len(parts)), i) for i in range(len(parts))], parts)


def _stacked(classifier: PrototypeClassifier, groups: list[np.ndarray], parts: EnrolledParts) -> Prototype:
    """One row for each group of rows (k,), not smoothed towards other modes."""
    vectors = parts.embedded.vectors
    prototypes = [classifier.distance.prototype(np.asarray(vectors[rows], np.float64)) for rows in groups]
    return {name: np.stack([prototype[name] for prototype in prototypes]) for name in prototypes[0]}


def smoothed(classifier: PrototypeClassifier, prototypes: Prototype) -> Prototype:
    """The prototypes of a new mode, smoothed towards those of the release's modes, as these were."""
    return classifier.distance.pooled(prototypes, classifier.prototypes)


def with_mode(classifier: PrototypeClassifier, name: str, prototype: Prototype) -> PrototypeClassifier:
    """The classifier with one mode more, the last; the prototypes of the others stay as they are."""
    prototypes = {key: np.concatenate([value, prototype[key]]) for key, value in classifier.prototypes.items()}
    return replace(classifier, modes=[*classifier.modes, name], prototypes=prototypes)


def blended(good: Prototype, lot: Prototype, weight: float) -> Prototype:
    """A lot's own prototypes (n rows) drawn towards the release's (one row); weight: 0..1, that of the lot's own."""
    return {name: (1 - weight) * value + weight * lot[name] for name, value in good.items()}
