"""The classifier of good parts alone: their unit space, and a threshold from parts that were left out of it.

A good part scores better in a unit space that it belongs to than a new one does. So the parts are left out of it in
sets, whole lots at a time, and scored by the unit space of the others; the threshold is found on these scores
(cross-conformal prediction: Vovk 2015, Annals of Mathematics and Artificial Intelligence 74, 9). The unit space that is
released is that of all parts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tasks.config.run import RunConfig
from tasks.data.bank import Bank
from tasks.evaluation.cross_fitting import sets_of_groups
from tasks.evaluation.scored_records import OutOfFoldScores
from tasks.evaluation.thresholds import THRESHOLD_DRAWS, Rule, calibrate
from tasks.model.classifier import PrototypeClassifier, fit_prototypes
from tasks.model.distances import Distance, trained_distance
from tasks.model.embeddings import Embedded, EmbeddedBank
from tasks.model.fused_score import Fusion
from tasks.registry.release_files import DEFECT_THRESHOLD, MODE_THRESHOLD, Threshold

SETS = 10  # in which parts are left out; with fewer lots, each lot is a set


@dataclass(frozen=True)
class GoodPartsModel:
    """A classifier of good parts with its thresholds.

    scores: of the parts that it is made from, each left out; sets: in how many sets they were.
    """

    classifier: PrototypeClassifier
    thresholds: tuple[Threshold, ...]
    scores: OutOfFoldScores
    sets: int


def fit_good_parts(records: EmbeddedBank, config: RunConfig) -> GoodPartsModel:
    """The model of the bank's training records, all good and of one mode; `config` as `model_settings` gives it.

    The threshold may be refused, as for a trained model. Whatever is not good is `unknown`: there is no mode that it
    could belong to.
    """
    plain = refit(records, config)
    embedded, rows = records.part("train"), records.bank.rows("train")
    number = sets_of_groups(_units(records.bank, rows), SETS, config.seed)
    left_out = left_out_distances(embedded, number, plain.distance)
    fusion = Fusion(left_out, embedded.peaks)
    classifier = replace(plain, fusion=fusion, score_kind=config.evaluate.score)
    score = classifier.score_at(left_out, embedded.peaks, None)
    bank = records.bank
    scores = OutOfFoldScores(
        score, bank.good[rows], bank.group[rows], bank.hash[rows], np.ones(len(rows)), np.zeros(len(rows), bool)
    )
    return GoodPartsModel(classifier, _thresholds(classifier, scores, config), scores, int(number.max()) + 1)


def refit(records: EmbeddedBank, config: RunConfig) -> PrototypeClassifier:
    """The unit space of the bank's training records, without a fused score."""
    return fit_prototypes("good parts", records, trained_distance(config.fit), config.fit.prototype)


def left_out_distances(embedded: Embedded, number: np.ndarray, distance: Distance) -> np.ndarray:
    """The distance (n,) of each record from the prototype of the records of all other sets; number: (n,) its set."""
    distances = np.empty(len(embedded))
    for code in np.unique(number):
        others = distance.prototypes([embedded.vectors[number != code]])
        distances[number == code] = distance.to_prototypes(embedded.vectors[number == code], others)[:, 0]
    return distances


def _units(bank: Bank, rows: np.ndarray) -> np.ndarray:
    return np.where(bank.group[rows] != "", bank.group[rows], bank.hash[rows].astype(str))


def _thresholds(classifier: PrototypeClassifier, scores: OutOfFoldScores, config: RunConfig) -> tuple[Threshold, ...]:
    """Good or not by the rule that is asked for; no distance is so small that a part that is not good has a mode."""
    resampling = replace(scores.resampling(config), draws=THRESHOLD_DRAWS)
    rule = Rule.of(config.evaluate)
    defect = calibrate(DEFECT_THRESHOLD, scores.score, ~scores.good, rule, resampling, classifier.unit, good_alone=True)
    no_mode = Threshold(MODE_THRESHOLD, "none", None, classifier.distance.name, defect.units, defect.negatives, 0.0)
    return replace(defect, crossed=True), no_mode
