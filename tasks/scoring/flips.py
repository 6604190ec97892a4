"""Records whose verdict changes from one release to another: counted, listed, and the farthest kept to be shown."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa

from tasks.registry.loading import LoadedRelease
from tasks.scoring.examples import ScoredRecord, Texts, TopK, scored_record
from tasks.scoring.verdicts import Predictions

SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("label", pa.string()),
        ("fmode", pa.string()),
        *((f"{name}{of}", kind) for of in ("", "_against") for name, kind in (
            ("mode", pa.string()), ("verdict", pa.string()), ("score", pa.float64()), ("margin", pa.float64()),
        )),
    ]
)  # fmt: skip


class FlipCollector:
    """Collects, while batches pass by, what `opened` says otherwise than `against`; both judge the same maps."""

    def __init__(self, opened: LoadedRelease, against: LoadedRelease, most: int = 6) -> None:
        self.opened, self.against = opened, against
        self.records = 0
        self.counts: Counter[tuple[str, str]] = Counter()
        self.right = Counter({"this": 0, "against": 0, "neither": 0})
        self.best = TopK(most)
        self.theirs: dict[int, ScoredRecord] = {}

    def take(
        self, start: int, maps: np.ndarray, found: Predictions, theirs: Predictions, texts: tuple[Texts, Texts, Texts]
    ) -> pa.RecordBatch:
        """The flipped records of a batch as rows of SCHEMA; texts are labels, modes and groups."""
        flipped = found.verdict != theirs.verdict
        self.records += len(maps)
        self.counts.update(zip(theirs.verdict[flipped].tolist(), found.verdict[flipped].tolist(), strict=True))
        self._judge(found, theirs, flipped, texts[0])
        far = np.abs(_relative(self.opened, found) - _relative(self.against, theirs))
        passed = (found.verdict == "good") != (theirs.verdict == "good")
        first = np.where(passed, 1.0, 2.0) + 1 / (1 + far)  # what goes or stays comes before what it is called
        self.best.take(np.where(flipped, first, np.nan), start, maps, found, texts)
        kept = {case.row for case in self.best.cases()}
        new = {row: scored_record(start, row - start, maps, theirs, texts) for row in kept if row >= start}
        self.theirs = {row: case for row, case in (self.theirs | new).items() if row in kept}
        return self._rows(start, np.flatnonzero(flipped), found, theirs, texts)

    def cases(self) -> list[tuple[ScoredRecord, ScoredRecord]]:
        """Each kept record as this release sees it and as the other does, the largest change first."""
        return [(case, self.theirs[case.row]) for case in self.best.cases()]

    def as_json(self) -> dict[str, Any]:
        """How many verdicts changed, from which to which, and with labels how often which of the two is right."""
        pairs = [{"from": old, "to": new, "count": count} for (old, new), count in self.counts.most_common()]
        labelled = dict(self.right) if sum(self.right.values()) else None
        told = {"against": self.against.release.version, "records": self.records, "flipped": self.counts.total()}
        return told | {"pairs": pairs, "right": labelled}

    def _judge(self, found: Predictions, theirs: Predictions, flipped: np.ndarray, label: Texts) -> None:
        """Right is who calls a good part good, or a defect defect or unknown; of both kinds of defect neither is."""
        for i in np.flatnonzero(flipped):
            if label[i] is not None:
                good = label[i] == self.opened.data.good
                ours, other = ((one.verdict[i] == "good") == good for one in (found, theirs))
                if ours != other:
                    self.right["this" if ours else "against"] += 1
                else:
                    self.right["neither"] += 1

    def _rows(
        self, start: int, rows: np.ndarray, found: Predictions, theirs: Predictions, texts: tuple[Texts, Texts, Texts]
    ) -> pa.RecordBatch:
        columns: list[Any] = [start + rows, *([column[i] for i in rows] for column in texts[:2])]
        for opened, one in ((self.opened, found), (self.against, theirs)):
            names = np.array(opened.judge.modes, object)[one.mode[rows]]
            columns += [names, one.verdict[rows].astype(object), one.score[rows], one.margin[rows]]
        return pa.record_batch([pa.array(v, kind.type) for v, kind in zip(columns, SCHEMA, strict=True)], SCHEMA)


def _relative(opened: LoadedRelease, found: Predictions) -> np.ndarray:
    """Margins (n,) in units of the release's own threshold, so that two releases can be compared; 0 without one."""
    if not np.isfinite(opened.defect_threshold) or opened.defect_threshold == 0:
        return np.zeros(len(found.margin))
    return found.margin / abs(opened.defect_threshold)
