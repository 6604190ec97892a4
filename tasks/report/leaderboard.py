"""How the judged model stands against the raw map, the untrained tower and the champion, as the report shows it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tasks.config.run import GateConfig
from tasks.evaluation.gate import is_significant_drop

COMPARED_METRICS = {  # figure → title, and whether more is better
    "auroc": ("pair AUROC", True),
    "average_precision": ("average precision", True),
    "tpr_at_1_fpr": ("TPR at 1 % FPR", True),
    "tpr_at_5_fpr": ("TPR at 5 % FPR", True),
    "eer": ("equal error rate", False),
    "mode_accuracy": ("mode accuracy", True),
    "macro_mode_accuracy": ("mean over modes", True),
    "good_auroc": ("good-or-defect AUROC", True),
}


LeaderboardRow = tuple[str, float, list[float] | None]


def display_name(judge: str) -> str:
    """A judge's name as it is written: Euclid was a man, RT is an abbreviation."""
    return judge.replace(", euclidean", ", Euclidean").replace(", rt", ", RT")


def gate_metric_axis(report: dict[str, Any]) -> dict[str, Any]:
    """The figure that the gate decides by, of this model, the best raw map and the champion.

    `rows` hold who, value, interval or None, and the places of both on one axis, in per cent of its
    length; `ticks` the axis' marks and their places.
    """
    name = report["settings"]["gate"]["figure"]
    raw = {who: found[name] for who, found in report["baselines"].items() if who.startswith("raw map")}
    best = max(raw, key=raw.__getitem__)
    rows: list[LeaderboardRow] = [
        ("this model", report["figures"][name], report["figures"]["intervals"].get(name)),
        (f"best {display_name(best)}", raw[best], None),
        *_against_champion(report, name),
    ]
    lowest = min(edge for _, value, edges in rows for edge in (value, *(edges or ())))
    low = min(0.9, math.floor(lowest * 10) / 10)

    def place(value: float) -> float:
        return round(100 * (value - low) / (1 - low), 2)

    ticks = [round(low + (1 - low) * step / 2, 2) for step in range(3)]
    return {
        "figure": COMPARED_METRICS[name][0],
        "rows": [(*row, place(row[1]), row[2] and [place(edge) for edge in row[2]]) for row in rows],
        "ticks": [(f"{tick:g}", place(tick)) for tick in ticks],
    }


def _against_champion(report: dict[str, Any], name: str) -> list[LeaderboardRow]:
    """The champion, and this model on the champion's records where those are fewer than all."""
    comparison = report["comparison"]
    if comparison is None or comparison["impossible"]:
        return []
    own, other = comparison["challenger"][name], comparison["champion"][name]
    fewer = comparison["records"] != report["figures"]["records"] or abs(own - report["figures"][name]) > 5e-4
    same: list[LeaderboardRow] = [("this model, champion’s records", own, None)] if fewer else []
    return [*same, (f"champion {comparison['version']}", other, None)]


def comparison_table(figures: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The table of who reaches what: `columns`, and by name in `rows` each value and whether it is the best.

    figures: by name; a figure that a rival lacks is None.
    """
    names = [name for name in COMPARED_METRICS if any(name in found for found in figures.values())]
    best = {}
    for name in names:
        choose = max if COMPARED_METRICS[name][1] else min
        best[name] = choose(found[name] for found in figures.values() if name in found)
    rows = {
        display_name(who): [(found.get(name), found.get(name) == best[name]) for name in names]
        for who, found in figures.items()
    }
    return {"columns": [COMPARED_METRICS[name][0] for name in names], "rows": rows}


def champion_table(comparison: dict[str, Any] | None) -> dict[str, Any] | None:
    """The same table of champion and challenger on the same records; None without a comparison."""
    if comparison is None or comparison["impossible"]:
        return None
    champion = f"champion {comparison['version']}"
    return comparison_table({champion: comparison["champion"], "this model": comparison["challenger"]})


MAX_MODES = 16  # lines of a picture; where modes are more, those that fell and those that rose most


Entry = dict[str, Any]


@dataclass(frozen=True)
class DifferenceRow:
    """One difference: its entry, the places of dot and interval in per cent of the axis, and whether it vetoes."""

    who: str
    entry: Entry
    place: float
    ends: tuple[float, float] | None
    vetoes: bool


@dataclass(frozen=True)
class ChartAxis:
    """Lines on one axis with zero in its middle; `asked` is the place that an interval or a fall is held to."""

    lines: list[DifferenceRow]
    ticks: list[tuple[str, float]]
    asked: float
    hidden: int


def difference_axis(comparison: dict[str, Any] | None, settings: dict[str, Any]) -> dict[str, Any] | None:
    """`figures` and `modes`, an axis each, and the title of the figure that `decides`; None without a comparison."""
    if comparison is None or comparison["impossible"]:
        return None
    gate, figures = GateConfig(**settings), comparison["figures"]
    short = not figures[gate.figure]["interval"][0] > gate.least_gain
    of_figures = [(COMPARED_METRICS[name][0], entry, short and name == gate.figure) for name, entry in figures.items()]
    by_fall = sorted(comparison["modes"].items(), key=lambda named: named[1]["difference"])
    of_modes = [(mode, entry, is_significant_drop(entry, gate.mode_margin)) for mode, entry in by_fall]
    few = comparison["few"]
    pooled = [("these few, together", few, is_significant_drop(few, gate.mode_margin))] if few else []
    return {
        "decides": COMPARED_METRICS[gate.figure][0],
        "figures": _axis(of_figures, [], gate.least_gain),
        "modes": _axis(of_modes, pooled, -gate.mode_margin),
    }


def _axis(lines: list[tuple[str, Entry, bool]], more: list[tuple[str, Entry, bool]], asked: float) -> ChartAxis:
    half = MAX_MODES // 2
    shown = [*(lines if len(lines) <= MAX_MODES else [*lines[:half], *lines[-half:]]), *more]
    edges = [abs(edge) for _, entry, _ in shown for edge in (entry["difference"], *(entry["interval"] or ()))]
    reach = _round_up(max([*edges, abs(asked)]))

    def place(value: float) -> float:
        return round(50 + 50 * value / reach, 2)

    def line(who: str, entry: Entry, vetoes: bool) -> DifferenceRow:
        ends = entry["interval"] and (place(entry["interval"][0]), place(entry["interval"][1]))
        return DifferenceRow(who, entry, place(entry["difference"]), ends, vetoes)

    ticks = [(f"{tick:+.3g}" if tick else "0", place(tick)) for tick in (-reach, 0.0, reach)]
    return ChartAxis([line(*one) for one in shown], ticks, place(asked), len(lines) + len(more) - len(shown))


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, … thousandths, one whole at most."""
    if value <= 0.001:
        return 0.001
    size = 10.0 ** math.floor(math.log10(value))
    return min(1.0, next(step * size for step in (1, 2, 5, 10) if value <= step * size * (1 + 1e-9)))
