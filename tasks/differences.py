"""What the challenger has over the champion, as the report draws it: a line for each figure and each mode."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tasks.config import Gate
from tasks.gate import falls
from tasks.standing import COMPARED

MOST = 16  # lines of a picture; where modes are more, those that fell and those that rose most

Entry = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """One difference: its entry, the places of dot and interval in per cent of the axis, and whether it vetoes."""

    who: str
    entry: Entry
    place: float
    ends: tuple[float, float] | None
    vetoes: bool


@dataclass(frozen=True)
class Axis:
    """Lines on one axis with zero in its middle; `asked` is the place that an interval or a fall is held to."""

    lines: list[Line]
    ticks: list[tuple[str, float]]
    asked: float
    hidden: int


def differences(comparison: dict[str, Any] | None, settings: dict[str, Any]) -> dict[str, Any] | None:
    """`figures` and `modes`, an axis each, and the title of the figure that `decides`; None without a comparison."""
    if comparison is None or comparison["impossible"]:
        return None
    gate, figures = Gate(**settings), comparison["figures"]
    short = not figures[gate.figure]["interval"][0] > gate.least_gain
    of_figures = [(COMPARED[name][0], entry, short and name == gate.figure) for name, entry in figures.items()]
    by_fall = sorted(comparison["modes"].items(), key=lambda named: named[1]["difference"])
    of_modes = [(mode, entry, falls(entry, gate.mode_margin)) for mode, entry in by_fall]
    few = comparison["few"]
    pooled = [("these few, together", few, falls(few, gate.mode_margin))] if few else []
    return {
        "decides": COMPARED[gate.figure][0],
        "figures": _axis(of_figures, [], gate.least_gain),
        "modes": _axis(of_modes, pooled, -gate.mode_margin),
    }


def _axis(lines: list[tuple[str, Entry, bool]], more: list[tuple[str, Entry, bool]], asked: float) -> Axis:
    half = MOST // 2
    shown = [*(lines if len(lines) <= MOST else [*lines[:half], *lines[-half:]]), *more]
    edges = [abs(edge) for _, entry, _ in shown for edge in (entry["difference"], *(entry["interval"] or ()))]
    reach = _round_up(max([*edges, abs(asked)]))

    def place(value: float) -> float:
        return round(50 + 50 * value / reach, 2)

    def line(who: str, entry: Entry, vetoes: bool) -> Line:
        ends = entry["interval"] and (place(entry["interval"][0]), place(entry["interval"][1]))
        return Line(who, entry, place(entry["difference"]), ends, vetoes)

    ticks = [(f"{tick:+.3g}" if tick else "0", place(tick)) for tick in (-reach, 0.0, reach)]
    return Axis([line(*one) for one in shown], ticks, place(asked), len(lines) + len(more) - len(shown))


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, … thousandths, one whole at most."""
    if value <= 0.001:
        return 0.001
    size = 10.0 ** math.floor(math.log10(value))
    return min(1.0, next(step * size for step in (1, 2, 5, 10) if value <= step * size * (1 + 1e-9)))
