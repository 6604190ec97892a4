"""The rows of the bench's table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """A row: what was done, how Kensa fares, what stands beside it, the ratio, and the goal where there is one."""

    part: str
    what: str
    ours: str
    theirs: str = ""
    ratio: float | None = None
    goal: str = ""

    def text(self) -> str:
        """As Markdown."""
        ratio = "" if self.ratio is None else f"{self.ratio:.3g} ×"
        return f"| {self.part} | {self.what} | {self.ours} | {self.theirs} | {ratio} | {self.goal} |"


def seconds(value: float) -> str:
    """Three figures of a time."""
    return f"{value * 1000:.3g} ms" if value < 0.1 else f"{value:.3g} s"


def ahead(part: str, what: str, ours: float, name: str, theirs: float, goal: str = "") -> Line:
    """How many times as fast Kensa is as what stands beside it; both in seconds."""
    return Line(part, what, seconds(ours), f"{name} {seconds(theirs)}", theirs / ours, goal)


def over(part: str, what: str, ours: float, name: str, least: float, goal: str = "", unit: str = "") -> Line:
    """How many times what is needed Kensa takes, in seconds or in a unit; less is better."""
    told = (f"{value:.0f} {unit}" if unit else seconds(value) for value in (ours, least))
    mine, needed = told
    return Line(part, f"{what} (less is better)", mine, f"{name} {needed}", ours / least, goal)
