"""Trains the tower on triplets: keras, numpy and the standard library, on any Keras backend.

    python -m tasks.train data/stages/triplets-0123456789abcdef --data data --set fit.epochs=5

trains from a triplets stage without Prefect, pyarrow or pandas.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tasks.bank import Bank, load_bank
from tasks.config import PRESETS, Retrain
from tasks.distance import distance
from tasks.epochs import Report, Watch
from tasks.errors import DamagedStage, KensaError, TrainingCollapsed, TrainingDiverged
from tasks.handover import Epoch, Stage
from tasks.identity import model_digest
from tasks.settings import with_settings
from tasks.siamese import Batches, TripletLoss, TripletModel, active_share
from tasks.stages import sound, stage, usable, write_json
from tasks.tower import build_tower, weights_digest

WATCHED = 512  # records of the stop part whose embeddings are watched


def train(triplets: Stage, config: Retrain, report: Report | None = None) -> Stage:
    """The stage folder with `model.keras` and `history.json`, trained unless it is there already.

    `report` is called with every epoch's line. Deterministic: the same stage and settings give
    bit-identical weights on the same machine, also where a run died between and was taken up again.
    Raises TrainingDiverged or TrainingCollapsed.
    """
    config = config.resolved()
    digest = model_digest(triplets.digest, config, keras.backend.backend())

    def make(draft: Path) -> dict[str, Any]:
        bank = load_bank(triplets.path)
        tower, log, best = fit(bank, config, report, state)
        tower.save(draft / "model.keras")
        write_json(draft / "history.json", {"best_epoch": best, "epochs": [asdict(line) for line in log]})
        return {"weights": weights_digest(tower), "parameters": tower.count_params(), "best_epoch": best}

    stages = usable(Path(config.data_folder) / "stages")
    state = stages / f".training-{digest[:16]}.npz"
    try:
        made = stage(stages, "model", digest, make)
    except (TrainingDiverged, TrainingCollapsed):
        state.unlink(missing_ok=True)  # it would only lead there again
        raise
    state.unlink(missing_ok=True)
    return made


def fit(
    bank: Bank, config: Retrain, report: Report | None = None, state: Path | None = None
) -> tuple[keras.Model, list[Epoch], int]:
    """Train a new tower; returns it with its best weights, the log, and the best epoch (from 1).

    Where `state` is given, the training is kept there after every epoch, and goes on from there.
    """
    keras.utils.set_random_seed(config.seed)
    model = _compiled(bank, config)
    batches = Batches(_numbered(bank, "train"), config.fit.batch, config.seed)
    watch = Watch(_watched(bank), config, len(batches), report, state)
    batches.start_at(watch.taken_up(model))
    if not watch.finished():
        model.fit(
            batches,
            validation_data=Batches(_numbered(bank, "stop"), config.fit.batch, seed=None),
            initial_epoch=len(watch.log),
            epochs=config.fit.epochs,
            shuffle=False,  # Batches orders its own rows, the same way on every backend
            verbose=0,
            callbacks=[watch],
        )
    model.tower.set_weights(watch.best_weights)
    return model.tower, watch.log, watch.best.epoch


def _compiled(bank: Bank, config: Retrain) -> TripletModel:
    measure = distance(config.fit.distance)
    model = TripletModel(build_tower(config.tower, bank.maps.shape[1]), _rows_used(bank))
    model.compile(
        optimizer=keras.optimizers.Adam(config.fit.learning_rate),
        loss=TripletLoss(measure, config.fit.margin),
        metrics=[active_share(measure, config.fit.margin)],
    )
    model.optimizer.build(model.tower.trainable_variables)
    return model


def _rows_used(bank: Bank) -> np.ndarray:
    """Anchors, then the records of train and stop: all that training may see."""
    used = np.concatenate([bank.rows("train"), bank.rows("stop")])
    return np.concatenate([bank.anchors, bank.maps[used]])


def _numbered(bank: Bank, part: str) -> np.ndarray:
    """A part's triplets as rows of `_rows_used`, (t, 3) int32."""
    used = np.concatenate([bank.rows("train"), bank.rows("stop")])
    number = np.zeros(len(bank.maps), np.int32)
    number[used] = np.arange(len(used)) + len(bank.anchors)
    triplets = bank.triplets[part]
    return np.column_stack([triplets[:, 0], number[triplets[:, 1:]]]).astype(np.int32)


def _watched(bank: Bank) -> np.ndarray:
    rows = bank.rows("stop")
    return np.array(bank.maps[rows[:: max(1, len(rows) // WATCHED)]])


def main(words: list[str] | None = None) -> int:
    """`python -m tasks.train STAGE`: train from a triplets stage, without Prefect; prints the model's folder."""
    command = argparse.ArgumentParser(prog="python -m tasks.train", description="Train a tower from a triplets stage.")
    command.add_argument("stage", type=Path, help="a triplets stage, such as data/stages/triplets-0123456789abcdef")
    command.add_argument(
        "--data", default="data", metavar="DIR", help="folder under which the model's stage is written"
    )
    command.add_argument("--preset", default=Retrain.preset, help=f"one of {', '.join(PRESETS)}")
    command.add_argument("--set", action="append", default=[], metavar="key=value", dest="settings")
    arguments = command.parse_args(words)
    try:
        config = with_settings(Retrain(preset=arguments.preset, data_folder=arguments.data), arguments.settings)
        print(train(read_stage(arguments.stage), config).path)
    except KensaError as error:
        print(f"kensa: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def read_stage(folder: Path) -> Stage:
    """A sound triplets stage on disk; DamagedStage where it is none."""
    facts = sound(folder)
    if facts is None or "triplets_train" not in facts:
        raise DamagedStage(f"{folder}: expected a sound triplets stage; kensa retrain makes one under its data folder")
    return Stage(str(folder), facts["digest"], facts, reused=True)


if __name__ == "__main__":
    sys.exit(main())
