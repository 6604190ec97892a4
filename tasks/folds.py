"""Extra trainings that test the evaluation: on banks without one mode, with permuted modes, or split otherwise.

Each bank is a sealed stage, so that the ordinary training step trains on it and an interrupted run resumes. Its rows
are those of the bank that it comes from, and share its maps on the disk.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tasks.config.fingerprints import fold_digest, fold_metrics_digest
from tasks.config.run import RunConfig
from tasks.core.results import Fold, Stage
from tasks.core.stages import get_or_make_stage
from tasks.data.bank import Bank, load_bank
from tasks.data.bank_variants import FITTED_PARTS, subsample, with_notebook_split, with_permuted_modes, without_mode
from tasks.data.split import PARTS
from tasks.evaluation.ablation import permuted_label_metrics, replayed_split_metrics, unseen_metrics
from tasks.evaluation.scored_records import score_bank_part, score_part
from tasks.model.embeddings import EmbeddedBank
from tasks.registry.loading import load_encoder, trained_classifier

PERMUTATIONS = 3  # with few or similar records, a single one may be far from 0.5 by chance


def plan_folds(triplets: Stage, config: RunConfig) -> tuple[Fold, ...]:
    """The folds that the settings ask for: each mode of defects left out in turn, the modes permuted, a split replayed.

    A mode stays in where the test part has no record of it, or where fewer than two modes would remain to train,
    stop or calibrate on.
    """
    settings, bank = config.evaluate, load_bank(triplets.path)
    unseen = [Fold("without", bank.modes[code]) for code in _defective(bank)] if settings.unseen else []
    permuted = [Fold("permuted", str(number + 1)) for number in range(PERMUTATIONS)] if settings.permutation else []
    replayed = [Fold("replay", config.split.replay)] if config.split.replay else []
    return (*unseen, *permuted, *replayed)


def _defective(bank: Bank) -> list[int]:
    """The codes of the modes that can be left out: most of their records are defects."""
    modes = {part: set(bank.mode[bank.rows(part)].tolist()) for part in PARTS}
    return [
        code
        for code in range(len(bank.modes))
        if bank.good[bank.mode == code].mean() < 0.5
        and code in modes["test"]
        and all(len(modes[part] - {code}) > 1 for part in FITTED_PARTS)
    ]


def make_fold_bank(triplets: Stage, fold: Fold, config: RunConfig) -> Stage:
    """The stage folder with the bank of a fold; `triplets` is the stage that it comes from."""

    def make(draft: Path) -> dict[str, Any]:
        bank = load_bank(triplets.path)
        options = config.triplets.per_record, config.seed
        if fold.kind == "permuted":
            variant = with_permuted_modes(bank, int(fold.name), *options)
        elif fold.kind == "replay":
            variant = with_notebook_split(bank)
        else:
            variant = without_mode(bank, fold.name, *options)
        variant.save(draft, maps=Path(triplets.path) / "maps.npy")
        records = {part: len(variant.rows(part)) for part in PARTS}
        counts = {f"triplets_{part}": len(rows) for part, rows in variant.triplets.items()}
        return {"fold": fold.title, "size": triplets.facts["size"], "records": records, **counts}

    return get_or_make_stage(config.stages_path, "fold", fold_digest(triplets.digest, fold, config), make)


def fold_metrics(triplets: Stage, variant: Stage, model: Stage, fold: Fold, config: RunConfig) -> Stage:
    """The stage whose facts hold the `figures` of a model that was trained on a variant of the bank of `triplets`."""
    config = config.resolved()
    digest = fold_metrics_digest(variant.digest, model.digest, config)

    def make(draft: Path) -> dict[str, Any]:
        most = config.evaluate.most_records
        records = EmbeddedBank(load_encoder(model), subsample(load_bank(variant.path), most))
        if fold.kind == "replay":
            return {"figures": {"kind": fold.kind, "name": fold.name, **replayed_split_metrics(records, config)}}
        classifier = trained_classifier(records, config)
        if fold.kind == "without":
            test = score_bank_part(classifier, subsample(load_bank(triplets.path), most), "test")
            figures = unseen_metrics(test, score_part(classifier, records, "calibrate"), fold.name, config)
        else:
            figures = permuted_label_metrics(score_part(classifier, records, "test"), config)
        return {"figures": {"kind": fold.kind, "name": fold.name, **figures}}

    return get_or_make_stage(config.stages_path, "fold-figures", digest, make)
