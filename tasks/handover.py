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
class Resolved:
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
class Downloaded:
    """Where the pinned files lie; `folder` is empty for the demonstration part."""

    resolved: Resolved
    folder: str


@dataclass(frozen=True)
class Stage:
    """A sealed stage folder. `facts` is its manifest; `reused` says that it was found good."""

    path: str
    digest: str
    facts: dict[str, Any] = field(repr=False)
    reused: bool


@dataclass(frozen=True)
class Cached:
    """A source in Kensa's Parquet form."""

    resolved: Resolved
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
class Outcome:
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
class Tried:
    """What came of one trial of a sweep: its candidate's number and seed, and its facts or why it failed."""

    candidate: int
    seed: int
    facts: dict[str, Any] = field(repr=False)
    failed: str | None = None

    def value(self, figure: str) -> float | None:
        """The trial's figure of that name; None where it failed, or its data does not have that figure."""
        return self.facts.get("figures", {}).get(figure)


@dataclass(frozen=True)
class Swept:
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
