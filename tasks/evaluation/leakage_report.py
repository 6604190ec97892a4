"""The leakage report as records: what `report.json` holds of what is on both sides of the split."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from tasks.core.json_form import Json, record_of
from tasks.core.sentences import Sentence, code_of


@dataclass(frozen=True)
class Overlap:
    """How many records (by hash), groups and components are in both of two parts."""

    parts: tuple[str, str]
    records: int
    groups: int
    components: int


@dataclass(frozen=True)
class NamedGroups:
    """How many groups there are, and how many of them are in more than one part; a few of those are named."""

    count: int
    on_two_sides: int
    named: tuple[str, ...]


@dataclass(frozen=True)
class LinkedComponents:
    """The sets of records that a wide source's triplets link: `linked` of them have more than one record."""

    count: int
    largest: int
    records: int
    linked: int
    on_two_sides: int


@dataclass(frozen=True)
class Provenance:
    """Whether arrays are those made from training records alone, how far they are off, and their SHA-256."""

    equal: bool
    largest_difference: float
    digest: str


@dataclass(frozen=True, kw_only=True)
class LeakageReport:
    """What is on both sides of the split (tasks/evaluation/leakage.py).

    `leaks` are faults with which no model may be released, `cuts` groups or components that could not be kept whole.
    """

    verdict: str
    leaks: tuple[str, ...]
    cuts: tuple[str, ...]
    overlaps: tuple[Overlap, ...]
    mislabelled_hashes: int
    crossing_triplets: int
    groups: NamedGroups
    components: LinkedComponents | None
    anchors: Provenance
    prototypes: Provenance
    dropped: dict[str, int]
    split_by: str

    @classmethod
    def from_json(cls, entries: Json) -> LeakageReport:
        """The report as it is stored."""
        return replace(
            record_of(cls, entries), verdict=Sentence.from_json(entries["verdict"], entries.get("verdict_code"))
        )

    def as_json(self) -> Json:
        """The report as it is stored."""
        return asdict(self) | {"verdict_code": code_of(self.verdict)}
