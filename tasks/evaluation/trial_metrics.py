"""What a trial of a sweep is worth, on the calibration part: the test part's records are not read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tasks.config.run import Retrain
from tasks.core.results import Stage
from tasks.data.bank import Bank, load_bank
from tasks.data.bank_variants import thinned, without_others
from tasks.evaluation.bootstrap import weighted_auroc
from tasks.evaluation.metrics import pair_figures
from tasks.model.classifier import Judge, embedder, trained_judge
from tasks.model.distances import trained_distance


def trial_facts(triplets: Stage, model: Stage, config: Retrain) -> dict[str, Any]:
    """A model's figures on the calibration part, its size, and the seconds of its training."""
    bank = without_others(thinned(load_bank(triplets.path), config.evaluate.most_records))
    epochs = json.loads((Path(model.path) / "history.json").read_text())["epochs"]
    return {
        "figures": calibration_figures(_judge(model, bank, config), bank),
        "parameters": model.facts["parameters"],
        "best_epoch": model.facts["best_epoch"],
        "seconds": round(sum(line["seconds"] for line in epochs), 3),
        "model": model.digest,
    }


def _judge(model: Stage, bank: Bank, config: Retrain) -> Judge:
    tower = keras.saving.load_model(Path(model.path) / "model.keras", compile=False)
    return trained_judge("trial", embedder(tower), trained_distance(config.fit), config.fit.prototype, bank)


def calibration_figures(judge: Judge, bank: Bank) -> dict[str, float]:
    """The pair figures of the calibration records, and the good-or-defect AUROC where there are both."""
    rows = bank.rows("calibrate")
    maps, good = np.asarray(bank.maps[rows]), bank.good[rows]
    found = pair_figures(judge.to_modes(maps), bank.mode[rows])
    if judge.to_good is not None and good.any() and not good.all():
        found["good_auroc"] = float(weighted_auroc(judge.to_good(maps), ~good, np.ones((1, len(good))))[0])
    return found
