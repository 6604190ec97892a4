"""The page of figures: Markdown tables of means and spreads from the rows of bench/accuracy/figures.py."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import t

from bench.accuracy.datasets import BOARDS
from bench.accuracy.unseen import table
from tasks.report.leaderboard import display_name

Rows = list[dict[str, Any]]
COLUMNS = {
    "mode_accuracy": "mode accuracy",
    "auroc": "verification AUROC",
    "tpr_at_1_fpr": "verification TPR at 1 % FPR",
    "good_auroc": "good/defect AUROC",
    "good_tpr_at_1_fpr": "defects found at 1 % false alarms",
    "good_fpr": "good FPR, target 5 %",
}
INTRODUCTION = """# Figures

Results of each preset on real inspection data, on records that were not used for training, early stopping or
calibration. Made by `make figures DATA=…`. Every cell is the mean over three seeds ± their standard deviation; raw
maps have no seed. The thresholds come from calibration records with a target of 5 % false positives."""
BOARDS_TEXT = """\
Maps of printed circuits (photographs of DeepPCB, five boards, 6 382 records; ten modes: good, and the position of
the defect in a 3 × 3 grid). Each board in turn is left out of everything and then evaluated."""
UNSEEN_TEXT = """\
Each of the nine positions in turn is left out of training, early stopping and calibration. A model is trained with
preset `best`, and the test records of that position are separated from good ones (`kensa retrain --set
evaluate.unseen=true`). The columns are the AUROC of the distance to good in the embedding, of the peak of the raw
map, and of both (`evaluate.score=fused`). Means over the nine positions; one seed."""
TILES_TEXT = """\
Magnetic tiles (1 340 records, ten modes, the smallest with six records), divided by groups of near duplicates: no
two photographs of one tile are on different sides. The good/defect AUROC covers five kinds of damage. The balanced
accuracy is that at the calibrated threshold. With so few tiles, three seeds say little about the spread:
good/defect of `rt` was between 0.777 and 0.840 for three other seeds, and the recipe of `notebook`, which stops
after two epochs without improvement, can stop after its first epoch."""


def page(rows: Rows, machine: str) -> str:
    """All tables, and the machine on which they were made."""
    never = [row for row in rows if row["who"] == "unseen"]
    boards = [row for row in rows if row["fold"] in BOARDS and row["who"] != "unseen"]
    named = [row for row in boards if row["fold"] == BOARDS[0]]
    parts = [
        INTRODUCTION,
        f"## Printed circuits, boards never seen\n\n{BOARDS_TEXT}",
        f"### Judged on board {BOARDS[0]}, trained on the four others\n\n{_table(named)}",
        f"### Each board left out in turn: mean over the five\n\n{_table(boards)}\n\n{_pooled(boards)}",
        f"### Each board\n\n{_by_fold(boards)}",
        f"### RT against Euclidean\n\n{_gap(boards)}",
        f"## Positions never trained\n\n{UNSEEN_TEXT}\n\n{table(never)}",
        f"## Magnetic tiles\n\n{TILES_TEXT}\n\n{_table([r for r in rows if r['fold'] == 'mt'], 'balanced_accuracy')}",
        f"Machine: {machine}, two cores.",
    ]
    return "\n\n".join(parts) + "\n"


def _table(rows: Rows, *more: str) -> str:
    """One line for each who, over all folds in `rows`: the seeds' means over folds, and their spread."""
    columns = {**COLUMNS, **{name: name.replace("_", " ") for name in more}}
    lines = [f"| | {' | '.join(columns.values())} |", "| --- |" + " ---: |" * len(columns)]
    for who in dict.fromkeys(row["who"] for row in rows):
        selected = [row for row in rows if row["who"] == who]
        lines.append(f"| {display_name(who)} | {' | '.join(_cell(selected, name) for name in columns)} |")
    return "\n".join(lines)


def _cell(rows: Rows, name: str) -> str:
    """Mean over folds for each seed, then mean ± deviation over seeds; a dash where nobody has the figure."""
    if not all(name in row for row in rows):
        return "–"
    seeds = [np.mean([row[name] for row in rows if row["seed"] == seed]) for seed in {row["seed"] for row in rows}]
    spread = f" ± {np.std(seeds, ddof=1):.3f}" if len(seeds) > 1 else ""
    return f"{np.mean(seeds):.3f}{spread}"


def _pooled(rows: Rows) -> str:
    """False alarms over all good records of all folds, for each preset."""
    rates = []
    for who in dict.fromkeys(row["who"] for row in rows if "alarms" in row):
        selected = [row for row in rows if row["who"] == who]
        rates.append(f"{who} {sum(row['alarms'] for row in selected) / sum(row['good'] for row in selected):.3f}")
    return f"False positives among all good records of all boards and seeds, target 5 %: {', '.join(rates)}."


def _by_fold(rows: Rows) -> str:
    names = ("mode_accuracy", "auroc", "tpr_at_1_fpr", "good_auroc", "good_fpr")
    lines = [f"| board | preset | {' | '.join(COLUMNS[name] for name in names)} |", "| --- | --- |" + " ---: |" * 5]
    for fold in BOARDS:
        for who in dict.fromkeys(row["who"] for row in rows if row["seed"] is not None):
            selected = [row for row in rows if row["fold"] == fold and row["who"] == who]
            lines.append(f"| {fold} | {who} | {' | '.join(_cell(selected, name) for name in names)} |")
    return "\n".join(lines)


def _gap(rows: Rows) -> str:
    """Differences of `rt` and `best` on the same groups, with Student's 95 % interval of their mean."""
    lines = ["| metric | rt − best | 95 % interval over the five boards |", "| --- | ---: | ---: |"]
    for name in ("mode_accuracy", "auroc", "tpr_at_1_fpr", "good_auroc"):
        gaps = np.array([_mean(rows, fold, "rt", name) - _mean(rows, fold, "best", name) for fold in BOARDS])
        half = t.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / np.sqrt(len(gaps))
        lines.append(
            f"| {COLUMNS[name]} | {gaps.mean():+.4f} | {gaps.mean() - half:+.4f} to {gaps.mean() + half:+.4f} |"
        )
    lowest = min(row["auroc"] for row in rows if row["who"] == "rt")
    return "\n".join(lines) + f"\n\nThe lowest verification AUROC of `rt` over all boards and seeds: {lowest:.4f}."


def _mean(rows: Rows, fold: str, who: str, name: str) -> float:
    return float(np.mean([row[name] for row in rows if row["fold"] == fold and row["who"] == who]))
