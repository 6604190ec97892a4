"""The small frozen records that one step hands to the next: paths, digests, figures, never arrays."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Finding:
    """What one check of the data saw. A required one that fails stops the run before training."""

    name: str
    success: bool
    required: bool
    notes: str

    @property
    def verdict(self) -> str:
        """`ok`, `warning` or `failed`."""
        return "ok" if self.success else "failed" if self.required else "warning"


@dataclass(frozen=True)
class PinnedSource:
    """A source pinned to one revision: a Hub commit, a folder's content digest, the demo's version."""

    source: str
    kind: Literal["hub", "folder", "demo"]
    location: str
    revision: str

    @property
    def title(self) -> str:
        """Source and short revision, as run names show them."""
        return f"{self.source.rsplit('/', 1)[-1] or self.source}@{self.revision[:7]}"


@dataclass(frozen=True)
class DownloadedSource:
    """Where the pinned files lie; `folder` is empty for the demonstration part."""

    resolved: PinnedSource
    folder: str


@dataclass(frozen=True)
class Stage:
    """A sealed stage folder. `facts` is its manifest; `reused` says that it was found good."""

    path: str
    digest: str
    facts: dict[str, Any] = field(repr=False)
    reused: bool


@dataclass(frozen=True)
class CachedSource:
    """A source in Kensa's Parquet form."""

    resolved: PinnedSource
    stage: Stage
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Fold:
    """A training that is made to judge the judgement: without a mode, or with the modes dealt out anew.

    `name` is the mode that is left out, or the number of the permutation.
    """

    kind: Literal["without", "permuted"]
    name: str

    @property
    def title(self) -> str:
        """How run names and progress show it."""
        return f"without mode {self.name}" if self.kind == "without" else f"modes permuted, {self.name}"


@dataclass(frozen=True)
class Epoch:
    """One line of the training log. Losses are in units of the distance, shares in 0..1."""

    epoch: int
    loss: float
    val_loss: float
    active: float
    norm: float
    spread: float
    seconds: float


@dataclass(frozen=True)
class RetrainResult:
    """How a retraining ended; `as_json` is what `kensa retrain --json` prints."""

    status: Literal["released", "rejected", "unchanged"]
    release: str | None
    path: str
    train: dict[str, Any]
    metrics: dict[str, Any]
    champion: str | None
    reasons: tuple[str, ...] = ()
    test: dict[str, Any] | None = None
    frozen: dict[str, Any] | None = None
    comparison: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """The outcome as one JSON object."""
        return {
            "status": self.status,
            "release": self.release,
            "path": self.path,
            "train": self.train,
            "test": self.test,
            "metrics": self.metrics,
            "champion": self.champion,
            "reasons": list(self.reasons),
            "frozen": self.frozen,
            "comparison": self.comparison,
        }


@dataclass(frozen=True)
class TrialResult:
    """What came of one trial of a sweep: its candidate's number and seed, and its facts or why it failed."""

    candidate: int
    seed: int
    facts: dict[str, Any] = field(repr=False)
    failed: str | None = None

    def value(self, figure: str) -> float | None:
        """The trial's figure of that name; None where it failed, or its data does not have that figure."""
        return self.facts.get("figures", {}).get(figure)


@dataclass(frozen=True)
class SweepResult:
    """A sweep that has ended: its folder, how its trials ended, and the table's rows, the best mean first."""

    path: str
    figure: str
    chosen: dict[str, Any]
    rows: list[dict[str, Any]] = field(repr=False)
    trials: int
    failed: int

    def as_json(self) -> dict[str, Any]:
        """The sweep as one JSON object."""
        return {**dataclasses.asdict(self), "settings_file": f"{self.path}/best.toml"}


@dataclass(frozen=True)
class ScoreResult:
    """Verdicts on a source: the file, how many records are good, defect and unknown, and what they are worth.

    `figures` are those of tasks/scoring/accuracy.py, None where the records have no labels; `flips` what another
    release says otherwise, and `page` the page for people, each None where it was not asked for.
    """

    source: str
    revision: str
    release: str
    path: str
    counts: dict[str, int]
    figures: dict[str, Any] | None = field(default=None, repr=False)
    flips: dict[str, Any] | None = field(default=None, repr=False)
    page: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The verdicts' summary as one JSON object."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class RecalibrateResult:
    """A release with another threshold: its name and parent, the threshold, what it costs, and today's champion."""

    status: Literal["released", "unchanged"]
    release: str
    parent: str
    path: str
    threshold: dict[str, Any]
    facts: dict[str, Any] = field(repr=False)
    champion: str | None

    def as_json(self) -> dict[str, Any]:
        """The release as one JSON object."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class DriftResult:
    """What came of comparing new parts with a release's reference.

    `standing` is the verdict; `charts` the control charts without their points, the clearest first; `cells` what
    the test of each cell found, None where maps were too few; `mix` the shares of the verdicts then and now.
    """

    source: str
    revision: str
    release: str
    standing: Literal["steady", "watch", "drifted"]
    records: int
    charts: list[dict[str, Any]] = field(repr=False)
    cells: dict[str, Any] | None = field(repr=False)
    mix: dict[str, Any] = field(repr=False)
    page: str = ""

    @property
    def clear(self) -> list[dict[str, Any]]:
        """The charts that drifted for sure."""
        return [chart for chart in self.charts if chart["p"] <= 0.05]

    def as_json(self) -> dict[str, Any]:
        """The comparison as one JSON object."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class MapsResult:
    """Photographs turned into a source of maps: its folder, records by mode, those that could not be registered."""

    path: str
    records: int
    modes: dict[str, int]
    unregistered: tuple[str, ...]
    standard: int
    overlap: int

    def as_json(self) -> dict[str, Any]:
        """The source as one JSON object."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class ExportResult:
    """A release as a file of another kind: where it lies, and what the parity gate found.

    See tasks/scoring/export_parity.py.
    """

    status: Literal["exported", "unchanged"]
    release: str
    format: str
    path: str
    parity: dict[str, Any]


@dataclass(frozen=True)
class PushResult:
    """A release on the Hub: its repository, tag and commit."""

    status: Literal["pushed", "unchanged"]
    release: str
    repository: str
    tag: str
    commit: str


@dataclass(frozen=True)
class StoreResult:
    """What a store and the folders here have in common now: which folders went, and the champion of both."""

    status: Literal["pushed", "pulled", "unchanged"]
    store: str
    folders: tuple[str, ...]
    champion: str | None


@dataclass(frozen=True)
class ReproduceResult:
    """A release trained anew: whether it is the same, and what differs, in words."""

    verdict: Literal["equal", "equivalent", "differs"]
    release: str
    weights: dict[str, str]
    figures: dict[str, dict[str, Any]] = field(repr=False)
    differences: tuple[str, ...] = ()
