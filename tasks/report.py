"""The report of a judgement: one page that needs nothing but itself.

The page is `report_template.html`, which holds all wording. Whatever comes from a dataset is hostile
until escaped: Jinja escapes every value, and the page's own policy allows no script and no request.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tasks import charts
from tasks.config import Retrain
from tasks.evidence import Evidence
from tasks.handover import Finding
from tasks.pictures import heat_maps, projection
from tasks.split import PARTS

COMPARED = {  # figure → title, and whether more is better
    "auroc": ("pair AUROC", True),
    "average_precision": ("average precision", True),
    "tpr_at_1_fpr": ("TPR at 1 % FPR", True),
    "tpr_at_5_fpr": ("TPR at 5 % FPR", True),
    "eer": ("equal error rate", False),
    "mode_accuracy": ("mode accuracy", True),
    "macro_mode_accuracy": ("mean over modes", True),
    "good_auroc": ("good-or-defect AUROC", True),
}
MOST_NUMBERED = 25  # modes whose confusions are written as numbers
MOST_EPOCHS = 60  # lines of the training log


def render(report: dict[str, Any], evidence: Evidence) -> str:
    """The page as HTML text, the same for the same input.

    `report` is what `report.json` holds (see tasks/evaluate.py), with the facts `train` and `test`
    (`source`, `revision`, `records`; `test` is None where records of `train` were held out).
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"figure": _figure, "share": _share, "span": _span, "count": _count, "short": _short}
    return environment.get_template("report_template.html").render(
        report=report,
        parts=PARTS,
        numbers={name: number for number, name in enumerate(evidence.modes)},
        standing=_standing(report),
        rivals_of=_rivals({**report["baselines"], "this model": report["figures"]}),
        compared=_compared(report["comparison"]),
        findings=_findings(report["findings"]),
        settings=_settings(report["settings"], report["preset"]),
        log=_log(report["history"]),
        commonest=float(np.bincount(evidence.mode).max() / len(evidence.mode)),
        confusion=confusion(evidence),
        pictures=_pictures(report, evidence),
    )


def _pictures(report: dict[str, Any], evidence: Evidence) -> dict[str, Any]:
    cuts = {threshold["name"]: threshold["value"] for threshold in report["thresholds"]}
    accuracy = {
        evidence.modes.index(name): found["accuracy"] for name, found in report["figures"]["per_mode"].items()
    }
    rates = charts.curves(evidence)
    return {
        "triplets": [heat_maps(example) for example in evidence.examples],
        "training": charts.training(evidence.history, report["settings"]["fit"]["margin"]),
        "distances": charts.distances(evidence, cuts.get("same mode")),
        "good": charts.good_scores(evidence, cuts.get("good or defect")),
        "roc": charts.roc(rates),
        "roc_low": charts.roc(rates, 0.05),
        "projection": projection(evidence.embeddings, evidence.mode, accuracy),
    }


def _standing(report: dict[str, Any]) -> dict[str, Any]:
    """The gate's figure of this model, the best raw map and the champion, with places 0..100 on one axis."""
    name, figures, comparison = report["settings"]["gate"]["figure"], report["figures"], report["comparison"]
    raw = {who: found[name] for who, found in report["baselines"].items() if who.startswith("raw map")}
    best = max(raw, key=raw.__getitem__)
    rows = [("this model", figures[name], figures["intervals"].get(name)), (f"best {charts.titled(best)}", raw[best], None)]
    if comparison and not comparison["impossible"]:
        own, other = comparison["challenger"][name], comparison["champion"][name]
        if abs(own - figures[name]) > 5e-4:
            rows.append(("this model, champion's records", own, None))
        rows.append((f"champion {comparison['version']}", other, None))
    low = min(0.9, np.floor(min(min(value, *(edges or [])) if edges else value for _, value, edges in rows) * 10) / 10)
    ticks = [round(low + (1 - low) * step / 2, 2) for step in range(3)]

    def place(value: float) -> float:
        return round(100 * (value - low) / (1 - low), 2)

    return {
        "figure": COMPARED[name][0],
        "own": figures[name],
        "best": f"best {charts.titled(best)}",
        "raw": raw[best],
        "rows": [(who, value, edges, place(value), edges and [place(edge) for edge in edges]) for who, value, edges in rows],
        "ticks": [(f"{tick:g}", place(tick)) for tick in ticks],
    }


def _rivals(figures: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The table of who reaches what: columns, and for each row its cells (value or None, whether it is the best)."""
    names = [name for name in COMPARED if any(name in found for found in figures.values())]
    best = {}
    for name in names:
        choose = max if COMPARED[name][1] else min
        best[name] = choose(found[name] for found in figures.values() if name in found)
    rows = {
        charts.titled(who): [(found.get(name), found.get(name) == best[name]) for name in names]
        for who, found in figures.items()
    }
    return {"columns": [COMPARED[name][0] for name in names], "rows": rows}


def _compared(comparison: dict[str, Any] | None) -> dict[str, Any] | None:
    if comparison is None or comparison["impossible"]:
        return None
    return _rivals({f"champion {comparison['version']}": comparison["champion"], "this model": comparison["challenger"]})


def _findings(findings: list[dict[str, Any]]) -> list[tuple[str, Finding]]:
    """Each check with the source it is about: the training source's come first, then the test source's."""
    seen: set[str] = set()
    found = []
    for entry in findings:
        found.append(("test" if entry["name"] in seen else "train", Finding(**entry)))
        seen.add(entry["name"])
    return found


def _settings(settings: dict[str, Any], preset: str) -> list[tuple[str, Any, bool]]:
    """Key, value and whether it differs from the preset's, those that differ first."""
    usual = _flat(Retrain(preset=preset).science())
    rows = [(key, value, key not in usual or usual[key] != value) for key, value in _flat(settings).items()]
    return sorted(rows, key=lambda row: not row[2])


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= {f"{key}.{name}": inner for name, inner in value.items()} if isinstance(value, dict) else {key: value}
    return flat


def _log(history: dict[str, Any]) -> list[dict[str, Any]]:
    """The log's lines, thinned where they are many, but always with the saved and the last."""
    lines, best = history["epochs"], history["best_epoch"]
    step = -(-len(lines) // MOST_EPOCHS)
    return [line for i, line in enumerate(lines) if i % step == 0 or line["epoch"] == best or i == len(lines) - 1]


@dataclass(frozen=True)
class Confusion:
    """Which mode is taken for which.

    cells: row, column, share of the row (0..1), colour, ink; mistakes: mode, taken for, count, n of
    the mode, commonest first; `size` is a cell's side in CSS pixels. `numbered` says whether cells are
    written in, `by_number` whether names are too long to head the columns.
    """

    names: list[str]
    cells: list[tuple[int, int, float, str, str]]
    mistakes: list[tuple[int, int, int, int]]
    size: int
    numbered: bool
    by_number: bool


def confusion(evidence: Evidence, most: int = 8) -> Confusion:
    """The nearest prototype of every test record, row-normalised: rows are the true modes."""
    count = len(evidence.modes)
    table = np.zeros((count, count), np.int64)
    np.add.at(table, (evidence.mode, evidence.distances.argmin(axis=1)), 1)
    total = table.sum(axis=1)
    shades = mpl.colormaps["Blues"]
    cells = []
    for row, column in np.argwhere(table):
        share = float(table[row, column] / total[row])
        ink = "#fff" if share > 0.55 else "#1a1a1a"
        cells.append((int(row), int(column), share, mpl.colors.to_hex(shades(0.08 + 0.9 * share)), ink))
    wrong = [(int(r), int(c), int(table[r, c]), int(total[r])) for r, c in np.argwhere(table) if r != c]
    wrong.sort(key=lambda one: (-one[2] / one[3], -one[3], one[:2]))
    size = 36 if count <= 12 else 26 if count <= MOST_NUMBERED else max(6, 660 // count)
    long = count > MOST_NUMBERED or max(map(len, evidence.modes)) > 4
    return Confusion(evidence.modes, cells, wrong[:most], size, count <= MOST_NUMBERED, long)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _share(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{100 * value:.{digits}f}\u202f%"


def _span(edges: list[float] | None) -> str:
    return "" if edges is None else f"{edges[0]:.3f}\u2009–\u2009{edges[1]:.3f}"


def _count(value: int) -> str:
    return f"{value:,}"


def _short(text: object, most: int = 90) -> str:
    """Names may be of any length; this much tells them apart."""
    plain = str(text)
    return plain if len(plain) <= most else plain[: most - 1] + "…"
