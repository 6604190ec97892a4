"""What a soak says: of memory, disk and time the level and the slope over its last half, and their picture.

python -m bench.faults.soak_trend: the row's notes from the recorded lines, and the picture anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.faults.harness import ROOT

KEPT = ROOT / "bench" / "out" / "soak.jsonl"  # a line for each retraining, so that a run cut short is not lost
PICTURE = ROOT / "docs" / "soak.png"
Lines = list[dict[str, Any]]
# title, unit, and the figures of a panel: name, what it is called, its line
PANELS = (
    (
        "Memory of what stays up",
        "MB",
        (("server", "server", "-"), ("worker", "worker", "--"), ("receiver", "receiver", ":")),
    ),
    ("Memory of a training's process, at its peak", "MB", (("training", "training", "-"),)),
    (
        "Disk",
        "MB",
        (
            ("spare", "stages, caches, drafts", "-"),
            ("database", "database", "--"),
            ("released", "releases", ":"),
            ("hub", "the Hub's client", "-."),
        ),
    ),
    ("Time of a run", "s", (("seconds", "run", "-"),)),
)


def read(path: Path = KEPT) -> Lines:
    """The recorded lines; `spare` is what `kensa prune` may take from: all of data/ and the drafts."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [{**line, "spare": line["stages"] + line["artifacts"] - line["released"]} for line in lines]


def summary(lines: Lines) -> str:
    """The notes of the row."""
    quiet = [line for line in lines if not line["restart"]]
    last = lines[-1]
    parts = [_figure(quiet, name, called, unit) for _, unit, figures in PANELS for name, called, _ in figures]
    return (
        f"mean of the last half, its highest, and its slope a retraining: {'; '.join(parts)}; "
        f"{last['releases']} releases; {sum(bool(line['restart']) for line in lines)} restarts; "
        f"{last['locked']} times the server said that its database was locked, {last['tracebacks']} other tracebacks"
    )


def _figure(lines: Lines, name: str, called: str, unit: str) -> str:
    highest = max(line[name] for line in half(lines))
    return f"{called} {level(lines, name):.1f} {unit}, {highest:.1f}, {slope(lines, name):+.2f}"


def half(lines: Lines) -> Lines:
    """The last half."""
    return lines[len(lines) // 2 :]


def level(lines: Lines, name: str) -> float:
    """A figure's mean over the last half."""
    return float(np.mean([line[name] for line in half(lines)]))


def slope(lines: Lines, name: str) -> float:
    """By how much a figure grows with each retraining: a least-squares line over the last half."""
    if len(half(lines)) < 3:
        return float("nan")
    return float(np.polyfit([line["number"] for line in half(lines)], [line[name] for line in half(lines)], 1)[0])


def draw(lines: Lines, path: Path = PICTURE) -> None:
    """The picture: a panel for each kind of figure, a thin line where something was restarted."""
    figure = Figure((9, 6.4), layout="constrained")
    quiet = [line for line in lines if not line["restart"]]
    for axes, (title, unit, figures) in zip(figure.subplots(2, 2, sharex=True).flat, PANELS, strict=True):
        _panel(axes, lines, quiet if unit == "s" else lines, figures)
        axes.set_title(title)
        axes.set_ylabel(unit)
    for axes in figure.axes[-2:]:
        axes.set_xlabel("retraining")
    figure.savefig(path, dpi=110)


def _panel(axes: Axes, lines: Lines, rows: Lines, figures: tuple[tuple[str, str, str], ...]) -> None:
    for line in lines:
        if line["restart"]:
            axes.axvline(line["number"], color="0.8", lw=0.8)
    for name, called, dashes in figures:
        axes.plot([line["number"] for line in rows], [line[name] for line in rows], dashes, label=called)
    many = len(figures) > 1
    axes.set_ylim(0, axes.get_ylim()[1] * (1.3 if many else 1.1))
    if many:
        axes.legend(loc="upper center", ncols=2, frameon=False)


if __name__ == "__main__":
    print(summary(read()))
    draw(read())
