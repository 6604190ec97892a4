"""What a trial of a sweep is worth, on the calibration part: the test part's records are not read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tasks.config.run import RunConfig
from tasks.core.results import Stage
from tasks.data.bank import Bank, load_bank
from tasks.data.bank_variants import only_parts, subsample
from tasks.evaluation.bootstrap import weighted_auroc
from tasks.evaluation.metrics import pair_metrics
from tasks.model.classifier import PrototypeClassifier, fit_prototypes, make_embed
from tasks.model.distances import trained_distance


def trial_facts(triplets: Stage, model: Stage, config: RunConfig) -> dict[str, Any]:
    """A model's figures on the calibration part, its size, and the seconds of its training."""
    bank = only_parts(subsample(load_bank(triplets.path), config.evaluate.most_records))
    epochs = json.loads((Path(model.path) / "history.json").read_text())["epochs"]
    return {
        "figures": calibration_metrics(_classifier(model, bank, config), bank),
        "parameters": model.facts["parameters"],
        "best_epoch": model.facts["best_epoch"],
        "seconds": round(sum(line["seconds"] for line in epochs), 3),
        "model": model.digest,
    }


def _classifier(model: Stage, bank: Bank, config: RunConfig) -> PrototypeClassifier:
    tower = keras.saving.load_model(Path(model.path) / "model.keras", compile=False)
    return fit_prototypes("trial", make_embed(tower), trained_distance(config.fit), config.fit.prototype, bank)


def calibration_metrics(judge: PrototypeClassifier, bank: Bank) -> dict[str, float]:
    """The pair figures of the calibration records, and the good-or-defect AUROC where there are both."""
    rows = bank.rows("calibrate")
    maps, good = np.asarray(bank.maps[rows]), bank.good[rows]
    found = pair_metrics(judge.mode_distances(maps), bank.mode[rows])
    if judge.good_distances is not None and good.any() and not good.all():
        found["good_auroc"] = float(weighted_auroc(judge.good_distances(maps), ~good, np.ones((1, len(good))))[0])
    return found
