"""One line of the table: a kind of fault, how often it was tried, and how those tries ended."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

RECOVERED, REFUSED = "recovered", "refused"


def refusal(error: Exception) -> str:
    """The outcome of a refused input; AssertionError where the message is empty or takes more than one line."""
    assert str(error).strip(), type(error)
    assert "\n" not in str(error), str(error)
    return REFUSED


@dataclass
class Row:
    """`lost` holds what each lost try said; it must stay empty."""

    part: str
    kind: str
    seed: int | None = None
    recovered: int = 0
    refused: int = 0
    lost: list[str] = field(default_factory=list)
    seconds: float = 0.0
    notes: str = ""

    @property
    def tried(self) -> int:
        """All tries, however they ended."""
        return self.recovered + self.refused + len(self.lost)

    def count(self, ended: str) -> None:
        """Take one try: `recovered`, `refused`, or why it is lost."""
        if ended == RECOVERED:
            self.recovered += 1
        elif ended == REFUSED:
            self.refused += 1
        else:
            self.lost.append(ended)
            say(f"LOST {self.kind}: {ended}")

    def timed(self, run: Callable[[Row], None]) -> Row:
        """The row after `run` has counted into it."""
        start = time.monotonic()
        run(self)
        self.seconds = time.monotonic() - start
        say(
            f"{self.part}: {self.kind}: {self.tried} tried, {self.recovered} recovered, {self.refused} refused, "
            f"{len(self.lost)} lost, {self.seconds:.0f} s" + (f", seed {self.seed}" if self.seed is not None else "")
        )
        return self


def say(text: str) -> None:
    """One line of progress on stderr."""
    print(f"faults: {text}", file=sys.stderr, flush=True)
