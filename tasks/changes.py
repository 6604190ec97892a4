"""Compares the records of a dataset revision with those that the champion was made from."""

from __future__ import annotations

import numpy as np

from tasks.core.facts import DataChanges, MapDrift
from tasks.core.results import Stage
from tasks.data.bank import load_bank
from tasks.data.map_statistics import MAP_SUMMARIES, map_summaries
from tasks.registry.record_bank import RecordKeys
from tasks.registry.release_files import SplitRecords
from tasks.registry.releases import Release

SIGNIFICANCE = 0.01  # of all tests together, by Bonferroni's bound
MIN_MODE_RECORDS = 8  # on each side; with fewer, a mode's drift is not tested


def changes(triplets: Stage, champion: Release | None) -> DataChanges | None:
    """Records added, removed and relabelled by hash, counts by mode, and a drift test of the maps.

    None without a champion. A record is relabelled when its mode changed, or good became defect. The drift of each
    mode is a two-sample Kolmogorov–Smirnov test of each summary, at 1 % over all tests.
    """
    if champion is None:
        return None
    bank, old = load_bank(triplets.path), SplitRecords.load(champion.path)
    mode = np.array(bank.modes)[bank.mode]
    new = SplitRecords(bank.hash, bank.part, mode, bank.good, map_summaries(bank.maps))
    before = RecordKeys(old.hash).find(new.hash)
    in_new = np.flatnonzero(before >= 0)
    in_old = before[in_new]
    relabelled = (new.mode[in_new] != old.mode[in_old]) | (new.good[in_new] != old.good[in_old])
    return DataChanges(
        against=champion.version,
        revision=champion.manifest.train.revision,
        added=len(new.hash) - len(in_new),
        removed=len(old.hash) - len(in_old),
        relabelled=int(relabelled.sum()),
        modes=_mode_counts(old, new),
        drift=_drift(old, new),
    )


def _mode_counts(old: SplitRecords, new: SplitRecords) -> dict[str, list[int]]:
    """The numbers of records then and now, by mode."""
    names = sorted(set(old.mode.tolist()) | set(new.mode.tolist()))
    return {name: [int((side.mode == name).sum()) for side in (old, new)] for name in names}


def _drift(old: SplitRecords, new: SplitRecords) -> list[MapDrift]:
    """The significant tests, the smallest p first."""
    from scipy.stats import ks_2samp  # half a second, which a run without anything new need not wait for

    tests = []
    for mode in np.intersect1d(old.mode, new.mode):
        then, now = (side.summary[side.mode == mode] for side in (old, new))
        if min(len(then), len(now)) < MIN_MODE_RECORDS:
            continue
        for column, name in enumerate(MAP_SUMMARIES):
            p = float(ks_2samp(then[:, column], now[:, column]).pvalue)
            medians = (float(np.median(side[:, column])) for side in (then, now))
            tests.append(MapDrift(str(mode), name, p, *medians))
    return sorted((test for test in tests if test.p < SIGNIFICANCE / len(tests)), key=lambda test: test.p)
