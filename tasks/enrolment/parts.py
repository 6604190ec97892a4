"""The parts of a source from which a mode or a lot is enrolled."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from tasks.core.errors import CannotEnrol
from tasks.core.text import one_line
from tasks.data.readers import TableSource
from tasks.model.embeddings import Embedded
from tasks.registry.loading import LoadedRelease
from tasks.scoring.batch import ScoredBatch, ScoredRecord
from tasks.scoring.judging import score_batches

MIN_MODE_PARTS, MIN_LOT_PARTS = 5, 10
MAX_PARTS = 1000  # with more, a training serves better
MAX_NAMES = 8  # that an error lists


@dataclass(frozen=True)
class EnrolledParts:
    """n distinct parts: maps (n, values) float32, their embeddings, hash (n,) S32, group and id (n,) str.

    group and id are empty where the source has none.
    """

    maps: np.ndarray
    embedded: Embedded
    hash: np.ndarray
    group: np.ndarray
    id: np.ndarray

    def __len__(self) -> int:
        """How many parts there are."""
        return len(self.maps)


class _Records:
    """Distinct records in buckets, at most MAX_PARTS and one more in each, and counts of what the source has."""

    def __init__(self) -> None:
        self.buckets: dict[str, dict[bytes, ScoredRecord]] = {}
        self.counts: Counter[str] = Counter()

    def add(self, bucket: str, batch: ScoredBatch, i: int) -> None:
        """Keep a record once."""
        records = self.buckets.setdefault(bucket, {})
        if len(records) <= MAX_PARTS:
            records.setdefault(batch.records.hashes[i], batch.record(i))

    def parts(self, bucket: str, release: LoadedRelease) -> EnrolledParts:
        """The records of a bucket, embedded."""
        records = self.buckets.get(bucket, {})
        values = release.anchors.shape[1]
        maps = np.stack([record.map for record in records.values()]) if records else np.empty((0, values), np.float32)
        return EnrolledParts(
            maps=maps,
            embedded=release.classifier.embed(maps),
            hash=np.array([key.hex() for key in records], "S32"),
            group=np.array([record.group or "" for record in records.values()], str),
            id=np.array([record.id or "" for record in records.values()], str),
        )


def read_mode_parts(source: TableSource, release: LoadedRelease, name: str) -> EnrolledParts:
    """The parts of that mode; in a source without modes, all parts that a label calls defective.

    Raises CannotEnrol for fewer than MIN_MODE_PARTS, and what reading a source does.
    """
    records, good = _Records(), release.data.good
    for batch in score_batches(source, release):
        records.counts.update(mode for mode in batch.records.mode if mode is not None)
        for i, (mode, label) in enumerate(zip(batch.records.mode, batch.records.label, strict=True)):
            if mode == name:
                records.add("named", batch, i)
            elif mode is None and label not in (None, good):
                records.add("defective", batch, i)
    parts = records.parts("named" if records.counts else "defective", release)
    what = f"parts of the mode {one_line(name)}" if records.counts else "parts that a label calls defective"
    _require(parts, source.name, MIN_MODE_PARTS, what, records.counts)
    return parts


def read_lot_parts(source: TableSource, release: LoadedRelease, name: str | None) -> EnrolledParts:
    """The good parts of a lot; name: its group, needed only where the source has several.

    Raises CannotEnrol for fewer than MIN_LOT_PARTS, and what reading a source does.
    """
    records, lots, good = _Records(), Counter(), release.data.good
    for batch in score_batches(source, release):
        records.counts.update(label for label in batch.records.label if label is not None)
        for i, label in enumerate(batch.records.label):
            lots[batch.records.group[i] or ""] += 1
            if label == good:
                records.add(batch.records.group[i] or "", batch, i)
    if len(lots) > 1 and name not in lots:
        raise CannotEnrol(
            f"{source.name}: expected good parts of one lot, found {len(lots)} lots ({_names(lots)}); "
            "name one with --name"
        )
    parts = records.parts(name if len(lots) > 1 else next(iter(lots), ""), release)
    _require(parts, source.name, MIN_LOT_PARTS, f"good parts of the lot (label {good})", records.counts)
    return parts


def lot_name(parts: EnrolledParts, given: str | None, source: str) -> str:
    """The name that was given, the parts' group, or the source."""
    return given or next(iter(parts.group[parts.group != ""].tolist()), source)


def _require(parts: EnrolledParts, source: str, fewest: int, what: str, there: Counter[str]) -> None:
    if len(parts) < fewest:
        rest = f"; it has {_names(there)}" if there else "; it has no labels"
        raise CannotEnrol(f"{source}: expected {fewest} {what} or more, found {len(parts)}{rest}")
    if len(parts) > MAX_PARTS:
        raise CannotEnrol(f"{source}: expected at most {MAX_PARTS} {what}, found {len(parts)}; retrain on them instead")


def _names(counts: Counter[str]) -> str:
    shown = [f"{one_line(name)} {count}" for name, count in counts.most_common(MAX_NAMES)]
    return ", ".join([*shown, *(["…"] if len(counts) > MAX_NAMES else [])])
