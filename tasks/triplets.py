"""Splits the cached records and makes triplets of them, for every layout of the source.

Split first, by record and group; then anchors from training records alone; then triplets within each part. Whatever
is dropped is counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tasks.config.fingerprints import triplets_digest
from tasks.config.run import RunConfig, SplitConfig
from tasks.core.errors import UnfitData
from tasks.core.facts import BankFacts
from tasks.core.files import ensure_writable
from tasks.core.json_form import Json
from tasks.core.npz import ArrayBlocks
from tasks.core.progress import note_line
from tasks.core.results import CachedSource, Finding, Stage
from tasks.core.stages import get_or_make_stage
from tasks.data.bank import Bank, write_maps
from tasks.data.checks import MIN_MODE_RECORDS
from tasks.data.columns import count_codes, count_pairs, on_disk, row_blocks, take
from tasks.data.map_statistics import ModeMeans, tee_means
from tasks.data.records import Records, read_records
from tasks.data.sampling import triplet_blocks_by_part
from tasks.data.schema import listed
from tasks.data.split import PARTS, Units, linked_components, split_coded_units, split_records
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
    pooled = _shared_records(train, test, ensure_writable(config.stages_path)) if test else None
    digest = triplets_digest(train.stage.digest, test.stage.digest if test else None, config, pooled is not None)

    def make(draft: Path) -> dict[str, Any]:
        bank, facts = _make(train, test, pooled, config, draft)
        bank.save(draft, maps=draft / "maps.npy")
        return facts.as_json()

    return get_or_make_stage(config.stages_path, "triplets", digest, make)


def _shared_records(train: CachedSource, test: CachedSource, folder: Path) -> Json | None:
    """`BankFacts.pooled` where both sources are to be split as one; None elsewhere."""
    test_records = read_records(test.stage.path, folder)
    unshared, overlap = _held_out(test_records, _usable(read_records(train.stage.path, folder))[0])
    if overlap["test_in_train"] <= len(unshared) or len(unshared) >= MIN_UNSHARED_RECORDS:
        return None
    return {"test_records": len(test_records), "in_train": overlap["test_in_train"], "unshared": len(unshared)}


def _make(
    train: CachedSource, test: CachedSource | None, pooled: Json | None, config: RunConfig, draft: Path
) -> tuple[Bank, BankFacts]:
    """The bank, whose maps are written to the folder `draft` while they are read, and its facts."""
    source = read_records(train.stage.path, draft)
    if pooled:
        note_line(
            f"test source: {pooled['in_train']:,} of its {pooled['test_records']:,} records are in the training source "
            f"too, {pooled['unshared']:,} are left to test on; both are split as one source"
        )
        source = source.pool(read_records(test.stage.path, draft))
    records, dropped = _usable(source)
    has_test = test is not None and not pooled
    part, split_by = _split(records, config.split, has_test)
    records, part, decided = _place_decided(records, part, split_by, train.facts.decided)
    if has_test:
        test_records, overlap = _held_out(read_records(test.stage.path, draft), records)
        dropped |= overlap
        records = records.append(test_records)
        part = np.concatenate([part, np.full(len(test_records), TEST, np.int8)])
    one_group = records.mode.with_one_name_in(records.group) if split_by == "group" else {}
    trained = records.mode.isin(records.mode.used(part == 0))
    dropped["dropped_untrained_mode"] = int(np.count_nonzero(~trained))
    records, part = records.select(trained), part[trained]
    dropped["dropped_triplets"] = len(source.triplets) - len(records.triplets)
    good_alone = records.label.used().tolist() == [config.data.good] and len(records.mode.used()) == 1
    if good_alone:  # nothing is validated or calibrated apart: tasks/zero
        part = np.where(part == TEST, part, np.int8(0))
    bank, counts = _bank(records, part, config, draft)
    if not good_alone:
        _require_enough(bank, train.resolved.source, one_group)
    if has_test:
        _require_test_records(bank, test.resolved.source, dropped)
    facts = BankFacts(
        size=(config.data.rows, config.data.cols),
        split_by=split_by,
        **_part_counts(records, bank, config.data.good),
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
    units = records.group_units()[0] if split_by == "group" else np.arange(len(records), dtype=np.int32)
    kinds = int(units.max()) + 1

    def of_units(where: np.ndarray) -> np.ndarray:
        return take(count_codes(units, kinds, where) > 0, units)

    new = (code >= NEW_CHOSEN) & ~of_units(code < NEW_CHOSEN)
    part = np.where(new, np.where(of_units(new & (code == NEW_RANDOM)), TEST, 0), part).astype(np.int8)
    left_out = (part == TEST) & np.isin(code, (CHOSEN, NEW_CHOSEN))
    random_test = int(((part == TEST) & (code == NEW_RANDOM)).sum())
    counts = {**counts, "random_test": random_test, "left_out": int(left_out.sum())}
    return records.select(~left_out), part[~left_out], counts


def _usable(records: Records) -> tuple[Records, dict[str, int]]:
    """The records without contradictory ones and without modes too small to be split, and how many are dropped."""
    mode, sound = records.mode, ~records.contradictory
    small = sound & mode.isin(mode.names[mode.counts(sound) < MIN_MODE_RECORDS])
    counts = {
        "dropped_contradictory": len(records) - int(np.count_nonzero(sound)),
        "dropped_small_modes": int(np.count_nonzero(small)),
    }
    return records.select(sound & ~small), counts


def _split(records: Records, settings: SplitConfig, has_test: bool) -> tuple[np.ndarray, str]:
    """The part (n,) of each record, and which records stay together."""
    units, unit = (None, "record") if settings.unit == "record" else _units(records)
    shares = [getattr(settings, part) for part in PARTS]
    if has_test:
        shares[TEST] = 0.0
    needed = sum(share > 0 for share in shares)
    if units is not None and np.count_nonzero(count_codes(units[0], int(units[0].max()) + 1)) < needed:
        units, unit = None, f"record (fewer than {needed} {unit}s)"
    modes, hashes = records.mode.codes, records.hash_blocks().blocks()
    if units is None:
        return split_records(hashes, modes, shares, settings.seed, settings.fixed, records.folder), unit
    return split_coded_units(*units, modes, shares, settings.seed, settings.fixed), unit


def _units(records: Records) -> tuple[Units | None, str]:
    """The unit of each record: its group if the data names any, else its linked records; None: itself."""
    if records.group.used().any():
        return records.group_units(), "group"
    if len(records.triplets):
        component = linked_components(len(records), records.triplets[:, 1:])
        sizes = np.bincount(component)
        if sizes.max() <= GIANT_COMPONENT * len(records):
            return (component, [np.char.add("c", np.arange(len(sizes)).astype(str))]), "component"
        return None, "record (one giant component)"
    return None, "record"


def _held_out(test: Records, train: Records) -> tuple[Records, dict[str, int]]:
    """The test records with a known mode that the training source shares neither by record nor by group."""
    same = np.zeros(len(test), bool)
    same[train.shared_with(test)[1]] = True
    groups = train.group.used()
    grouped = test.group.isin(groups[groups != ""]) & ~same
    shared = same | grouped
    unknown = ~test.mode.isin(train.mode.used()) & ~shared
    contradictory = test.contradictory & ~shared & ~unknown
    return test.select(~shared & ~unknown & ~contradictory), {
        "test_in_train": int(same.sum()),
        "test_group_in_train": int(grouped.sum()),
        "test_unknown_mode": int(unknown.sum()),
        "test_contradictory": int(contradictory.sum()),
    }


def _bank(records: Records, part: np.ndarray, config: RunConfig, draft: Path) -> tuple[Bank, dict[str, int]]:
    """The bank, and the numbers of its triplets."""
    modes = sorted(records.mode.used().tolist(), key=natural_order)
    codes, good = np.full(len(records.mode.names), -1, np.int32), records.label.names == config.data.good
    codes[np.searchsorted(records.mode.names, modes)] = np.arange(len(modes))

    def blocks(of: Callable[[slice], np.ndarray]) -> Iterator[np.ndarray]:
        return map(of, row_blocks(len(records)))

    mode = on_disk(blocks(lambda rows: codes[records.mode.codes[rows]]), np.int32, draft)
    trained = on_disk(blocks(lambda rows: np.where(part[rows] == 0, mode[rows], -1)), np.int32, draft)
    pairs, settings = records.triplets[:, 1:], config.triplets
    triplets, counts = triplet_blocks_by_part(
        mode, part, pairs, settings.per_record, settings.replace_crossing, config.seed, draft
    )
    values = config.data.rows * config.data.cols
    means = ModeMeans(len(modes), values)
    write_maps(draft / "maps.npy", tee_means(records.blocks(), trained, means), (len(records), values))
    bank = Bank(
        maps=np.load(draft / "maps.npy", mmap_mode="r", allow_pickle=False),
        anchors=means.result(),
        mode=mode,
        good=ArrayBlocks(np.dtype(bool), len(records), lambda: blocks(lambda rows: good[records.label.codes[rows]])),
        part=part,
        hash=records.hash_blocks(),
        group=ArrayBlocks(records.group.names.dtype, len(records), lambda: blocks(lambda rows: records.group[rows])),
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
    count = np.count_nonzero(bank.part == TEST)
    if count < MIN_TEST_RECORDS:
        left_out = ", ".join(f"{number} {name.removeprefix('test_')}" for name, number in dropped.items() if number)
        notes = f"{count} test records are left, {MIN_TEST_RECORDS} are needed ({left_out or 'none were left out'})"
        raise UnfitData(source, (Finding("enough to test on", False, True, notes),))


def _part_counts(records: Records, bank: Bank, good: str) -> dict[str, Any]:
    """The numbers of records, modes, good records and groups by part."""

    def counts(codes: np.ndarray, kinds: int) -> np.ndarray:
        return count_pairs(((bank.part[rows], codes[rows]) for rows in row_blocks(len(codes))), (len(PARTS), kinds))

    def by_part(numbers: np.ndarray) -> dict[str, int]:
        return dict(zip(PARTS, numbers.tolist(), strict=True))

    label, group = records.label, records.group
    modes, groups = counts(bank.mode, len(bank.modes)), counts(group.codes, len(group.names))
    return {
        "records": by_part(modes.sum(axis=1)),
        "modes": {name: by_part(modes[:, code]) for code, name in enumerate(bank.modes)},
        "good": by_part(counts(label.codes, len(label.names))[:, label.names == good].sum(axis=1)),
        "groups": by_part((groups[:, group.names != ""] > 0).sum(axis=1)),
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
