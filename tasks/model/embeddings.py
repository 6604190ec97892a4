"""Embeddings of maps: an encoder's vectors beside the maps' peaks, and a bank whose records are embedded once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tasks.data.bank import Bank
from tasks.data.split import PARTS
from tasks.model.fused_score import peak

MAX_BATCH = 1024  # maps that a tower embeds at once

Encoder = Callable[[np.ndarray], np.ndarray]  # maps (n, values) to vectors (n, d)


@dataclass(frozen=True)
class Embedded:
    """n embedded maps: vectors (n, d), and peaks (n,) float64, the largest deviation of each raw map from zero."""

    vectors: np.ndarray
    peaks: np.ndarray

    def __len__(self) -> int:
        """How many maps there are."""
        return len(self.peaks)

    def take(self, rows: np.ndarray) -> Embedded:
        """The maps at `rows`: codes (k,) or a mask (n,)."""
        return Embedded(self.vectors[rows], self.peaks[rows])


def embed(encoder: Encoder, maps: np.ndarray) -> Embedded:
    """Maps (n, values) as an encoder sees them, and their peaks."""
    maps = np.asarray(maps)
    return Embedded(encoder(maps), peak(maps))


def make_encoder(tower: Any) -> Encoder:
    """A Keras tower as a function from maps (n, values) to embeddings (n, d) in float64.

    `predict_on_batch` takes half the time of `predict`, which prepares a data set each time. The last batch is
    filled up to a power of two, so that a tower is compiled for a few sizes and not for each.
    """

    def encode_batch(maps: np.ndarray) -> np.ndarray:
        size = 1 << max(len(maps) - 1, 0).bit_length()
        padded = np.concatenate([maps, np.zeros((size - len(maps), *maps.shape[1:]), maps.dtype)])
        return np.asarray(tower.predict_on_batch(padded), np.float64)[: len(maps)]

    def encode(maps: np.ndarray) -> np.ndarray:
        maps = np.asarray(maps)
        if not len(maps):
            return np.empty((0, tower.output_shape[-1]))
        starts = range(0, len(maps), MAX_BATCH)
        return np.concatenate([encode_batch(maps[start : start + MAX_BATCH]) for start in starts])

    return encode


@dataclass(frozen=True)
class EmbeddedBank:
    """A bank and the embeddings of its records; each part is embedded once, when it is first asked for.

    `parts` holds the embeddings of the parts that were asked for, in the order of `bank.rows(part)`.
    """

    encoder: Encoder
    bank: Bank
    parts: dict[str, Embedded] = field(default_factory=dict, repr=False)

    def part(self, name: str) -> Embedded:
        """The records of one part, in the order of `bank.rows(name)`."""
        if name not in self.parts:
            self.parts[name] = embed(self.encoder, self.bank.maps[self.bank.rows(name)])
        return self.parts[name]

    def of_parts(self, names: Iterable[str]) -> Embedded:
        """The records of some parts, one part after the other."""
        parts = [self.part(name) for name in names]
        vectors, peaks = zip(*((part.vectors, part.peaks) for part in parts), strict=True)
        return Embedded(np.concatenate(vectors), np.concatenate(peaks))

    def all(self) -> Embedded:
        """Every record, in the order of a bank in which each has a part."""
        return self.of_parts(PARTS).take(np.argsort(np.concatenate([self.bank.rows(name) for name in PARTS])))
