"""The digest that names each stage: of its input, the settings that it reads, and the stage's own version.

Raise a version when its stage would make something else of the same input; all later stages are then made again, too.
Standard library alone: a run that changes nothing must not wait for TensorFlow.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tasks.config.run import DataConfig, RunConfig
from tasks.core.files import digest_of
from tasks.core.own_code import own_digests
from tasks.core.results import Fold, PinnedSource

CACHE_VERSION = 2
TRIPLETS_VERSION = 6
MODEL_VERSION = 3
REPORT_VERSION = 9
TRIAL_VERSION = 2
FOLD_VERSION = 1
SWEEP_VERSION = 1
RELEASE_FORMAT = 2  # a release of a higher format needs a later Kensa


def cache_digest(revision: str, data: DataConfig, held_out: bool) -> str:
    """Names the cache of a revision, read with these settings."""
    return digest_of("cache", CACHE_VERSION, revision, data.fingerprint_fields(), held_out)


def triplets_digest(train: str, test: str | None, config: RunConfig, pooled: bool = False) -> str:
    """Names the bank made from these caches; `pooled`: both are split as one source."""
    settings = (config.data.good, config.split.split_fields(), asdict(config.triplets), config.seed)
    return digest_of("triplets", TRIPLETS_VERSION, train, test, settings, *(["pooled"] if pooled else []))


def model_digest(triplets: str, config: RunConfig, backend: str) -> str:
    """Names the model trained from this bank. The backend counts: its last bits differ.

    So does the source of a tower or distance of your own; raises BadSetting where it is not found.
    """
    config = config.resolved()
    size = (config.data.rows, config.data.cols)
    own = own_digests((config.tower.kind, config.fit.distance))
    validated = config.fit.keep == "best" and config.fit.batches == "records"  # else validation changes no weight
    return digest_of(
        *("model", MODEL_VERSION, triplets, size, asdict(config.tower), asdict(config.fit), config.seed, backend),
        *(["validated by prototypes"] if validated else []),
        *([own] if own else []),
    )


def trial_digest(triplets: str, config: RunConfig, backend: str) -> str:
    """Names a trial of a sweep: its model, evaluated on the validation part of its bank."""
    return digest_of("trial", TRIAL_VERSION, model_digest(triplets, config, backend))


def fold_digest(triplets: str, fold: Fold, config: RunConfig) -> str:
    """Names a variant of a bank: one mode left out, or the modes permuted."""
    return digest_of("fold", FOLD_VERSION, triplets, asdict(fold), asdict(config.triplets), config.seed)


def fold_metrics_digest(variant: str, model: str, config: RunConfig) -> str:
    """Names the metrics of a model trained on a variant of a bank."""
    return digest_of("fold figures", FOLD_VERSION, variant, model, config.evaluate.fingerprint_fields(), config.seed)


def report_digest(model: str, config: RunConfig, champion: Any, facts: Any) -> str:
    """Names the evaluation of a model; `champion` identifies the release that it is compared with."""
    fields = config.evaluate.fingerprint_fields(), config.gate.fingerprint_fields()
    evaluation = [*fields, asdict(config.cost), asdict(config.report)]
    settings = (evaluation, config.data.fingerprint_fields(), config.seed)
    return digest_of("report", REPORT_VERSION, model, settings, champion, facts)


def sweep_digest(run: RunConfig, values: list[dict[str, str]], figure: str, outcomes: list[dict[str, Any]]) -> str:
    """Names the conclusion of a sweep: its search, and the outcome of each trial."""
    search = (run.fingerprint_fields(), run.train, run.test, run.preset, values, figure)
    return digest_of("sweep", SWEEP_VERSION, *search, outcomes)


def fingerprint(train: PinnedSource, test: PinnedSource | None, config: RunConfig, parent: str | None = None) -> str:
    """Names a whole retraining: the same data, settings and stages give the same model.

    parent: the fingerprint of the release that `zero.parent` names, which counts where it is set.

    Raises BadSetting for a tower or distance of your own that is not found.
    """
    versions = (CACHE_VERSION, TRIPLETS_VERSION, MODEL_VERSION, FOLD_VERSION, REPORT_VERSION)
    revisions, resolved = (train.identity, test.identity if test else None), config.resolved()
    own = own_digests((resolved.tower.kind, resolved.fit.distance))
    return digest_of("retrain", versions, *revisions, config.fingerprint_fields(), *filter(None, (own, parent)))
