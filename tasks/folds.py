"""Banks for trainings anew: one without a mode that is to stay unseen, and one whose modes are dealt out anew.

Each is a sealed stage like the bank it comes from, so that the ordinary training step trains from it
and a run that died goes on where it was. Its rows are those of that bank, and share its maps on the disk.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tasks.anchors import mean_maps
from tasks.bank import Bank, load_bank
from tasks.config import Retrain
from tasks.handover import Fold, Stage
from tasks.identity import fold_digest
from tasks.sampling import triplets_by_part
from tasks.split import PARTS
from tasks.stages import stage

NOWHERE = -1  # the part and the mode of a record that a bank does not use
PERMUTATIONS = 3  # where records are few or much alike, one alone may lie far from one half by chance
FITTED = PARTS[:3]  # the parts that training and calibration read


def planned(triplets: Stage, config: Retrain) -> tuple[Fold, ...]:
    """The folds that `config.evaluate` asks for: each mode of defects left out in turn, and the modes permuted.

    A mode is not left out where the test has no record of it, or where fewer than two modes would be
    left to train, stop or calibrate on.
    """
    settings, bank = config.evaluate, load_bank(triplets.path)
    unseen = [Fold("without", bank.modes[code]) for code in _defective(bank)] if settings.unseen else []
    dealt = [Fold("permuted", str(number + 1)) for number in range(PERMUTATIONS)] if settings.permutation else []
    return (*unseen, *dealt)


def _defective(bank: Bank) -> list[int]:
    """The codes of the modes that can be left out: most of their records are no good parts."""
    held = {part: set(bank.mode[bank.rows(part)].tolist()) for part in PARTS}
    return [
        code
        for code in range(len(bank.modes))
        if bank.good[bank.mode == code].mean() < 0.5
        and code in held["test"]
        and all(len(held[part] - {code}) > 1 for part in FITTED)
    ]


def fold(triplets: Stage, one: Fold, config: Retrain) -> Stage:
    """The stage folder with the bank of a fold; `triplets` is the stage that it comes from."""

    def make(draft: Path) -> dict[str, Any]:
        bank = load_bank(triplets.path)
        made = permuted(bank, int(one.name), config) if one.kind == "permuted" else without(bank, one.name, config)
        made.save(draft, maps=Path(triplets.path) / "maps.npy")
        counts = {part: len(made.rows(part)) for part in PARTS}
        names = {f"triplets_{part}": len(rows) for part, rows in made.triplets.items()}
        return {"fold": one.title, "size": triplets.facts["size"], "records": counts, **names}

    return stage(Path(config.data_folder) / "stages", "fold", fold_digest(triplets.digest, one, config), make)


def without(bank: Bank, mode: str, config: Retrain) -> Bank:
    """The bank without a mode: none of its records is in any part, and no triplet or anchor is left of it."""
    code = bank.modes.index(mode)
    gone = bank.mode == code
    codes = np.where(gone, NOWHERE, bank.mode - (bank.mode > code)).astype(np.int32)
    part = np.where(gone, NOWHERE, bank.part).astype(np.int8)
    pairs = np.concatenate(list(bank.triplets.values()))[:, 1:]
    return replace(
        bank,
        anchors=np.delete(bank.anchors, code, axis=0),
        mode=codes,
        part=part,
        modes=[name for name in bank.modes if name != mode],
        triplets=_triplets(codes, part, pairs[~gone[pairs].any(axis=1)], config),
    )


def permuted(bank: Bank, number: int, config: Retrain) -> Bank:
    """The bank with mode and label dealt out anew among the records of each part but the test, whose are true."""
    mode, good, rng = bank.mode.copy(), bank.good.copy(), np.random.default_rng([config.seed, number])
    for part in FITTED:
        rows = bank.rows(part)
        dealt = rng.permutation(rows)
        mode[rows], good[rows] = bank.mode[dealt], bank.good[dealt]
    anchors = mean_maps(bank.maps, np.where(bank.part == PARTS.index("train"), mode, NOWHERE), len(bank.modes))
    made = _triplets(mode, bank.part, np.empty((0, 2), np.int64), config)
    return replace(bank, anchors=anchors, mode=mode, good=good, triplets=made)


def _triplets(mode: np.ndarray, part: np.ndarray, kept: np.ndarray, config: Retrain) -> dict[str, np.ndarray]:
    """The triplets that are kept; a part that is left without any gets new ones."""
    return triplets_by_part(mode, part, kept, config.triplets.per_record, False, config.seed)[0]
