"""How well a release's verdicts agree with labels: error rates, AUROC and confusion, as batches stream by.

The AUROC needs the scores, which lie in temporary files; everything else is counts. Intervals assume independent
records. Records that the release was trained, stopped or calibrated on would make the metrics too good: they get a
verdict like all others, but are left out of the metrics and counted.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from scipy.stats import binomtest

from tasks.core.inspection import LabelledResult, Proportion
from tasks.core.npz import ScratchArray
from tasks.data.decode import DecodedBlock
from tasks.registry.loading import LoadedRelease
from tasks.registry.record_bank import RecordKeys
from tasks.registry.release_files import SplitRecords
from tasks.scoring.batch import ScoredBatch
from tasks.scoring.verdicts import VERDICTS

MAX_UNKNOWN_MODES = 50  # modes that the release does not know and that are counted by name
MAX_LABELS = 50  # labels that are counted by name
MAX_BINS = 4096  # of the scores whose AUROC is bootstrapped; its error stays below 1/4096
BOOTSTRAP_DRAWS, BOOTSTRAP_BLOCKS = 1000, 20  # of draws whose AUROC is found at once


class LabelledMetrics:
    """Compares predictions with labels and modes, where the records have any."""

    def __init__(self, release: LoadedRelease) -> None:
        self.modes, self.good_label = release.classifier.modes, release.data.good
        self.codes = {name: code for code, name in enumerate(self.modes)}
        split = SplitRecords.load(release.path)
        self.used_hashes = RecordKeys(split.hash, split.is_seen)
        self.records = self.unlabelled = self.seen = 0
        self.verdicts = {kind: Counter(dict.fromkeys(VERDICTS, 0)) for kind in ("good", "defect")}
        self.confusion = np.zeros((len(self.modes), len(self.modes)), np.int64)
        self.strange_modes: Counter[str] = Counter()
        self.labels: Counter[str] = Counter()
        self.scores, self.defect_scores = ScratchArray(np.float32), ScratchArray(np.float32)

    def update(self, batch: ScoredBatch) -> None:
        """Add a batch."""
        records, predictions = batch.records, batch.predictions
        labelled = np.array([text is not None for text in records.label], bool)
        described = labelled | np.array([text is not None for text in records.mode], bool)
        seen = self._seen(records) if described.any() else np.zeros(len(batch), bool)
        self.records += len(batch)
        self.unlabelled += int((~labelled).sum())
        self.seen += int((described & seen).sum())
        good = np.array([text == self.good_label for text in records.label], bool)
        for label, count in Counter(filter(None, records.label)).items():
            self.labels[label if self._is_counted(label) else "others"] += count
        counted = labelled & ~seen
        for kind, rows in (("good", counted & good), ("defect", counted & ~good)):
            self.verdicts[kind].update(predictions.verdict[rows].tolist())
        self.scores.append(predictions.score[counted])
        self.defect_scores.append(predictions.score[counted & ~good])
        rows = np.flatnonzero(described & ~seen)
        pairs = zip((records.mode[i] for i in rows), predictions.mode[rows].tolist(), good[rows].tolist(), strict=True)
        for (mode, predicted, is_good), count in Counter(pairs).items():  # in the order of their first records
            self._count_mode(mode, predicted, is_good, count)

    def _is_counted(self, label: str) -> bool:
        return label == self.good_label or label in self.labels or len(self.labels) < MAX_LABELS

    def _seen(self, records: DecodedBlock) -> np.ndarray:
        return self.used_hashes.contain(records.hashes)

    def _count_mode(self, mode: str | None, predicted: int, good: bool, count: int) -> None:
        """Good parts fail in no mode: it does not matter by which name the source calls theirs."""
        if mode in self.codes:
            self.confusion[self.codes[mode], predicted] += count
        elif mode is not None and not good:
            named = mode in self.strange_modes or len(self.strange_modes) < MAX_UNKNOWN_MODES
            self.strange_modes[mode if named else "others"] += count

    def result(self, confidence: float = 0.95) -> LabelledResult | None:
        """The metrics with intervals of that confidence (Wilson's for rates), None without any label or mode."""
        described = self.records > self.unlabelled or self.seen or self.confusion.any() or self.strange_modes
        if not described:
            return None
        good, defect = self.verdicts["good"], self.verdicts["defect"]
        false_alarms = proportion(good.total() - good["good"], good.total(), confidence)
        escapes = proportion(defect["good"], defect.total(), confidence)
        both = false_alarms and escapes
        auroc, auroc_interval = self._auroc(confidence)
        return LabelledResult(
            records=self.records,
            unlabelled=self.unlabelled,
            seen=self.seen,
            verdicts={kind: dict(counts) for kind, counts in self.verdicts.items()},
            false_alarms=false_alarms,
            escapes=escapes,
            balanced_accuracy=1 - (false_alarms.rate + escapes.rate) / 2 if both else None,
            good_auroc=auroc,
            good_auroc_interval=auroc_interval,
            modes=self.modes,
            mode_accuracy=self._mode_accuracy(confidence),
            confusion=self.confusion.tolist(),
            strange_modes=dict(self.strange_modes.most_common()),
            good_label=self.good_label,
            labels=dict(self.labels.most_common()),
        )

    def _mode_accuracy(self, confidence: float) -> Proportion | None:
        """None of a release that knows one mode: there is nothing to take it for."""
        if len(self.modes) < 2:
            return None
        return proportion(int(np.trace(self.confusion)), int(self.confusion.sum()), confidence)

    def _auroc(self, confidence: float) -> tuple[float | None, tuple[float, float] | None]:
        """The AUROC of good or defect and its bootstrap interval; None where there is only one kind, or no score."""
        scores, defect = self.scores.sort(), self.defect_scores.sort()
        if not 0 < len(defect) < len(scores) or not np.isfinite(scores[[0, -1]]).all():
            return None, None
        counts = _binned(scores, defect)
        value = float(_auroc_of(*(kind[None] for kind in counts))[0])
        tail = (1 - confidence) / 2
        low, high = np.quantile(_drawn_aurocs(*counts), [tail, 1 - tail])
        return value, (float(low), float(high))


def proportion(count: int, of: int, confidence: float) -> Proportion | None:
    """`count` of `of` with Wilson's interval; None where `of` is 0."""
    if not of:
        return None
    interval = binomtest(count, of).proportion_ci(confidence, method="wilson")
    return Proportion(count / of, count, of, (float(interval.low), float(interval.high)))


def _binned(scores: np.ndarray, defect: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts of good and of defective records in bins of rising score, (bins,) each.

    scores (n,), defect (d,): the scores of all and of the defective records, ascending.
    """
    edges = _edges(scores)
    every, defective = (np.diff(np.searchsorted(kind, edges), append=len(kind)) for kind in (scores, defect))
    return every - defective, defective


def _edges(scores: np.ndarray) -> np.ndarray:
    """The lower edges (bins,) of bins of ascending scores (n,).

    Each distinct score has a bin of its own where there are MAX_BINS at most: the AUROC is then exact.
    """
    edges, place = [], 0
    while place < len(scores) and len(edges) <= MAX_BINS:
        edges.append(scores[place])
        place = np.searchsorted(scores, scores[place], "right")
    if len(edges) <= MAX_BINS:
        return np.array(edges)
    return np.unique(scores[((len(scores) - 1) * np.linspace(0, 1, MAX_BINS)).astype(np.int64)])


def _drawn_aurocs(good: np.ndarray, defect: np.ndarray) -> np.ndarray:
    """The AUROC (draws,) of resamples of both kinds' counts (bins,)."""
    rng = np.random.default_rng(42)
    draws = rng.multinomial(int(good.sum()), good / good.sum(), BOOTSTRAP_DRAWS)
    defect_share = defect / defect.sum()
    blocks = np.array_split(draws, BOOTSTRAP_BLOCKS)
    return np.concatenate(
        [_auroc_of(block, rng.multinomial(int(defect.sum()), defect_share, len(block))) for block in blocks]
    )


def _auroc_of(good: np.ndarray, defect: np.ndarray) -> np.ndarray:
    """The AUROC (draws,) of counts (draws, bins) by rising score; ties count half."""
    below = np.cumsum(good, axis=1) - good
    pairs = (defect * (below + good / 2)).sum(axis=1)
    return pairs / (good.sum(axis=1) * defect.sum(axis=1))
