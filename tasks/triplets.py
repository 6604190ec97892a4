"""Splits the cached records and makes triplets of them, whichever kind came in.

Split first, by record and group; then anchors from training records alone; then triplets within each
part. What is dropped or crosses is counted.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from tasks.config.fingerprints import triplets_digest
from tasks.config.run import RunConfig
from tasks.core.errors import UnfitData
from tasks.core.results import CachedSource, Finding, Stage
from tasks.core.stages import get_or_make_stage
from tasks.data.bank import Bank, write_maps
from tasks.data.checks import MIN_MODE_RECORDS
from tasks.data.map_statistics import ModeMeans, tee_means
from tasks.data.records import Records, read_records
from tasks.data.sampling import triplets_by_part
from tasks.data.split import PARTS, components, split_units

GIANT_COMPONENT = 0.5  # a component with this share of all records cannot be kept whole


def triplets(train: CachedSource, test: CachedSource | None, config: RunConfig) -> Stage:
    """The stage folder with the record bank (see tasks/data/bank.py) and its triplets.

    Raises UnfitData where too little is left to split.
    """
    digest = triplets_digest(train.stage.digest, test.stage.digest if test else None, config)

    def make(draft: Path) -> dict[str, Any]:
        bank, facts = _make(train, test, config, draft / "maps.npy")
        bank.save(draft, maps=draft / "maps.npy")
        return facts

    return get_or_make_stage(config.stages_path, "triplets", digest, make)


def _make(train: CachedSource, test: CachedSource | None, config: RunConfig, maps: Path) -> tuple[Bank, dict[str, Any]]:
    records = read_records(train.stage.path)
    kept, counts = _keep(records)
    brought = len(records.triplets)
    records = records.take(kept)
    counts["dropped_triplets"] = brought - len(records.triplets)
    part, split_facts = _split(records, config, has_test=test is not None)
    if test is not None:
        extra, overlap = _held_out(read_records(test.stage.path), records)
        counts |= overlap
        records = records.joined(extra)
        part = np.concatenate([part, np.full(len(extra), PARTS.index("test"), np.int8)])
    trained = np.isin(records.mode, records.mode[part == 0])
    counts["dropped_untrained_mode"] = int((~trained).sum())
    known = records.take(np.flatnonzero(trained))
    counts["dropped_triplets"] += len(records.triplets) - len(known.triplets)
    bank, triplet_counts = _bank(known, part[trained], config, maps)
    _require_enough(bank, train.resolved.source)
    size = {"size": [config.data.rows, config.data.cols]}
    return bank, {
        **counts,
        **split_facts,
        **triplet_counts,
        **_summary(bank),
        **size,
        **_brought_anchors(records, bank),
    }


def _keep(records: Records) -> tuple[np.ndarray, dict[str, int]]:
    """Which records are used: no contradictory labels, no mode too small to be split."""
    names, codes, sizes = np.unique(records.mode, return_inverse=True, return_counts=True)
    contradictory = records.contradictory
    sizes = sizes - np.bincount(codes, weights=contradictory, minlength=len(names)).astype(int)
    small = (sizes < MIN_MODE_RECORDS)[codes] & ~contradictory
    counts = {"dropped_contradictory": int(contradictory.sum()), "dropped_small_modes": int(small.sum())}
    return np.flatnonzero(~contradictory & ~small), counts


def _split(records: Records, config: RunConfig, has_test: bool) -> tuple[np.ndarray, dict[str, Any]]:
    """The part of each record, and what was kept together."""
    units, how = (records.hash, "record") if config.split.unit == "record" else _units(records)
    codes = np.unique(records.mode, return_inverse=True)[1]
    shares = [getattr(config.split, part) for part in PARTS]
    if has_test:
        shares[PARTS.index("test")] = 0.0
    needed = sum(share > 0 for share in shares)
    if how in ("group", "component") and len(np.unique(units)) < needed:
        units, how = records.hash, f"record (fewer than {needed} {how}s)"
    return split_units(units, codes, shares, config.split.seed), {"split_by": how}


def _units(records: Records) -> tuple[np.ndarray, str]:
    """What stays together: a group if the data names any, else linked records, else each record."""
    if (records.group != "").any():
        return np.where(records.group != "", records.group, records.hash.astype(str)), "group"
    if len(records.triplets):
        linked = components(len(records), records.triplets[:, 1:])
        if np.bincount(linked).max() <= GIANT_COMPONENT * len(records):
            return np.char.add("c", linked.astype(str)), "component"
        return records.hash, "record (one giant component)"
    return records.hash, "record"


def _held_out(test: Records, train: Records) -> tuple[Records, dict[str, int]]:
    """The test records that the training source has not, of groups that it has not, whose mode it knows."""
    same = np.isin(test.hash, train.hash)
    grouped = np.isin(test.group, train.group[train.group != ""]) & ~same
    shared = same | grouped
    unknown = ~np.isin(test.mode, train.mode) & ~shared
    contradictory = test.contradictory & ~shared & ~unknown
    return test.take(np.flatnonzero(~shared & ~unknown & ~contradictory)), {
        "test_in_train": int(same.sum()),
        "test_group_in_train": int(grouped.sum()),
        "test_unknown_mode": int(unknown.sum()),
        "test_contradictory": int(contradictory.sum()),
    }


def _bank(records: Records, part: np.ndarray, config: RunConfig, maps: Path) -> tuple[Bank, dict[str, int]]:
    """The bank, whose maps are written to a file as they are read."""
    modes = sorted(set(records.mode.tolist()), key=natural_order)
    code = {name: i for i, name in enumerate(modes)}
    mode = np.array([code[name] for name in records.mode], np.int32)
    settings = config.triplets
    made, counts = triplets_by_part(
        mode, part, records.triplets[:, 1:], settings.per_record, settings.replace_crossing, config.seed
    )
    means = ModeMeans(len(modes), config.data.rows * config.data.cols)
    blocks = tee_means(records.blocks(), np.where(part == 0, mode, -1), means)
    write_maps(maps, blocks, (len(records), config.data.rows * config.data.cols))
    good = records.label == config.data.good
    linked = components(len(records), records.triplets[:, 1:]) if len(records.triplets) else np.empty(0, np.int32)
    named = (records.hash, records.group, modes, made, linked)
    return Bank(np.load(maps, mmap_mode="r", allow_pickle=False), means.means(), mode, good, part, *named), counts


def natural_order(name: str) -> tuple[bool, int, str]:
    """Sorts modes that are numbers as numbers, and before the others."""
    number = bool(re.fullmatch(r"-?[0-9]{1,18}", name))
    return not number, int(name) if number else 0, name


def _require_enough(bank: Bank, source: str) -> None:
    """Raise UnfitData where nothing can be learnt or judged with what the split left."""
    sizes = {part: len(bank.triplets[part]) for part in PARTS}
    notes = ", ".join(f"{size} {part} triplets" for part, size in sizes.items())
    if len(bank.modes) < 2 or not all(sizes.values()):
        finding = Finding(
            "enough to split", False, True, f"{len(bank.modes)} modes to train on, {notes}; bring more records"
        )
        raise UnfitData(source, (finding,))


def _summary(bank: Bank) -> dict[str, Any]:
    """What the run's table of the data shows: counts by part, mode and goodness."""
    counts = {
        name: {part: int(((bank.mode == i) & (bank.part == code)).sum()) for code, part in enumerate(PARTS)}
        for i, name in enumerate(bank.modes)
    }
    good = {part: int(bank.good[bank.rows(part)].sum()) for part in PARTS}
    groups = {part: len(set(bank.group[bank.rows(part)].tolist()) - {""}) for part in PARTS}
    return {
        "records": {part: len(bank.rows(part)) for part in PARTS},
        "modes": counts,
        "good": good,
        "groups": groups,
        "values": int(bank.maps.shape[1]),
    }


def _brought_anchors(records: Records, bank: Bank) -> dict[str, Any]:
    """How far the anchors that a wide source brought lie from those of the training records.

    Relative to the anchor's own norm. They are compared, never used: a mean over all records has
    seen the test.
    """
    code = {name: i for i, name in enumerate(bank.modes)}
    known = np.array([name in code for name in records.brought_mode], bool)
    if not known.any():
        return {}
    own = bank.anchors[[code[name] for name in records.brought_mode[known]]].astype(np.float64)
    off = np.linalg.norm(records.brought[known] - own, axis=1) / np.maximum(np.linalg.norm(own, axis=1), 1e-12)
    return {
        "brought_anchors": {"count": len(off), "median_difference": float(np.median(off)), "largest": float(off.max())}
    }
