"""Release zero on lots never seen: false alarms asked for and seen, and what it finds of defects that nobody showed it.

    python -m bench.accuracy.release_zero --data folder-of-the-sets

New lots: the model is made of the good parts of all lots but those that are left out, and judges these. Circuit boards:
each board in turn. Magnetic tiles: a fifth of the groups of near-duplicate photographs, three times five times.
A new line: half of the good parts of one board make the model; the other half and the defects tell what it does. Its
parent is a tower that was trained on the four other boards, or there is none. Three seeds, of the halves and the
tower. Trainings are kept under bench/out: a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import t

from bench.accuracy.datasets import BOARDS, write_sets
from bench.accuracy.figures import SEEDS, config_of, triplets_of
from tasks.config.good_parts import model_settings
from tasks.config.model import ZeroConfig
from tasks.config.run import RunConfig
from tasks.data.bank import Bank, load_bank
from tasks.data.split import PARTS
from tasks.evaluation.cross_fitting import sets_of_groups
from tasks.evaluation.intervals import weighted_auroc
from tasks.model.embeddings import EmbeddedBank, Encoder, make_encoder
from tasks.model.unit_space import raw_map_tower
from tasks.registry.loading import load_tower, with_shifts
from tasks.train import train
from tasks.zero.fitting import fit_good_parts

TARGETS = (0.05, 0.01)
TILE_SETS = 5
Rates = tuple[float, float, float]  # good parts stopped, defects found, AUROC of good or defect


def main(words: list[str] | None = None) -> int:
    """Print a row for each set, model and rate asked for: means over the lots, with Student's interval over them."""
    command = argparse.ArgumentParser(prog="python -m bench.accuracy.release_zero", description=__doc__)
    command.add_argument("--data", type=Path, required=True, help="folder of the sets")
    command.add_argument("--out", type=Path, default=Path("bench/out"), help="folder of trainings")
    arguments = command.parse_args(words)
    folds = write_sets(arguments.data, arguments.out / "sets")
    boards = {name: config_of(folds[name], arguments.out) for name in BOARDS}
    tiles = whole_bank(config_of(folds["mt"], arguments.out))
    print("| set | model | asked | false alarms | lowest, highest | defects found | good/defect AUROC |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for target in TARGETS:
        rows = [new_lot(bank, lots, target) for bank, lots in board_folds(boards[BOARDS[0]])]
        print_row("boards, a new board", "raw map", target, rows)
        rows = [new_lot(bank, lots, target) for bank, lots in tile_folds(tiles)]
        print_row("tiles, new photographs", "raw map", target, rows, per=TILE_SETS)
        for model, parent in (("raw map", False), ("tower of a parent line", True)):
            rows = [new_line(boards[name], name, seed, target, parent) for seed in SEEDS for name in BOARDS]
            print_row("one board, a new line", model, target, rows, per=len(BOARDS))
    return 0


def print_row(name: str, model: str, target: float, rows: list[Rates], per: int | None = None) -> None:
    """One row of the table; per: how many lots each repetition has, over which repetitions are averaged first."""
    values = np.array(rows).reshape(-1, per or len(rows), 3).mean(axis=0)
    cells = [_mean(column) for column in values.T]
    ends = f"{100 * np.min(rows, axis=0)[0]:.1f} %, {100 * np.max(rows, axis=0)[0]:.1f} %"
    auroc = f"{values[:, 2].mean():.3f}"
    print(f"| {name} | {model} | {100 * target:g} % | {cells[0]} | {ends} | {cells[1]} | {auroc} |", flush=True)


def _mean(values: np.ndarray) -> str:
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    low, high = max(values.mean() - half, 0), min(values.mean() + half, 1)
    return f"{100 * values.mean():.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def whole_bank(config: RunConfig) -> Bank:
    """Every record of a set, whatever its part."""
    return load_bank(triplets_of(config).path)


def board_folds(config: RunConfig) -> Iterator[tuple[Bank, np.ndarray]]:
    """All boards' records, and those (n,) of the board that is left out."""
    bank = whole_bank(config)
    for board in BOARDS:
        yield bank, bank.group == board


def tile_folds(bank: Bank) -> Iterator[tuple[Bank, np.ndarray]]:
    """All tiles' records, and those (n,) whose groups are left out."""
    for seed in SEEDS:
        number = sets_of_groups(bank.group, TILE_SETS, seed)
        for code in range(TILE_SETS):
            yield bank, number == code


def new_lot(bank: Bank, left_out: np.ndarray, target: float) -> Rates:
    """The rates on the records that are left out, by the good parts of all others."""
    return judge(replace(bank, part=np.where(left_out, PARTS.index("test"), 0).astype(np.int8)), target)


def new_line(config: RunConfig, board: str, seed: int, target: float, parent: bool) -> Rates:
    """The rates on one board, by half of its own good parts; config: with the board as its test source."""
    config = replace(config, seed=seed).resolved()
    stage = triplets_of(config)
    bank = load_bank(stage.path)
    learnt = np.random.default_rng(seed).permutation(np.flatnonzero((bank.group == board) & bank.good))
    part = np.full(len(bank.part), PARTS.index("stop"), np.int8)  # of the other boards nothing is used
    part[bank.group == board] = PARTS.index("test")
    part[learnt[: len(learnt) // 2]] = 0
    own = replace(bank, part=part, group=np.full(len(bank.group), ""))
    if not parent:
        return judge(own, target)
    tower = with_shifts(load_tower(train(stage, config)), config)
    return judge(own, target, make_encoder(tower), replace(config, zero=ZeroConfig(parent="the other boards")))


def judge(bank: Bank, target: float, encoder: Encoder | None = None, config: RunConfig = RunConfig()) -> Rates:
    """The rates on the bank's test records, by a model of its good training records."""
    config = model_settings(config, {"good_alone": True})
    config = replace(config, evaluate=replace(config.evaluate, target=target))
    kept = np.flatnonzero(bank.good | (bank.part != 0))  # no defect is learnt from
    bank = replace(
        bank, **{name: getattr(bank, name)[kept] for name in ("maps", "mode", "good", "part", "hash", "group")}
    )
    bank = replace(bank, mode=np.zeros(len(bank.mode), np.int32), modes=["0"], anchors=bank.anchors[:1])
    encoder = encoder or make_encoder(
        raw_map_tower((config.data.rows, config.data.cols), bank.maps[bank.rows("train")])
    )
    records = EmbeddedBank(encoder, bank)
    model = fit_good_parts(records, config)
    score, defect = model.classifier.score(records.part("test")), ~bank.good[bank.rows("test")]
    called = score > model.thresholds[0].value
    auroc = weighted_auroc(score, defect, np.ones((1, len(score))))[0]
    return float(called[~defect].mean()), float(called[defect].mean()), float(auroc)


if __name__ == "__main__":
    sys.exit(main())
