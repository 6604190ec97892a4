"""What names each stage: a digest of what went in, the settings it reads, and the stage's own version.

Raise a version when its stage would make something else of the same input; everything after it is
then made anew too. Standard library alone: finding that nothing changed must not wait for TensorFlow.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tasks.config.run import Data, Retrain
from tasks.core.files import digest_of
from tasks.core.results import Fold, Resolved

CACHE = 2
TRIPLETS = 6
MODEL = 3
REPORT = 9
TRIAL = 1
FOLD = 1
SWEEP = 1
RELEASE = 2  # the form of a release; one of a higher number is left to a later Kensa


def cache_digest(revision: str, data: Data, held_out: bool) -> str:
    """Names the cache of a revision, read with these settings."""
    return digest_of("cache", CACHE, revision, data.reading(), held_out)


def triplets_digest(train: str, test: str | None, config: Retrain) -> str:
    """Names the bank made from these caches."""
    settings = (config.data.good, asdict(config.split), asdict(config.triplets), config.seed)
    return digest_of("triplets", TRIPLETS, train, test, settings)


def model_digest(triplets: str, config: Retrain, backend: str) -> str:
    """Names the model trained from this bank. The backend counts: its last bits differ."""
    config = config.resolved()
    size = (config.data.rows, config.data.cols)
    return digest_of("model", MODEL, triplets, size, asdict(config.tower), asdict(config.fit), config.seed, backend)


def trial_digest(triplets: str, config: Retrain, backend: str) -> str:
    """Names a trial of a sweep: its model, judged on the calibration part of its own bank."""
    return digest_of("trial", TRIAL, model_digest(triplets, config, backend))


def fold_digest(triplets: str, fold: Fold, config: Retrain) -> str:
    """Names a variant of a bank: one mode left out, or the modes dealt out anew."""
    return digest_of("fold", FOLD, triplets, asdict(fold), asdict(config.triplets), config.seed)


def fold_figures_digest(variant: str, model: str, config: Retrain) -> str:
    """Names what a model trained on a variant is worth."""
    return digest_of("fold figures", FOLD, variant, model, config.evaluate.judging(), config.seed)


def report_digest(model: str, config: Retrain, champion: Any, facts: Any) -> str:
    """Names the judgement of a model; `champion` is what identifies the one it is compared with."""
    sections = (config.gate, config.cost, config.report)
    settings = ([config.evaluate.judging(), *map(asdict, sections)], config.data.reading(), config.seed)
    return digest_of("report", REPORT, model, settings, champion, facts)


def sweep_digest(run: Retrain, values: list[dict[str, str]], figure: str, outcomes: list[dict[str, Any]]) -> str:
    """Names the conclusion of a sweep: what was asked, and what came of each trial."""
    return digest_of("sweep", SWEEP, run.science(), run.train, run.test, run.preset, values, figure, outcomes)


def fingerprint(train: Resolved, test: Resolved | None, config: Retrain) -> str:
    """Names a whole retraining: the same data, settings and stages give the same model."""
    versions = (CACHE, TRIPLETS, MODEL, FOLD, REPORT)
    return digest_of("retrain", versions, train.revision, test.revision if test else None, config.science())
