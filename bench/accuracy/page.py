"""The page of figures: Markdown tables of means and spreads from the rows of bench/accuracy/figures.py."""

from __future__ import annotations

from collections.abc import Callable
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
RULE_TITLES = {
    "records": "`target_fpr` without groups",
    "target_fpr": "`target_fpr`",
    "target_fpr_pac": "`target_fpr_pac`",
}
INTRODUCTION = """# Figures

Results of each preset on real inspection data, on records that were not used for training, early stopping or
calibration. Made by `make figures DATA=…`. Every cell is the mean over three seeds ± their standard deviation; raw
maps have no seed. The standard deviation over seeds says how far a retraining on the same data moves. Where a cell is
a mean over boards, Student's 95 % interval over the five boards is in parentheses, cut off at 0 and 1: it says
how well the mean over boards like these is known, and it is much wider. The thresholds come from calibration records
with a target of 5 % false alarms."""
CHOSEN_TEXT = """\
The towers, losses and settings of the presets `best` and `rt` were compared on the printed circuits and on the
magnetic tiles, and chosen by the results on boards that were left out. So these tables are optimistic: another set
would not have led to exactly these settings. `notebook` is somebody else's recipe; nothing of it was chosen here."""
TRIED_TEXT = """\
Choices that were made on the boards, on the tiles and on textured steel (not shown), by far not all with three seeds:
dense layers against convolutions (mode accuracy .50 against .90); prototypes from embeddings against the embedding of
the mean map; triplets mined in the batch against fixed ones (.735 against .935); all triplets, semi-hard ones,
batch-hard with soft margin (poor) and multi-similarity (about as good); learning rate and schedule; length 1 or free;
shifts, dropout and noise; 450, 720 or 900 steps; scaling, and the overlay of good records for sparse maps. For RT:
statistics held constant (the network collapses), 1, 4 and 16 blocks ([rt.md](rt.md)). How many attempts there were in
all was not counted."""
BOARDS_TEXT = """\
Maps of printed circuits (photographs of DeepPCB, five boards, 6 382 records; ten modes: good, and the position of
the defect in a 3 × 3 grid). Each board in turn is left out of everything and then evaluated."""
RULES_TEXT = """\
False alarms / escapes on the board that was left out: the share of its good parts that are stopped, and of its defects
that pass, by each rule with a target of 5 %. Calibrated on records of the four other boards; the two rules learn from
them how far boards differ ([judgement.md](judgement.md)). Without groups, all calibration records count alike. The
four boards were trained on, by other records, and so differ less than a board that was not."""
UNSEEN_TEXT = """\
Each of the nine positions in turn is left out of training, early stopping and calibration. A model is trained with
preset `best`, and the test records of that position are separated from good ones (`kensa retrain --set
evaluate.unseen=true --set evaluate.score=patches`). The columns are the AUROC of the distance to good in the embedding,
of the peak of the raw map, of both (`evaluate.score=fused`), and of distance and memory of patches (`patches`), whose
threshold decides what is found. Means over the nine positions; one seed."""
TILES_TEXT = """\
Magnetic tiles (1 340 records, ten modes, the smallest with six records), divided by groups of near duplicates: no
two photographs of one tile are on different sides. The good/defect AUROC covers five kinds of damage. The balanced
accuracy is that at the calibrated threshold. With so few tiles, three seeds say little about the spread, and the recipe
of `notebook`, which stops after two epochs without improvement, can stop after its first epoch."""
CELLS_TEXT = """\
Solar cells (photographs of ELPV, 2 624 records, two modes: mono- and polycrystalline; a defect where its probability
is above .5). As far as is written down, no setting of a preset was chosen by it. It is a weak test all the same: it
names no groups, so that it is split by record and cells of one module are on both sides; the modes are kinds of cell,
which the nearest raw map already tells apart in 94 % of cases, and not kinds of defect; and good cells of both kinds
share one good prototype. So the columns of good and defect show what a model is worth whose modes say nothing of
defects."""


def page(rows: Rows, machine: str) -> str:
    """All tables, and the machine on which they were made; without a table for whose rows there are none."""
    never = [row for row in rows if row["who"] == "unseen"]
    boards = [_with_rules(row) for row in rows if row["fold"] in BOARDS and row["who"] != "unseen"]
    named = [row for row in boards if row["fold"] == BOARDS[0]]
    tiles, cells = ([row for row in rows if row["fold"] == name] for name in ("mt", "elpv"))
    compared = {"rt", "best"} <= {row["who"] for row in boards}
    parts = [
        INTRODUCTION,
        f"## Sets on which the recipes were chosen\n\n{CHOSEN_TEXT}",
        f"### Printed circuits, boards never seen\n\n{BOARDS_TEXT}",
        f"Each board left out in turn, mean over the five:\n\n{_table(boards)}\n\n{_pooled(boards)}",
        f"Judged on board {BOARDS[0]}, trained on the four others:\n\n{_table(named)}",
        f"Each board:\n\n{_by_fold(boards, COLUMNS, _cell)}",
        f"### False alarms and escapes of a board never seen, by rule\n\n{RULES_TEXT}\n\n{_rules(boards)}",
        *([f"### RT against Euclidean\n\n{_gap(boards)}"] if compared else []),
        *([f"### Positions never trained\n\n{UNSEEN_TEXT}\n\n{table(never)}"] if never else []),
        f"### Magnetic tiles\n\n{TILES_TEXT}\n\n{_table(tiles, 'balanced_accuracy')}",
        f"## A set on which nothing was chosen: solar cells\n\n{CELLS_TEXT}\n\n{_table(cells, 'balanced_accuracy')}",
        f"## What was tried\n\n{TRIED_TEXT}",
        f"Machine: {machine}, two cores.",
    ]
    return "\n\n".join(parts) + "\n"


def _with_rules(row: dict[str, Any]) -> dict[str, Any]:
    """The row with each rule's false alarms and escapes beside the other figures."""
    rules = row.get("rules", {})
    return row | {f"{name} {key}": errors[key] for name, errors in rules.items() for key in ("alarms", "escapes")}


def _table(rows: Rows, *more: str) -> str:
    """One line for each who, over all folds in `rows`: the seeds' means over folds, and the spreads."""
    columns = {**COLUMNS, **{name: name.replace("_", " ") for name in more}}
    lines = [f"| | {' | '.join(columns.values())} |", "| --- |" + " ---: |" * len(columns)]
    for who in _whos(rows):
        selected = [row for row in rows if row["who"] == who]
        lines.append(f"| {display_name(who)} | {' | '.join(_cell(selected, name) for name in columns)} |")
    return "\n".join(lines)


def _whos(rows: Rows) -> list[str]:
    return list(dict.fromkeys(row["who"] for row in rows))


def _cell(rows: Rows, name: str) -> str:
    """Mean ± deviation over seeds (interval over folds); a dash where not every row has the figure."""
    if not all(name in row for row in rows):
        return "–"
    seeds, folds = _means(rows, name, "seed"), _means(rows, name, "fold")
    spread = f" ± {np.std(seeds, ddof=1):.3f}" if len(seeds) > 1 else ""
    interval = " ({:.3f} to {:.3f})".format(*np.clip(_student(folds), 0, 1)) if len(folds) > 1 else ""
    return f"{np.mean(seeds):.3f}{spread}{interval}"


def _means(rows: Rows, name: str, key: str) -> list[float]:
    """The mean of a figure for each seed, or for each fold."""
    return [
        float(np.mean([row[name] for row in rows if row[key] == part]))
        for part in dict.fromkeys(row[key] for row in rows)
    ]


def _student(values: list[float]) -> tuple[float, float]:
    """The ends of Student's 95 % interval of the mean of values."""
    half_width = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return float(np.mean(values) - half_width), float(np.mean(values) + half_width)


def _pooled(rows: Rows) -> str:
    """False alarms over all good records of all folds, for each preset."""
    rates = []
    for who in _whos([row for row in rows if "alarms" in row]):
        selected = [row for row in rows if row["who"] == who]
        rates.append(f"{who} {sum(row['alarms'] for row in selected) / sum(row['good'] for row in selected):.3f}")
    return f"False alarms among all good records of all boards and seeds, target 5 %: {', '.join(rates)}."


def _by_fold(rows: Rows, titles: dict[str, str], cell: Callable[[Rows, str], str]) -> str:
    """One line for each board and preset."""
    lines = [f"| board | preset | {' | '.join(titles.values())} |", "| --- | --- |" + " ---: |" * len(titles)]
    trained = [row for row in rows if row["seed"] is not None]
    for fold in BOARDS:
        for who in _whos(trained):
            selected = [row for row in trained if row["fold"] == fold and row["who"] == who]
            lines.append(f"| {fold} | {who} | {' | '.join(cell(selected, name) for name in titles)} |")
    return "\n".join(lines)


def _rules(rows: Rows) -> str:
    """False alarms and escapes of each board by rule, and the worst board of each preset."""
    worst = []
    for who in _whos([row for row in rows if "rules" in row]):
        rates = [max(_over_boards(rows, who, f"{name} alarms")) for name in RULE_TITLES]
        worst.append(f"`{who}` {' / '.join(f'{rate:.3f}' for rate in rates)}")
    line = f"False alarms of the worst board, by the three rules in this order: {', '.join(worst)}."
    return f"{_by_fold(rows, RULE_TITLES, _rule_cell)}\n\n{line}"


def _rule_cell(rows: Rows, name: str) -> str:
    return f"{_cell(rows, f'{name} alarms')} / {_cell(rows, f'{name} escapes')}"


def _gap(rows: Rows) -> str:
    """Differences of `rt` and `best` on the same boards, with Student's 95 % interval of their mean."""
    lines = ["| metric | rt − best | 95 % interval over the five boards |", "| --- | ---: | ---: |"]
    for name in ("mode_accuracy", "auroc", "tpr_at_1_fpr", "good_auroc", "good_tpr_at_1_fpr"):
        gaps = np.subtract(_over_boards(rows, "rt", name), _over_boards(rows, "best", name))
        low, high = _student(gaps.tolist())
        lines.append(f"| {COLUMNS[name]} | {gaps.mean():+.4f} | {low:+.4f} to {high:+.4f} |")
    lowest = min(row["auroc"] for row in rows if row["who"] == "rt")
    return "\n".join(lines) + f"\n\nThe lowest verification AUROC of `rt` over all boards and seeds: {lowest:.4f}."


def _over_boards(rows: Rows, who: str, name: str) -> list[float]:
    """The mean of a figure over the seeds, for each board."""
    return [float(np.mean([row[name] for row in rows if row["fold"] == fold and row["who"] == who])) for fold in BOARDS]
