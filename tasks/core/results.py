"""Small frozen records: what one step passes to the next, and how commands end. Paths and metrics, never arrays."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tasks.core.json_form import Json

if TYPE_CHECKING:
    from tasks.core.facts import CacheFacts


@dataclass(frozen=True)
class Finding:
    """The result of one check of the data. A required check that fails stops the run before training."""

    name: str
    success: bool
    required: bool
    notes: str

    @property
    def verdict(self) -> str:
        """`ok`, `warning` or `failed`."""
        if self.success:
            return "ok"
        return "failed" if self.required else "warning"


@dataclass(frozen=True)
class PinnedSource:
    """A source pinned to one revision: a Hub commit, a digest of files' contents, the demo's version.

    not_fetched: files of a Hub dataset that look like data and are no tables, as far as its listing is known; names:
    the files that were named, below the folder `location`; path: what is read of a Hub dataset, where that is not all;
    choice: the configuration and split that the source names itself, as `#config=…,part=…`; parts: of several sources,
    each; keep: the folder below which an archive is unpacked, or files of an address are fetched.
    """

    source: str
    kind: Literal["hub", "folder", "files", "archive", "address", "several", "demo"]
    location: str
    revision: str
    not_fetched: tuple[str, ...] = field(default=(), compare=False, repr=False)
    names: tuple[str, ...] = ()
    path: str = ""
    choice: str = ""
    parts: tuple[PinnedSource, ...] = ()
    keep: str = field(default="", compare=False, repr=False)

    @property
    def title(self) -> str:
        """Source and short revision, as run names show them; of several, the first one and how many more."""
        name = self.parts[0].source if self.parts else self.source
        more = f"+{len(self.parts) - 1}" if self.parts else ""
        return f"{name.rsplit('/', 1)[-1] or name}{more}@{self.revision[:7]}"

    @property
    def identity(self) -> str:
        """The revision, and what is read of it where that is not all: what names caches and runs."""
        return " ".join(filter(None, (self.revision, self.path, self.choice)))


@dataclass(frozen=True)
class DownloadedSource:
    """Where the pinned files lie; `folder` is empty for the demonstration part, and for several sources: see `parts`.

    names: the tables below the folder that are read, all of them; None where their names and the card decide.
    """

    resolved: PinnedSource
    folder: str
    names: tuple[str, ...] | None = None
    parts: tuple[DownloadedSource, ...] = ()


@dataclass(frozen=True)
class Stage:
    """A sealed stage folder. `facts` is its manifest; `reused`: it was there already, and intact."""

    path: str
    digest: str
    facts: Json = field(repr=False)
    reused: bool


@dataclass(frozen=True)
class CachedSource:
    """A source in Kensa's Parquet form. standard: the file of the photographs' standard that came with it, if any."""

    resolved: PinnedSource
    stage: Stage
    facts: CacheFacts = field(repr=False)
    standard: str | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The checks of the source, all required ones passed."""
        return self.facts.findings


@dataclass(frozen=True)
class Fold:
    """An extra training that tests the evaluation: with one mode left out, with permuted modes, or on another split.

    `name` is the mode that is left out, the number of the permutation, whose split of the triplets is replayed, or
    which set of groups of how many is tested, such as `2/5`.
    """

    kind: Literal["without", "permuted", "replay", "cross"]
    name: str

    @property
    def title(self) -> str:
        """How run names and progress show it."""
        titles = {"without": "without mode {}", "permuted": "modes permuted, {}", "replay": "the {}'s split"}
        titles["cross"] = "groups tested, {}"
        return titles[self.kind].format(self.name)


@dataclass(frozen=True)
class Epoch:
    """One line of the training log. Losses are in units of the distance, shares in 0..1.

    `val_loss`, `val_auroc`, `val_mode_accuracy`: see tasks/model/validation.py; None in the logs of earlier versions.
    """

    epoch: int
    loss: float
    val_loss: float
    active: float
    norm: float
    spread: float
    seconds: float
    val_auroc: float | None = None
    val_mode_accuracy: float | None = None


class CommandResult:
    """How a command ended: a frozen dataclass whose fields are the keys that the command prints with `--json`."""

    def as_json(self) -> Json:
        """The fields as one JSON object."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class RetrainResult(CommandResult):
    """How a retraining ended."""

    status: Literal["released", "candidate", "rejected", "unchanged"]
    release: str | None
    path: str
    train: Json
    metrics: Json
    champion: str | None
    reasons: tuple[str, ...] = ()
    test: Json | None = None
    frozen: Json | None = None
    comparison: Json | None = None

    def as_json(self) -> Json:
        """The outcome as one JSON object."""
        return {**super().as_json(), "reasons": list(self.reasons)}


@dataclass(frozen=True)
class TrialResult:
    """One trial of a sweep: its candidate's number, its seed, and its facts or the reason why it failed."""

    candidate: int
    seed: int
    facts: Json = field(repr=False)
    failed: str | None = None

    def value(self, figure: str) -> float | None:
        """The trial's metric of that name; None where the trial failed, or its data does not give that metric."""
        return self.facts.get("figures", {}).get(figure)


@dataclass(frozen=True)
class SweepResult(CommandResult):
    """A finished sweep: its folder, the numbers of trials, and the rows of its table, the best mean first."""

    path: str
    figure: str
    chosen: Json
    rows: list[Json] = field(repr=False)
    trials: int
    failed: int

    def as_json(self) -> Json:
        """The sweep as one JSON object."""
        return {**super().as_json(), "settings_file": f"{self.path}/best.toml"}


@dataclass(frozen=True)
class RecalibrateResult(CommandResult):
    """A release with another threshold: its name and parent, the threshold, its cost, and the current champion."""

    status: Literal["released", "unchanged"]
    release: str
    parent: str
    path: str
    threshold: Json
    facts: Json = field(repr=False)
    champion: str | None


@dataclass(frozen=True)
class MapsResult(CommandResult):
    """A source of maps made of photographs: its folder, records by mode, and photographs that were not registered.

    `standard` is the number of photographs of the standard, `overlap` how many of them are among the records, too.
    `unread`: images below the folder that are no photographs of parts, or of a kind that is not read.
    """

    path: str
    records: int
    modes: dict[str, int]
    unregistered: tuple[str, ...]
    standard: int
    overlap: int
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExportParity:
    """How many maps the exported file was compared on, and the allowed and the largest difference of a distance."""

    tolerance: float
    records: int
    largest_difference: float


@dataclass(frozen=True)
class ExportResult(CommandResult):
    """A release in another file format: its folder, and the result of the parity gate (scoring/export_parity.py)."""

    status: Literal["exported", "unchanged"]
    release: str
    format: str
    path: str
    parity: ExportParity


@dataclass(frozen=True)
class ReportResult(CommandResult):
    """A report that was rendered anew: of which release, the page, and its language."""

    status: Literal["rendered"]
    release: str
    path: str
    language: str


@dataclass(frozen=True)
class PushResult(CommandResult):
    """A release on the Hub: its repository, tag and commit."""

    status: Literal["pushed", "unchanged"]
    release: str
    repository: str
    tag: str
    commit: str


@dataclass(frozen=True)
class StoreResult(CommandResult):
    """A push to a store or a pull from it: which folders were copied, and the champion of both sides."""

    status: Literal["pushed", "pulled", "unchanged"]
    store: str
    folders: tuple[str, ...]
    champion: str | None


@dataclass(frozen=True)
class MetricComparison:
    """A metric of a release and of its reproduction, and whether that lies within the release's interval."""

    release: float
    again: float
    interval: tuple[float, float]
    within: bool


@dataclass(frozen=True)
class ReproduceResult(CommandResult):
    """A release trained again: whether the result is the same, and what differs, in words."""

    verdict: Literal["equal", "equivalent", "differs"]
    release: str
    weights: dict[str, str]
    figures: dict[str, MetricComparison] = field(repr=False)
    differences: tuple[str, ...] = ()
