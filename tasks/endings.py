"""How a command on releases and new parts ended: small frozen records, printed as they are."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Scored:
    """Verdicts on a source: the file, how many records are good, defect and unknown, and what they are worth.

    `figures` are those of tasks/labelled.py, None where the records have no labels; `flips` what another
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
class Recalibrated:
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
class Drifted:
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
class Mapped:
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
class Exported:
    """A release as a file of another kind: where it lies, and what the parity gate found (tasks/parity.py)."""

    status: Literal["exported", "unchanged"]
    release: str
    format: str
    path: str
    parity: dict[str, Any]


@dataclass(frozen=True)
class Pushed:
    """A release on the Hub: its repository, tag and commit."""

    status: Literal["pushed", "unchanged"]
    release: str
    repository: str
    tag: str
    commit: str


@dataclass(frozen=True)
class Stored:
    """What a store and the folders here have in common now: which folders went, and the champion of both."""

    status: Literal["pushed", "pulled", "unchanged"]
    store: str
    folders: tuple[str, ...]
    champion: str | None


@dataclass(frozen=True)
class Reproduced:
    """A release trained anew: whether it is the same, and what differs, in words."""

    verdict: Literal["equal", "equivalent", "differs"]
    release: str
    weights: dict[str, str]
    figures: dict[str, dict[str, Any]] = field(repr=False)
    differences: tuple[str, ...] = ()
