"""Classifiers without a network: prototypes of the raw maps."""

from __future__ import annotations

import numpy as np

from tasks.data.bank import Bank
from tasks.model.classifier import PrototypeClassifier, fit_prototypes
from tasks.model.distances import Distance, distance
from tasks.model.embeddings import EmbeddedBank

EUCLIDEAN = distance("euclidean")


def embedded_prototypes(bank: Bank, measure: Distance = EUCLIDEAN) -> tuple[PrototypeClassifier, EmbeddedBank]:
    """A classifier of the raw maps, and the bank as it embeds it."""
    records = EmbeddedBank(lambda maps: np.asarray(maps, float), bank)
    return fit_prototypes("plain", records, measure, "mean-embedding"), records
