"""Compares the records of a dataset revision with those that the champion was made from.

Both are read block by block, and what is sorted lies on disk: memory does not grow with the records.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.core.facts import DataChanges, MapDrift
from tasks.core.results import Stage
from tasks.data.bank import load_bank
from tasks.data.columns import Texts, on_disk, row_blocks, sort_by_code
from tasks.data.map_statistics import MAP_SUMMARIES, map_summaries
from tasks.registry.record_bank import RecordKeys
from tasks.registry.release_files import SplitRecords
from tasks.registry.releases import Release

SIGNIFICANCE = 0.01  # of all tests together, by Bonferroni's bound
MIN_MODE_RECORDS = 8  # on each side; with fewer, a mode's drift is not tested
MAX_EXACT_RECORDS = 10_000  # of a mode on either side, up to which SciPy's p-value is exact


@dataclass(frozen=True)
class _Revision:
    """The records of a revision, some of them mapped: hash (n,) S32, mode, good (n,) bool, summary (n, statistics)."""

    hash: np.ndarray
    mode: Texts
    good: np.ndarray
    summary: np.ndarray

    @classmethod
    def of_stage(cls, triplets: Stage) -> _Revision:
        bank = load_bank(triplets.path)
        names = np.array(bank.modes)
        codes = on_disk(
            (np.argsort(np.argsort(names))[bank.mode[rows]] for rows in row_blocks(len(bank.mode))), np.int32
        )
        summary = on_disk((map_summaries(bank.maps[rows]) for rows in row_blocks(len(bank.maps))), np.float32)
        return cls(bank.hash, Texts(np.sort(names), codes), bank.good, summary.reshape(-1, len(MAP_SUMMARIES)))

    @classmethod
    def of_release(cls, release: Release) -> _Revision:
        records = SplitRecords.load(release.path)
        mode = Texts.of(lambda: (records.mode[rows] for rows in row_blocks(len(records.mode))))
        return cls(records.hash, mode, records.good, records.summary)

    def mode_counts(self) -> dict[str, int]:
        """How many records each mode has, of those that have any."""
        counts = zip(self.mode.names.tolist(), self.mode.counts().tolist(), strict=True)
        return {name: count for name, count in counts if count}

    def sorted_by_mode(self, column: int) -> dict[str, np.ndarray]:
        """The values (·,) of a summary by mode, ascending, on disk."""
        sizes, codes = self.mode.counts(), self.mode.codes
        blocks = ((self.summary[rows, column], codes[rows]) for rows in row_blocks(len(codes)))
        values = np.split(sort_by_code(blocks, sizes, self.summary.dtype), np.cumsum(sizes)[:-1])
        for of_mode in values:
            of_mode.sort()
        return dict(zip(self.mode.names.tolist(), values, strict=True))


def changes(triplets: Stage, champion: Release | None) -> DataChanges | None:
    """Records added, removed and relabelled by hash, counts by mode, and a drift test of the maps.

    None without a champion. A record is relabelled when its mode changed, or good became defect. The drift of each
    mode is a two-sample Kolmogorov–Smirnov test of each summary, at 1 % over all tests.
    """
    if champion is None:
        return None
    old, new = _Revision.of_release(champion), _Revision.of_stage(triplets)
    kept, relabelled = _compare(old, new)
    then, now = old.mode_counts(), new.mode_counts()
    return DataChanges(
        against=champion.version,
        revision=champion.manifest.train.revision,
        added=len(new.hash) - kept,
        removed=len(old.hash) - kept,
        relabelled=relabelled,
        modes={name: [then.get(name, 0), now.get(name, 0)] for name in sorted({*then, *now})},
        drift=_drift(old, new),
    )


def _compare(old: _Revision, new: _Revision) -> tuple[int, int]:
    """How many records are in both, and how many of these are relabelled."""
    keys, kept, relabelled = RecordKeys(old.hash), 0, 0
    for rows in row_blocks(len(new.hash)):
        before = keys.find(new.hash[rows])
        now, then = np.flatnonzero(before >= 0) + rows.start, before[before >= 0]
        kept += len(now)
        relabelled += np.count_nonzero((new.mode[now] != old.mode[then]) | (new.good[now] != old.good[then]))
    return kept, int(relabelled)


def _drift(old: _Revision, new: _Revision) -> list[MapDrift]:
    """The significant tests, the smallest p first."""
    tests = {}
    for column, name in enumerate(MAP_SUMMARIES):
        before, after = old.sorted_by_mode(column), new.sorted_by_mode(column)
        for mode in before.keys() & after.keys():
            then, now = before[mode], after[mode]
            if min(len(then), len(now)) >= MIN_MODE_RECORDS:
                tests[mode, column] = MapDrift(
                    mode, name, ks_p_value(then, now), sorted_median(then), sorted_median(now)
                )
    in_order = (tests[key] for key in sorted(tests))
    return sorted((test for test in in_order if test.p < SIGNIFICANCE / len(tests)), key=lambda test: test.p)


def ks_p_value(then: np.ndarray, now: np.ndarray) -> float:
    """The p-value of a two-sample Kolmogorov–Smirnov test of ascending values (n,) and (m,), as SciPy finds it.

    Of many values it is Smirnov's asymptotic one, too, found block by block.
    """
    from scipy.stats import ks_2samp, kstwo  # half a second, which a run without anything new need not wait for

    if max(len(then), len(now)) <= MAX_EXACT_RECORDS:
        return float(ks_2samp(then, now).pvalue)
    values = (side[rows] for side in (then, now) for rows in row_blocks(len(side)))
    gaps = (np.abs(_share_below(then, block) - _share_below(now, block)).max() for block in values)
    more, fewer = (float(max(len(then), len(now))), float(min(len(then), len(now))))
    return float(np.clip(kstwo.sf(max(gaps), np.round(more * fewer / (more + fewer))), 0, 1))


def _share_below(ascending: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.searchsorted(ascending, values, side="right") / len(ascending)


def sorted_median(ascending: np.ndarray) -> float:
    """The median of ascending values (n,)."""
    return float(np.median(ascending[(len(ascending) - 1) // 2 : len(ascending) // 2 + 1]))
