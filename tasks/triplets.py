"""Splits the cached records and makes triplets of them, for every layout of the source.

Split first, by record and group; then anchors from training records alone; then triplets within each part. Whatever
is dropped is counted.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tasks.config.fingerprints import triplets_digest
from tasks.config.run import RunConfig, SplitConfig
from tasks.core.errors import UnfitData
from tasks.core.facts import BankFacts
from tasks.core.json_form import Json
from tasks.core.progress import note_line
from tasks.core.results import CachedSource, Finding, Stage
from tasks.core.stages import get_or_make_stage
from tasks.data.bank import Bank, write_maps
from tasks.data.checks import MIN_MODE_RECORDS
from tasks.data.map_statistics import ModeMeans, tee_means
from tasks.data.records import Records, read_records
from tasks.data.sampling import triplets_by_part
from tasks.data.schema import listed
from tasks.data.split import PARTS, linked_components, split_records, split_units
from tasks.evaluation.least_sizes import MIN_TEST_RECORDS
from tasks.sources.decided_labels import CHOSEN, NEW_CHOSEN, NEW_RANDOM

GIANT_COMPONENT = 0.5  # share of all records; a component of more than that cannot stay together
TEST = PARTS.index("test")
MIN_UNSHARED_RECORDS = 100  # of a test source that is mostly in the training source too


def triplets(train: CachedSource, test: CachedSource | None, config: RunConfig) -> Stage:
    """The stage folder with the record bank (see tasks/data/bank.py) and its triplets.

    Its facts are BankFacts. A test source that is mostly in the training source too, and leaves too little to test
    on, is split with it as one source. Raises UnfitData where too little is left to split.
    """
    pooled = _shared_records(train, test) if test else None
    digest = triplets_digest(train.stage.digest, test.stage.digest if test else None, config, pooled is not None)

    def make(draft: Path) -> dict[str, Any]:
        bank, facts = _make(train, test, pooled, config, draft / "maps.npy")
        bank.save(draft, maps=draft / "maps.npy")
        return facts.as_json()

    return get_or_make_stage(config.stages_path, "triplets", digest, make)


def _shared_records(train: CachedSource, test: CachedSource) -> Json | None:
    """`BankFacts.pooled` where both sources are to be split as one; None elsewhere."""
    test_records = read_records(test.stage.path)
    unshared, overlap = _held_out(test_records, _usable(read_records(train.stage.path))[0])
    if overlap["test_in_train"] <= len(unshared) or len(unshared) >= MIN_UNSHARED_RECORDS:
        return None
    return {"test_records": len(test_records), "in_train": overlap["test_in_train"], "unshared": len(unshared)}


def _make(
    train: CachedSource, test: CachedSource | None, pooled: Json | None, config: RunConfig, maps: Path
) -> tuple[Bank, BankFacts]:
    """The bank, whose maps are written to the file `maps` while they are read, and its facts."""
    source = read_records(train.stage.path)
    if pooled:
        note_line(
            f"test source: {pooled['in_train']:,} of its {pooled['test_records']:,} records are in the training source "
            f"too, {pooled['unshared']:,} are left to test on; both are split as one source"
        )
        source = _pool(source, read_records(test.stage.path))
    records, dropped = _usable(source)
    has_test = test is not None and not pooled
    part, split_by = _split(records, config.split, has_test)
    records, part, decided = _place_decided(records, part, split_by, train.facts.decided)
    if has_test:
        test_records, overlap = _held_out(read_records(test.stage.path), records)
        dropped |= overlap
        records = records.append(test_records)
        part = np.concatenate([part, np.full(len(test_records), TEST, np.int8)])
    one_group = _modes_of_one_group(records) if split_by == "group" else {}
    trained = np.isin(records.mode, records.mode[part == 0])
    dropped["dropped_untrained_mode"] = int((~trained).sum())
    records, part = records.select(np.flatnonzero(trained)), part[trained]
    dropped["dropped_triplets"] = len(source.triplets) - len(records.triplets)
    good_alone = bool(
        len(records) and (records.label == config.data.good).all() and (records.mode == records.mode[0]).all()
    )
    if good_alone:  # nothing is validated or calibrated apart: tasks/zero
        part = np.where(part == TEST, TEST, 0).astype(np.int8)
    bank, counts = _bank(records, part, config, maps)
    if not good_alone:
        _require_enough(bank, train.resolved.source, one_group)
    if has_test:
        _require_test_records(bank, test.resolved.source, dropped)
    facts = BankFacts(
        size=(config.data.rows, config.data.cols),
        split_by=split_by,
        **_part_counts(bank),
        dropped=dropped,
        triplets=counts,
        brought_anchors=_compare_anchors(source, bank),
        pooled=pooled,
        decided=decided,
        good_alone=good_alone or None,
    )
    return bank, facts


def _place_decided(
    records: Records, part: np.ndarray, split_by: str, counts: Json | None
) -> tuple[Records, np.ndarray, Json | None]:
    """Records and parts (n,) by where people's labels may be used, and the counts with what came of it.

    A model's own doubts choose most of the parts that people look at: such parts would bias a test. So of added parts
    only those that were picked at random go to the test set, with their whole lot, and the others are trained on. Parts
    of a lot that the source has go where the lot is. What was chosen and is in the test set is left out.
    """
    if counts is None:
        return records, part, None
    code = records.decided
    units = (
        np.where(records.group != "", records.group, records.hash.astype(str))
        if split_by == "group"
        else (records.hash.astype(str))
    )
    new = (code >= NEW_CHOSEN) & ~np.isin(units, units[code < NEW_CHOSEN])
    part = np.where(new, np.where(np.isin(units, units[new & (code == NEW_RANDOM)]), TEST, 0), part).astype(np.int8)
    left_out = (part == TEST) & np.isin(code, (CHOSEN, NEW_CHOSEN))
    random_test = int(((part == TEST) & (code == NEW_RANDOM)).sum())
    kept = np.flatnonzero(~left_out)
    counts = {**counts, "random_test": random_test, "left_out": int(left_out.sum())}
    return records.select(kept), part[kept], counts


def _pool(train: Records, test: Records) -> Records:
    """The records of both sources, each once, with the training source's triplets.

    A record to which the two give different labels or modes is contradictory.
    """
    _, in_train, in_test = np.intersect1d(train.key, test.key, assume_unique=True, return_indices=True)
    contradictory = train.contradictory.copy()
    contradictory[in_train] |= test.contradictory[in_test]
    for name in ("label", "mode"):
        texts = getattr(train, name)[in_train], getattr(test, name)[in_test]
        contradictory[in_train] |= (texts[0] != texts[1]) & (texts[0] != "") & (texts[1] != "")
    new = np.setdiff1d(np.arange(len(test)), in_test)
    return replace(train, contradictory=contradictory).append(test.select(new))


def _usable(records: Records) -> tuple[Records, dict[str, int]]:
    """The records without contradictory ones and without modes too small to be split, and how many are dropped."""
    names, codes, sizes = np.unique(records.mode, return_inverse=True, return_counts=True)
    contradictory = records.contradictory
    sizes = sizes - np.bincount(codes, weights=contradictory, minlength=len(names)).astype(int)
    small = (sizes < MIN_MODE_RECORDS)[codes] & ~contradictory
    counts = {"dropped_contradictory": int(contradictory.sum()), "dropped_small_modes": int(small.sum())}
    return records.select(np.flatnonzero(~contradictory & ~small)), counts


def _split(records: Records, settings: SplitConfig, has_test: bool) -> tuple[np.ndarray, str]:
    """The part (n,) of each record, and which records stay together."""
    units, unit = (None, "record") if settings.unit == "record" else _units(records)
    codes = np.unique(records.mode, return_inverse=True)[1]
    shares = [getattr(settings, part) for part in PARTS]
    if has_test:
        shares[TEST] = 0.0
    needed = sum(share > 0 for share in shares)
    if units is not None and len(np.unique(units)) < needed:
        units, unit = None, f"record (fewer than {needed} {unit}s)"
    if units is None:
        return split_records(records.hash_blocks().blocks(), codes, shares, settings.seed, settings.fixed), unit
    return split_units(units, codes, shares, settings.seed, settings.fixed), unit


def _units(records: Records) -> tuple[np.ndarray | None, str]:
    """The unit (n,) of each record: its group if the data names any, else its linked records; None: itself."""
    if (records.group != "").any():
        return np.where(records.group != "", records.group, records.hash.astype(str)), "group"
    if len(records.triplets):
        component = linked_components(len(records), records.triplets[:, 1:])
        if np.bincount(component).max() <= GIANT_COMPONENT * len(records):
            return np.char.add("c", component.astype(str)), "component"
        return None, "record (one giant component)"
    return None, "record"


def _held_out(test: Records, train: Records) -> tuple[Records, dict[str, int]]:
    """The test records with a known mode that the training source shares neither by record nor by group."""
    same = np.isin(test.key, train.key)
    grouped = np.isin(test.group, train.group[train.group != ""]) & ~same
    shared = same | grouped
    unknown = ~np.isin(test.mode, train.mode) & ~shared
    contradictory = test.contradictory & ~shared & ~unknown
    return test.select(np.flatnonzero(~shared & ~unknown & ~contradictory)), {
        "test_in_train": int(same.sum()),
        "test_group_in_train": int(grouped.sum()),
        "test_unknown_mode": int(unknown.sum()),
        "test_contradictory": int(contradictory.sum()),
    }


def _bank(records: Records, part: np.ndarray, config: RunConfig, maps: Path) -> tuple[Bank, dict[str, int]]:
    """The bank, and the numbers of its triplets."""
    modes = sorted(set(records.mode.tolist()), key=natural_order)
    codes = {name: code for code, name in enumerate(modes)}
    mode = np.array([codes[name] for name in records.mode], np.int32)
    pairs, settings = records.triplets[:, 1:], config.triplets
    triplets, counts = triplets_by_part(mode, part, pairs, settings.per_record, settings.replace_crossing, config.seed)
    values = config.data.rows * config.data.cols
    means = ModeMeans(len(modes), values)
    blocks = tee_means(records.blocks(), np.where(part == 0, mode, -1), means)
    write_maps(maps, blocks, (len(records), values))
    bank = Bank(
        maps=np.load(maps, mmap_mode="r", allow_pickle=False),
        anchors=means.result(),
        mode=mode,
        good=records.label == config.data.good,
        part=part,
        hash=records.hash_blocks(),
        group=records.group,
        modes=modes,
        triplets=triplets,
        component=linked_components(len(records), pairs) if len(pairs) else np.empty(0, np.int32),
        id=records.id_blocks(),
    )
    return bank, counts


def natural_order(name: str) -> tuple[bool, int, str]:
    """Sorts modes that are numbers as numbers, and before the others."""
    number = bool(re.fullmatch(r"-?[0-9]{1,18}", name))
    return not number, int(name) if number else 0, name


def _modes_of_one_group(records: Records) -> dict[str, str]:
    """The group of each mode all of whose records are of one."""
    groups = {mode: set(records.group[records.mode == mode].tolist()) for mode in np.unique(records.mode).tolist()}
    return {mode: group for mode, (group, *others) in groups.items() if group and not others}


def _require_enough(bank: Bank, source: str, one_group: dict[str, str]) -> None:
    """Raise UnfitData where the split leaves too little for training or evaluation; `one_group`: a frequent reason."""
    sizes = {part: len(bank.triplets[part]) for part in PARTS}
    if len(bank.modes) < 2 or not all(sizes.values()):
        counts = ", ".join(f"{size} {part} triplets" for part, size in sizes.items())
        notes = f"{len(bank.modes)} modes to train on, {counts}; add more records"
        if one_group:
            modes = listed([f"mode {mode} (from {group})" for mode, group in sorted(one_group.items())])
            notes = (
                f"all records of {modes} come from one group, which stays in one part of the split: they cannot be "
                f"in training and test; add records of these modes from other groups ({counts})"
            )
        raise UnfitData(source, (Finding("enough to split", False, True, notes),))


def _require_test_records(bank: Bank, source: str, dropped: dict[str, int]) -> None:
    """Raise UnfitData where a test source leaves too few records to judge a model by."""
    count = len(bank.rows("test"))
    if count < MIN_TEST_RECORDS:
        left_out = ", ".join(f"{number} {name.removeprefix('test_')}" for name, number in dropped.items() if number)
        notes = f"{count} test records are left, {MIN_TEST_RECORDS} are needed ({left_out or 'none were left out'})"
        raise UnfitData(source, (Finding("enough to test on", False, True, notes),))


def _part_counts(bank: Bank) -> dict[str, Any]:
    """The numbers of records, modes, good records and groups by part."""
    rows = {part: bank.rows(part) for part in PARTS}
    return {
        "records": {part: len(rows[part]) for part in PARTS},
        "modes": {
            name: {part: int((bank.mode[rows[part]] == code).sum()) for part in PARTS}
            for code, name in enumerate(bank.modes)
        },
        "good": {part: int(bank.good[rows[part]].sum()) for part in PARTS},
        "groups": {part: len(set(bank.group[rows[part]].tolist()) - {""}) for part in PARTS},
    }


def _compare_anchors(records: Records, bank: Bank) -> dict[str, Any] | None:
    """How far the anchors of a wide source are from the bank's, relative to the norm of the bank's; None without any.

    They are compared, never used: a mean over all records of the source contains the test set.
    """
    codes = {name: code for code, name in enumerate(bank.modes)}
    in_bank = np.array([name in codes for name in records.anchor_mode], bool)
    if not in_bank.any():
        return None
    expected = bank.anchors[[codes[name] for name in records.anchor_mode[in_bank]]].astype(np.float64)
    difference = np.linalg.norm(records.anchors[in_bank] - expected, axis=1)
    difference /= np.maximum(np.linalg.norm(expected, axis=1), 1e-12)
    return {
        "count": len(difference),
        "median_difference": float(np.median(difference)),
        "largest": float(difference.max()),
    }
