"""Embeddings of maps: an encoder's vectors beside the maps' peaks, and a bank whose records are embedded once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tasks.data.bank import Bank
from tasks.data.split import PARTS
from tasks.model.fused_score import peak
from tasks.model.patch_memory import PatchMemory, places_model

MAX_BATCH = 1024  # maps that a tower embeds at once

Encoder = Callable[[np.ndarray], np.ndarray]  # maps (n, values) to vectors (n, d)


@dataclass(frozen=True)
class Embedded:
    """n embedded maps.

    vectors: (n, d); peaks: (n,) float64, the largest deviation of each raw map from zero; patches: (n,) float64, how
    far its strangest place lies from those of good parts, None where the encoder has no memory of them.
    """

    vectors: np.ndarray
    peaks: np.ndarray
    patches: np.ndarray | None = None

    def __len__(self) -> int:
        """How many maps there are."""
        return len(self.peaks)

    def take(self, rows: np.ndarray) -> Embedded:
        """The maps at `rows`: codes (k,) or a mask (n,)."""
        patches = None if self.patches is None else self.patches[rows]
        return Embedded(self.vectors[rows], self.peaks[rows], patches)


def embed(encoder: Encoder, maps: np.ndarray) -> Embedded:
    """Maps (n, values) as an encoder sees them, their peaks, and their patches where it has a memory."""
    maps = np.asarray(maps)
    patches = encoder.patches(maps) if isinstance(encoder, TowerEncoder) else None
    return Embedded(encoder(maps), peak(maps), patches)


@dataclass(frozen=True)
class TowerEncoder:
    """A Keras tower as a function from maps (n, values) to embeddings (n, d) in float64.

    memory: places of good parts; places: the Keras model from maps to the places that are compared with them. Both are
    None where the score does not use them.
    """

    tower: Any
    memory: PatchMemory | None = None
    places: Any = None

    def __call__(self, maps: np.ndarray) -> np.ndarray:
        """The embeddings (n, d) of maps (n, values)."""
        if not len(maps):
            return np.empty((0, self.tower.output_shape[-1]))
        return np.concatenate(list(_predict(self.tower, np.asarray(maps))))

    def patches(self, maps: np.ndarray) -> np.ndarray | None:
        """How far the strangest place of each map lies from the memory, (n,); None without a memory."""
        if self.memory is None:
            return None
        return np.concatenate([np.empty(0), *(self.memory(places) for places in _predict(self.places, maps))])


def _predict(model: Any, maps: np.ndarray) -> Iterator[np.ndarray]:
    """A Keras model's output of maps (n, values) in float64, batch by batch.

    `predict_on_batch` takes half the time of `predict`, which prepares a data set each time. The last batch is
    filled up to a power of two, so that a model is compiled for a few sizes and not for each.
    """
    for start in range(0, len(maps), MAX_BATCH):
        batch = maps[start : start + MAX_BATCH]
        size = 1 << (len(batch) - 1).bit_length()
        padded = np.concatenate([batch, np.zeros((size - len(batch), *batch.shape[1:]), batch.dtype)])
        yield np.asarray(model.predict_on_batch(padded), np.float64)[: len(batch)]


def make_encoder(tower: Any, memory: PatchMemory | None = None, plain: Any = None) -> TowerEncoder:
    """The encoder of a tower; `plain` is the tower whose layer the memory is of, without the mean over shifts."""
    places = None if memory is None else places_model(plain or tower, memory.layer)
    return TowerEncoder(tower, memory, places)


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
        patches = [part.patches for part in parts if part.patches is not None]
        return Embedded(np.concatenate(vectors), np.concatenate(peaks), np.concatenate(patches) if patches else None)

    def all(self) -> Embedded:
        """Every record, in the order of a bank in which each has a part."""
        return self.at(np.arange(len(self.bank.part)))

    def at(self, rows: np.ndarray) -> Embedded:
        """The records at `rows` (k,) of a bank in which each has a part."""
        place = np.argsort(np.concatenate([self.bank.rows(name) for name in PARTS]))
        return self.of_parts(PARTS).take(place[rows])
