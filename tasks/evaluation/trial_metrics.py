"""What a trial of a sweep is worth, on the validation part.

The records of the calibration and test parts are not read: the settings that a sweep chooses would fit the records that
the threshold is calibrated on, and its false alarms would be more than it says.
"""

from __future__ import annotations

import json
from pathlib import Path

from tasks.config.run import RunConfig
from tasks.core.json_form import Json
from tasks.core.results import Stage
from tasks.data.bank import Bank, load_bank
from tasks.data.bank_variants import only_parts, subsample
from tasks.evaluation.holdout import baseline_metrics
from tasks.evaluation.scored_records import ScoredRecords, score_part
from tasks.model.classifier import fit_prototypes
from tasks.model.distances import trained_distance
from tasks.model.embeddings import EmbeddedBank
from tasks.registry.loading import load_encoder


def trial_facts(triplets: Stage, model: Stage, config: RunConfig) -> Json:
    """A model's figures on the validation part, its size, and the seconds of its training."""
    bank = only_parts(subsample(load_bank(triplets.path), config.evaluate.most_records))
    epochs = json.loads((Path(model.path) / "history.json").read_text(encoding="utf-8"))["epochs"]
    return {
        "figures": baseline_metrics(_score_validation_part(model, bank, config)).as_json(),
        "parameters": model.facts["parameters"],
        "best_epoch": model.facts["best_epoch"],
        "seconds": round(sum(line["seconds"] for line in epochs), 3),
        "model": model.digest,
    }


def _score_validation_part(model: Stage, bank: Bank, config: RunConfig) -> ScoredRecords:
    records = EmbeddedBank(load_encoder(model), bank)
    classifier = fit_prototypes("trial", records, trained_distance(config.fit), config.fit.prototype)
    return score_part(classifier, records, "stop")
