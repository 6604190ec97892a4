"""Extra trainings that test the evaluation: on banks without one mode or set of groups, with permuted modes, or split
otherwise.

Each bank is a sealed stage, so that the ordinary training step trains on it and an interrupted run resumes. Its rows
are those of the bank that it comes from, and share its maps on the disk.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tasks.config.fingerprints import fold_digest, fold_metrics_digest
from tasks.config.run import RunConfig
from tasks.core.errors import UnfitData
from tasks.core.results import Finding, Fold, Stage
from tasks.core.stages import get_or_make_stage
from tasks.data.bank import Bank, load_bank
from tasks.data.bank_variants import (
    UNUSED,
    subsample,
    with_notebook_split,
    with_parts,
    with_permuted_modes,
    without_mode,
)
from tasks.data.split import FITTED_PARTS, PART_TITLES, PARTS, split_units
from tasks.evaluation.ablation import permuted_label_metrics, replayed_split_metrics, unseen_metrics
from tasks.evaluation.cross_fitting import sets_of_groups
from tasks.evaluation.scored_records import OutOfFoldScores, score_bank_part, score_part
from tasks.model.classifier import PrototypeClassifier
from tasks.registry.loading import embedded_bank, load_tower, trained_classifier

PERMUTATIONS = 3  # with few or similar records, a single one may be far from 0.5 by chance


def plan_folds(triplets: Stage, config: RunConfig) -> tuple[Fold, ...]:
    """The folds that the settings ask for: without a mode, with permuted modes, on a replayed split, without groups.

    A mode stays in where the test part has no record of it, or where fewer than two modes would remain to train,
    stop or calibrate on.
    """
    settings, bank = config.evaluate, load_bank(triplets.path)
    unseen = [Fold("without", bank.modes[code]) for code in _defective(bank)] if settings.unseen else []
    permuted = [Fold("permuted", str(number + 1)) for number in range(PERMUTATIONS)] if settings.permutation else []
    replayed = [Fold("replay", config.split.replay)] if config.split.replay else []
    sets = len(np.unique(_crossed_sets(triplets, bank, config))) if settings.cross else 0
    crossed = [Fold("cross", f"{number + 1}/{sets}") for number in range(sets)]
    return (*unseen, *permuted, *replayed, *crossed)


def _crossed_sets(triplets: Stage, bank: Bank, config: RunConfig) -> np.ndarray:
    """The set (n,) of groups of each record that is tested once; UNUSED where the test part is a source of its own."""
    units = np.where(bank.group != "", bank.group, bank.hash.astype(str))
    used = np.full(len(units), True) if _test_part_is_split(triplets, config) else bank.part != PARTS.index("test")
    sets = np.full(len(units), UNUSED, np.int64)
    sets[used] = sets_of_groups(units[used], config.evaluate.cross, config.split.seed)
    return sets


def _test_part_is_split(triplets: Stage, config: RunConfig) -> bool:
    """Whether the test part comes from the training source, or from both as one."""
    return config.test is None or bool(triplets.facts.get("pooled"))


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
        elif fold.kind == "cross":
            variant = with_parts(bank, _parts_for_cross_fitting(triplets, bank, fold, config), *options)
            _require_triplets(variant, fold, config)
        else:
            variant = without_mode(bank, fold.name, *options)
        variant.save(draft, maps=Path(triplets.path) / "maps.npy")
        records = {part: len(variant.rows(part)) for part in PARTS}
        counts = {f"triplets_{part}": len(rows) for part, rows in variant.triplets.items()}
        return {"fold": fold.title, "size": triplets.facts["size"], "records": records, **counts}

    return get_or_make_stage(config.stages_path, "fold", fold_digest(triplets.digest, fold, config), make)


def _parts_for_cross_fitting(triplets: Stage, bank: Bank, fold: Fold, config: RunConfig) -> np.ndarray:
    """The part (n,) of each record: the fold's set is tested, all other groups are split as the run's are."""
    sets = _crossed_sets(triplets, bank, config)
    tested = sets == _set_number(fold)
    rest = (sets != UNUSED) & ~tested & (bank.mode != UNUSED)
    units = np.where(bank.group != "", bank.group, bank.hash.astype(str))
    if config.split.unit == "record" or len(np.unique(units[rest])) < len(FITTED_PARTS):
        units = bank.hash.astype(str)
    shares = [getattr(config.split, part) for part in FITTED_PARTS] + [0.0]
    part = np.where(tested, PARTS.index("test"), UNUSED).astype(np.int8)
    part[rest] = split_units(units[rest], bank.mode[rest], shares, config.split.seed, config.split.fixed)
    return part


def _require_triplets(bank: Bank, fold: Fold, config: RunConfig) -> None:
    """Raise UnfitData where the other groups are too few to train, stop and calibrate on."""
    sizes = {part: len(bank.triplets[part]) for part in FITTED_PARTS}
    if not all(sizes.values()):
        counts = ", ".join(f"{size} {PART_TITLES[part]} triplets" for part, size in sizes.items())
        notes = f"{counts} without the groups of set {fold.name}; add groups, or leave evaluate.cross out"
        raise UnfitData(config.train, (Finding("enough groups to leave some out", False, True, notes),))


def _score_tested_set(
    classifier: PrototypeClassifier, triplets: Stage, fold: Fold, config: RunConfig
) -> OutOfFoldScores:
    """The records of the fold's set of groups, as a model sees them that was not trained on these groups."""
    whole = load_bank(triplets.path)
    tested = whole.hash[_crossed_sets(triplets, whole, config) == _set_number(fold)]
    bank = subsample(whole, config.evaluate.most_records)
    rows = np.flatnonzero(np.isin(bank.hash, tested))
    embedded = classifier.embed(bank.maps[rows])
    nearest = np.array(classifier.modes)[classifier.mode_distances(embedded).argmin(axis=1)]
    mode = np.array(bank.modes)[bank.mode[rows]]
    return OutOfFoldScores(
        score=classifier.score(embedded),
        good=bank.good[rows],
        group=bank.group[rows],
        hash=bank.hash[rows],
        right=np.where(np.isin(mode, classifier.modes), nearest == mode, np.nan),
        test=bank.part[rows] == PARTS.index("test"),
    )


def _set_number(fold: Fold) -> int:
    return int(fold.name.partition("/")[0]) - 1


def fold_metrics(triplets: Stage, variant: Stage, model: Stage, fold: Fold, config: RunConfig) -> Stage:
    """The stage whose facts hold the `figures` of a model that was trained on a variant of the bank of `triplets`."""
    config = config.resolved()
    digest = fold_metrics_digest(variant.digest, model.digest, config)

    def make(draft: Path) -> dict[str, Any]:
        most = config.evaluate.most_records
        records = embedded_bank(load_tower(model), subsample(load_bank(variant.path), most), config)
        if fold.kind == "replay":
            return {"figures": {"kind": fold.kind, "name": fold.name, **replayed_split_metrics(records, config)}}
        classifier = trained_classifier(records, config)
        if fold.kind == "cross":
            _score_tested_set(classifier, triplets, fold, config).save(draft)
            return {"figures": {"kind": fold.kind, "name": fold.name, "stage": digest}}
        if fold.kind == "without":
            test = score_bank_part(classifier, subsample(load_bank(triplets.path), most), "test")
            figures = unseen_metrics(test, score_part(classifier, records, "calibrate"), fold.name, config)
        else:
            figures = permuted_label_metrics(score_part(classifier, records, "test"), config)
        return {"figures": {"kind": fold.kind, "name": fold.name, **figures}}

    return get_or_make_stage(config.stages_path, "fold-figures", digest, make)
