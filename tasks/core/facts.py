"""The facts of stages that later steps read; their JSON is part of the stage's manifest."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from tasks.core.json_form import Json, record_of
from tasks.core.results import Finding


@dataclass(frozen=True)
class CacheFacts:
    """A cached source: its layout, its rows and distinct records, the records of each mode and label, its checks.

    decided: how many labels people `changed` and `confirmed`, how many parts they `added`, and how many `people`; None
    without any.
    """

    source_kind: str
    rows: int
    records: int
    modes: dict[str, int]
    labels: dict[str, int]
    groups: list[str]
    findings: tuple[Finding, ...]
    decided: Json | None = None

    def as_json(self) -> Json:
        """The facts as the manifest holds them."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, manifest: Json) -> CacheFacts:
        """The facts of a manifest."""
        return record_of(cls, manifest)


@dataclass(frozen=True)
class BankFacts:
    """A record bank: what is in each part of the split, and what was dropped.

    `size`: rows and columns of a map. `records`, `good` and `groups`: numbers by part; `modes`: numbers by mode and
    part. `dropped`: numbers by reason (`dropped_…`, and `test_…` for records of a test source). `triplets`: numbers by
    part (`triplets_train`, …), and of the source's triplets (`triplets_brought`, `triplets_crossing`, …).
    `brought_anchors`: how far the source's anchors are from those of the training records; None without any.
    `pooled`: where training and test source are split as one, the numbers of the test source's records, of those that
    the training source has too, and of those that would be left to test on. `decided`: as in CacheFacts, and how many
    randomly picked parts are in the test set (`random_test`) and how many decided records were left out of it, because
    they were not picked at random (`left_out`). `good_alone`: all records are good parts of one mode, so that there is
    nothing to train on.
    """

    size: tuple[int, int]
    split_by: str
    records: dict[str, int]
    modes: dict[str, dict[str, int]]
    good: dict[str, int]
    groups: dict[str, int]
    dropped: dict[str, int]
    triplets: dict[str, int]
    brought_anchors: Json | None = None
    pooled: Json | None = None
    decided: Json | None = None
    good_alone: bool | None = None

    def as_json(self) -> Json:
        """The facts as the manifest holds them."""
        rows, cols = self.size
        counts = {name: getattr(self, name) for name in ("records", "modes", "good", "groups")}
        values = {"split_by": self.split_by, **self.triplets, **counts, "values": rows * cols, "size": [rows, cols]}
        optional = {"brought_anchors": self.brought_anchors, "pooled": self.pooled, "decided": self.decided}
        optional["good_alone"] = self.good_alone
        return {**self.dropped, **values, **{name: value for name, value in optional.items() if value is not None}}

    @classmethod
    def from_json(cls, manifest: Json) -> BankFacts:
        """The facts of a manifest."""
        return cls(
            size=tuple(manifest["size"]),
            **{name: manifest[name] for name in ("split_by", "records", "modes", "good", "groups")},
            dropped={name: count for name, count in manifest.items() if name.startswith(("dropped_", "test_"))},
            triplets={name: count for name, count in manifest.items() if name.startswith("triplets_")},
            brought_anchors=manifest.get("brought_anchors"),
            pooled=manifest.get("pooled"),
            decided=manifest.get("decided"),
            good_alone=manifest.get("good_alone"),
        )


@dataclass(frozen=True)
class MapDrift:
    """A summary of a mode's maps (`of`: mean, deviation or peak) that changed: p-value, medians then and now."""

    mode: str
    of: str
    p: float
    then: float
    now: float


@dataclass(frozen=True)
class DataChanges:
    """A dataset revision against the one that the release `against` was made from.

    `added`, `removed` and `relabelled`: numbers of records; `modes`: numbers of records then and now by mode;
    `drift`: the significant tests of the maps, the smallest p first.
    """

    against: str
    revision: str
    added: int
    removed: int
    relabelled: int
    modes: dict[str, list[int]]
    drift: list[MapDrift]

    def as_json(self) -> Json:
        """The changes as reports and manifests hold them."""
        return asdict(self)
