"""What a release is worth on new parts whose labels are known: errors, AUROC and confusion, as batches stream by.

Memory grows by five bytes a record, which the AUROC needs; everything else is counts. Intervals draw
records: of lots or boards new parts tell nothing that the verdicts could use.

Records that the release was trained, stopped or calibrated on would flatter it: they are judged like
others, left out of the figures, and counted.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from scipy.stats import binomtest

from tasks.data.decode import DecodedBlock
from tasks.registry.loading import LoadedRelease
from tasks.registry.release_files import ReleaseFiles
from tasks.scoring.verdicts import VERDICTS, Predictions

MAX_UNKNOWN_MODES = 50  # modes that the release does not know and that are told by name
BINS = 4096  # of the scores, by which the AUROC's bootstrap draws; its own error stays below 1/4096
DRAWS = 1000


class LabelledMetrics:
    """Collects what is known of the records against what was said of them. Records without a label are counted."""

    def __init__(self, opened: LoadedRelease) -> None:
        self.modes = opened.judge.modes
        self.good_label = opened.data.good
        self.code = {name: code for code, name in enumerate(self.modes)}
        self.records = 0
        self.unlabelled = 0
        self.seen = 0
        self.known = _trained_on(opened)
        self.called = {kind: Counter(dict.fromkeys(VERDICTS, 0)) for kind in ("good", "defect")}
        self.confusion = np.zeros((len(self.modes), len(self.modes)), np.int64)
        self.strange: Counter[str] = Counter()
        self.more_strange = 0
        self.scores: list[np.ndarray] = []
        self.defect: list[np.ndarray] = []

    def take(self, found: Predictions, part: DecodedBlock) -> None:
        """Add a batch: its verdicts, and the records with label and mode where they are known."""
        label = part.label
        known = np.array([text is not None for text in label], bool)
        self.records += len(label)
        self.unlabelled += int((~known).sum())
        named = known | np.array([text is not None for text in part.mode], bool)
        fresh = ~self._seen(part) if named.any() else named
        self.seen += int((named & ~fresh).sum())
        known &= fresh
        good = np.array([text == self.good_label for text in label], bool)
        for kind, rows in (("good", known & good), ("defect", known & ~good)):
            self.called[kind].update(found.verdict[rows].tolist())
        self.scores.append(found.score[known].astype(np.float32))
        self.defect.append(~good[known])
        self._take_modes(found.mode[fresh], [name for name, new in zip(part.mode, fresh, strict=True) if new])

    def _seen(self, part: DecodedBlock) -> np.ndarray:
        return np.array([key in self.known for key in part.hashes()], bool)

    def _take_modes(self, called: np.ndarray, mode: list[str | None]) -> None:
        codes = np.array([self.code.get(name, -1) for name in mode], np.int64)
        known = codes >= 0
        np.add.at(self.confusion, (codes[known], called[known]), 1)
        for name in (name for name, there in zip(mode, known, strict=True) if not there and name is not None):
            if name in self.strange or len(self.strange) < MAX_UNKNOWN_MODES:
                self.strange[name] += 1
            else:
                self.more_strange += 1

    def figures(self, confidence: float = 0.95) -> dict[str, Any] | None:
        """The figures, None where no record has a label or a mode.

        Rates with Wilson intervals; `good_auroc` with its bootstrap interval; `confusion` counts (modes,
        modes), row the true mode and column the nearest; `verdicts` counts by what a part is; the modes that
        the release does not know with their counts.
        """
        if self.records == self.unlabelled and not (self.seen or self.confusion.any() or self.strange):
            return None
        told: dict[str, Any] = {"records": self.records, "unlabelled": self.unlabelled, "seen": self.seen}
        told |= self._rates(confidence) | self._auroc(confidence)
        told["modes"] = self.modes
        told["mode_accuracy"] = rate_with_interval(int(np.trace(self.confusion)), int(self.confusion.sum()), confidence)
        told["confusion"] = self.confusion.tolist()
        told["strange_modes"] = dict(self.strange.most_common()) | (
            {"others": self.more_strange} if self.more_strange else {}
        )
        return told

    def _rates(self, confidence: float) -> dict[str, Any]:
        """False alarms and escapes at the release's threshold; None each where there is no such part."""
        good, defect = self.called["good"], self.called["defect"]
        alarms = rate_with_interval(good.total() - good["good"], good.total(), confidence)
        escapes = rate_with_interval(defect["good"], defect.total(), confidence)
        both = alarms and escapes
        return {
            "verdicts": {kind: dict(counts) for kind, counts in self.called.items()},
            "false_alarms": alarms,
            "escapes": escapes,
            "balanced_accuracy": 1 - (alarms["rate"] + escapes["rate"]) / 2 if both else None,
        }

    def _auroc(self, confidence: float) -> dict[str, Any]:
        scores, defect = np.concatenate(self.scores), np.concatenate(self.defect)
        if defect.all() or not defect.any() or not np.isfinite(scores).all():
            return {"good_auroc": None, "good_auroc_interval": None}
        good_counts, defect_counts = _binned(scores, defect)
        value = float(_auroc_of(good_counts[None], defect_counts[None])[0])
        rng = np.random.default_rng(42)
        drawn = [
            rng.multinomial(int(counts.sum()), counts / counts.sum(), DRAWS) for counts in (good_counts, defect_counts)
        ]
        tail = (1 - confidence) / 2
        low, high = np.quantile(_auroc_of(*drawn), [tail, 1 - tail])
        return {"good_auroc": value, "good_auroc_interval": [float(low), float(high)]}


def _trained_on(opened: LoadedRelease) -> frozenset[bytes]:
    """The hashes of the records that the release has seen: all of its own but the test part."""
    seen = ReleaseFiles(opened.release.path).split().seen
    return frozenset(bytes.fromhex(key.decode()) for key in seen.tolist())


def rate_with_interval(count: int, of: int, confidence: float) -> dict[str, Any] | None:
    """`count` of `of` as a rate with its Wilson interval; None of none."""
    if not of:
        return None
    ends = binomtest(count, of).proportion_ci(confidence, method="wilson")
    return {"rate": count / of, "count": count, "of": of, "interval": [float(ends.low), float(ends.high)]}


def _binned(scores: np.ndarray, defect: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many good and how many defective scores lie at each step of their order, (bins,) each.

    Every distinct score is a step of its own where there are BINS at most: the AUROC is then exact.
    """
    steps = np.unique(scores)
    if len(steps) > BINS:
        steps = np.unique(np.quantile(scores, np.linspace(0, 1, BINS), method="lower"))
    place = np.searchsorted(steps, scores, "right") - 1
    return tuple(np.bincount(place[kind], minlength=len(steps)) for kind in (~defect, defect))


def _auroc_of(good: np.ndarray, defect: np.ndarray) -> np.ndarray:
    """The AUROC (draws,) of counts (draws, bins) by rising score, equals counting half."""
    below = np.cumsum(good, axis=1) - good
    pairs = (defect * (below + good / 2)).sum(axis=1)
    return pairs / (good.sum(axis=1) * defect.sum(axis=1))
