"""A model's stage as a judge: its tower, and prototypes from the training records of the bank it was trained on."""

from __future__ import annotations

from pathlib import Path

import keras

from tasks.bank import Bank
from tasks.config import Retrain
from tasks.distance import trained_distance
from tasks.handover import Stage
from tasks.judge import Judge, embedder, fusing, trained_judge


def trained(model: Stage, bank: Bank, config: Retrain) -> Judge:
    """The judge of `evaluate.score`; `config` must be resolved."""
    tower = keras.saving.load_model(Path(model.path) / "model.keras", compile=False)
    measure = trained_distance(config.fit)
    judge = trained_judge("trained tower", embedder(tower), measure, config.fit.prototype, bank)
    return fusing(judge, bank, config.evaluate.score)
