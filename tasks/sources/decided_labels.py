"""Labels that people decided: a table beside a source's own, which corrects its records and adds parts.

    .kensa/labels.parquet   record (hash), map, label, mode, group, part (its name), picked (chosen or random),
                            new (not a record of the source), by, when, was_label, was_mode

It lies in the folder or dataset of the source. Its name is hidden, so that whatever else reads the dataset sees the
source alone. A record is known by its map. The source's own tables are never changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.config.run import DataConfig
from tasks.core.errors import UnreadableSource
from tasks.core.json_form import Json
from tasks.core.text import one_line
from tasks.data.decode import DecodedBlock
from tasks.data.listing import DECIDED_FILE
from tasks.data.schema import MapBlock

CHOSEN, RANDOM, NEW_CHOSEN, NEW_RANDOM = 1, 2, 3, 4  # how a record came to be decided; 0: it was not
TEXTS = ("record", "label", "mode", "group", "part", "picked", "by", "when", "was_label", "was_mode")
SCHEMA = pa.schema([*((name, pa.string()) for name in TEXTS), ("new", pa.bool_()), ("map", pa.list_(pa.float32()))])


@dataclass(frozen=True)
class DecidedLabel:
    """One decision: the label and mode of the record with this map (values,) float32.

    picked: `chosen` by what a model said of it, or `random`; new: the source has no such record; when: UTC.
    """

    map: np.ndarray
    label: str
    mode: str
    picked: str
    new: bool
    by: str
    when: str
    group: str | None = None
    part: str | None = None
    was_label: str | None = None
    was_mode: str | None = None

    @property
    def key(self) -> bytes:
        """The hash by which a record is known."""
        return hashlib.blake2b(np.ascontiguousarray(self.map, np.float32), digest_size=16).digest()

    @property
    def code(self) -> int:
        """CHOSEN, RANDOM, NEW_CHOSEN or NEW_RANDOM."""
        return (RANDOM if self.picked == "random" else CHOSEN) + (2 if self.new else 0)


def read_decided(path: Path) -> list[DecidedLabel]:
    """The decisions of a table, in its order; none where there is no file. Raises UnreadableSource."""
    if not path.is_file():
        return []
    try:
        rows = pq.read_table(path).to_pylist()
        decided = [_from_row(row) for row in rows]
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableSource(
            f"{path}: expected the labels that people decided, found another content ({one_line(error)}); restore it"
        ) from None
    for row, label in zip(rows, decided, strict=True):
        if label.key.hex() != row["record"]:
            raise UnreadableSource(
                f"{path}: the map of record {str(row['record'])[:10]} is not the one that was decided; restore it"
            )
    return decided


def _from_row(row: Json) -> DecidedLabel:
    values = {name: row[name] for name in DecidedLabel.__dataclass_fields__}
    if values["label"] is None or values["mode"] is None or values["picked"] not in ("chosen", "random"):
        raise ValueError("a decision without label, mode or how it was picked")
    return DecidedLabel(**{**values, "map": np.array(row["map"], np.float32)})


def write_decided(path: Path, decided: Sequence[DecidedLabel]) -> None:
    """Write the table into an existing folder; the caller puts it in place."""
    columns = {name: [getattr(label, name) for label in decided] for name in SCHEMA.names if name not in ("record",)}
    columns["map"] = [label.map.tolist() for label in decided]
    columns["record"] = [label.key.hex() for label in decided]
    pq.write_table(pa.table({name: columns[name] for name in SCHEMA.names}, SCHEMA), path)


def merge_decided(before: Sequence[DecidedLabel], after: Sequence[DecidedLabel]) -> list[DecidedLabel]:
    """Both, each record once: the later decision stands, and what the source said first is kept."""
    merged = {label.key: label for label in before}
    for label in after:
        first = merged.pop(label.key, None)
        kept = first and {"was_label": first.was_label, "was_mode": first.was_mode, "new": first.new}
        merged[label.key] = replace(label, **kept) if kept else label
    return list(merged.values())


@dataclass
class LabelOverlay:
    """Corrects the blocks of a source as they stream by, and counts; `adds`: whether parts are added, too."""

    decided: dict[bytes, DecidedLabel]
    adds: bool = True
    seen: set[bytes] = field(default_factory=set)
    changed: set[bytes] = field(default_factory=set)

    @classmethod
    def read(cls, folders: Sequence[Path], data: DataConfig, adds: bool) -> LabelOverlay:
        """Those of the folders of a source. Raises UnreadableSource for maps of another size, too."""
        decided = {label.key: label for folder in folders for label in read_decided(folder / DECIDED_FILE)}
        values = data.rows * data.cols
        if wrong := next((len(label.map) for label in decided.values() if len(label.map) != values), None):
            raise UnreadableSource(
                f"{DECIDED_FILE}: expected maps of {values} values, as the source has, found {wrong}; restore it"
            )
        return cls(decided, adds)

    def relabel(self, block: DecodedBlock) -> DecodedBlock:
        """The block with what people decided in place of what the source says."""
        if not self.decided or block.block.role != "record":
            return block
        label, mode = list(block.label), list(block.mode)
        for i, key in enumerate(block.hashes):
            if (one := self.decided.get(key)) is not None:
                self.seen.add(key)
                if (label[i], mode[i]) != (one.label, one.mode):
                    self.changed.add(key)
                label[i], mode[i] = one.label, one.mode
        return replace(block, label=label, mode=mode)

    def additions(self) -> DecodedBlock | None:
        """The decided parts that the source does not have, after all of its blocks; None where there is none."""
        new = [one for key, one in self.decided.items() if one.new and key not in self.seen]
        if not new or not self.adds:
            return None
        texts = [[getattr(one, name) for one in new] for name in ("label", "mode", "group")]
        block = MapBlock("record", "map", "fmode", "label", "group")
        maps = np.stack([one.map for one in new])
        return DecodedBlock(block, maps, *texts, wrong_size=np.zeros(len(new), bool), id=[one.part for one in new])

    def codes(self) -> dict[str, int]:
        """How each decided record of the source, or added to it, was picked, by its hash in hex."""
        return {
            key.hex(): one.code if key not in self.seen else one.code - 2 * one.new
            for key, one in self.decided.items()
            if key in self.seen or (one.new and self.adds)
        }

    def summary(self) -> Json | None:
        """How many records people relabelled and confirmed, how many parts they added, and how many people they are."""
        if not self.decided:
            return None
        added = sum(one.new and key not in self.seen for key, one in self.decided.items()) if self.adds else 0
        counts = {"changed": len(self.changed), "confirmed": len(self.seen - self.changed), "added": added}
        return {**counts, "people": len({one.by for one in self.decided.values()})}
