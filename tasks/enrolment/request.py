"""What a release is to learn without training, and what came of it.

The keys of the JSON form are a promise to whoever reads `kensa enrol --json`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tasks.core.errors import BadSetting
from tasks.core.json_form import Json
from tasks.core.results import CommandResult


@dataclass(frozen=True)
class EnrolRequest:
    """What a release is to learn without training.

    kind: a new mode, or a lot; name: the mode's, or the lot's group (by default the source's only one). margin: the
    share of the parent's verdicts that may change; recall: the share of a mode's parts that must be nearest to it when
    left out. config, part, good: as in a ScoreRequest.
    """

    kind: Literal["mode", "lot"]
    name: str | None = None
    margin: float = 0.05
    recall: float = 0.8
    config: str | None = None
    part: str | None = None
    good: str | None = None

    def __post_init__(self) -> None:
        """Raise BadSetting for a mode without a name, and for shares out of bounds."""
        if self.kind == "mode" and not (self.name or "").strip():
            raise BadSetting("--name: expected the name of the new mode, found none")
        for option in ("margin", "recall"):
            if not 0 < getattr(self, option) <= 1:
                value = getattr(self, option)
                raise BadSetting(f"--{option}: expected a share between 0 and 1 such as 0.05, found {value:g}")


@dataclass(frozen=True)
class EnrolResult(CommandResult):
    """A release that learnt a mode or a lot: its name and parent, what it learnt, what that does, and the champion."""

    status: Literal["released", "candidate", "unchanged"]
    release: str
    parent: str
    path: str
    kind: Literal["mode", "lot"]
    name: str
    facts: Json = field(repr=False)
    champion: str | None
