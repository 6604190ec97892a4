"""Records whose verdict differs between two releases: counted, written as a table, the clearest kept as examples."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tasks.core.inspection import FlipSummary, RightVerdicts, VerdictChange
from tasks.registry.loading import LoadedRelease
from tasks.scoring.batch import ScoredBatch, ScoredRecord
from tasks.scoring.examples import MAX_EXAMPLES, TopK
from tasks.scoring.table import Write
from tasks.scoring.verdicts import Predictions

FLIPS_SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("label", pa.string()),
        ("fmode", pa.string()),
        *((f"{name}{of}", kind) for of in ("", "_against") for name, kind in (
            ("mode", pa.string()), ("verdict", pa.string()), ("score", pa.float64()), ("margin", pa.float64()),
        )),
        ("part", pa.string()),
    ]
)  # fmt: skip


# Whether this release is right and whether the other is. Both are wrong where one calls a good part a defect and the
# other unknown, and both are right where a defect is called so.
RIGHT_SIDES = {(True, False): "this", (False, True): "against", (True, True): "neither", (False, False): "neither"}


@dataclass(frozen=True)
class Flips:
    """The changed verdicts: their counts, and examples as this release and as the other sees them."""

    summary: FlipSummary
    examples: list[tuple[ScoredRecord, ScoredRecord]]


class FlipCollector:
    """Compares the predictions of `release` with those of `against` on the same maps, batch by batch.

    `write` takes the changed records of each batch as rows of FLIPS_SCHEMA.
    """

    def __init__(self, release: LoadedRelease, against: LoadedRelease, write: Write, k: int = MAX_EXAMPLES) -> None:
        self.release, self.against, self.write = release, against, write
        self.records = 0
        self.changes: Counter[tuple[str, str]] = Counter()
        self.right = Counter({"this": 0, "against": 0, "neither": 0})
        self.top = TopK(k)
        self.others: dict[int, ScoredRecord] = {}  # what `against` says of the records in `top`, by row

    def update(self, batch: ScoredBatch) -> None:
        """Compare a batch, which has the other release's predictions, too."""
        other = batch.as_judged_by(self.against.version)
        before, after = other.predictions.verdict, batch.predictions.verdict
        flipped = np.flatnonzero(before != after)
        self.records += len(batch)
        self.changes.update(zip(before[flipped].tolist(), after[flipped].tolist(), strict=True))
        self._count_right(batch, other, flipped)
        self._update_examples(batch, other)
        self.write(self._to_record_batch(batch, other, flipped))

    def result(self) -> Flips:
        """The counts, and the examples with the largest change first."""
        pairs = tuple(VerdictChange(*verdicts, count) for verdicts, count in self.changes.most_common())
        right = RightVerdicts(**self.right) if self.right.total() else None
        summary = FlipSummary(self.against.version, self.records, self.changes.total(), pairs, right)
        return Flips(summary, [(record, self.others[record.row]) for record in self.top.result()])

    def _count_right(self, batch: ScoredBatch, other: ScoredBatch, flipped: np.ndarray) -> None:
        """A good part called good is right, and a defect called defect or unknown."""
        for i in flipped:
            if batch.records.label[i] is not None:
                good = batch.records.label[i] == self.release.data.good
                right = [(side.predictions.verdict[i] == "good") == good for side in (batch, other)]
                self.right[RIGHT_SIDES[right[0], right[1]]] += 1

    def _update_examples(self, batch: ScoredBatch, other: ScoredBatch) -> None:
        self.top.update(batch, flip_keys(self.release, self.against, batch))
        rows = {record.row for record in self.top.result()}
        new = {row: other.record(row - batch.start) for row in rows if row >= batch.start}
        self.others = {row: record for row, record in (self.others | new).items() if row in rows}

    def _to_record_batch(self, batch: ScoredBatch, other: ScoredBatch, flipped: np.ndarray) -> pa.RecordBatch:
        records = batch.records
        columns = {
            "row": batch.rows[flipped],
            "label": [records.label[i] for i in flipped],
            "fmode": [records.mode[i] for i in flipped],
            **_columns(self.release, batch.predictions, flipped, ""),
            **_columns(self.against, other.predictions, flipped, "_against"),
            "part": [None if records.id is None else records.id[i] for i in flipped],
        }
        return pa.RecordBatch.from_pydict(columns, FLIPS_SCHEMA)


def flip_keys(release: LoadedRelease, against: LoadedRelease, batch: ScoredBatch) -> np.ndarray:
    """Keys (n,) of the records whose verdicts differ, the clearest first; NaN of all others.

    Between good and not good comes before between defect and unknown; then the largest change of margin.
    """
    other = batch.as_judged_by(against.version)
    change = np.abs(_relative_margin(release, batch) - _relative_margin(against, other))
    passes, passed = batch.predictions.verdict == "good", other.predictions.verdict == "good"
    keys = np.where(passes != passed, 1.0, 2.0) + 1 / (1 + change)
    return np.where(batch.predictions.verdict != other.predictions.verdict, keys, np.nan)


def _columns(release: LoadedRelease, predictions: Predictions, rows: np.ndarray, suffix: str) -> dict[str, np.ndarray]:
    """Those columns of FLIPS_SCHEMA that each of the two releases has."""
    return {
        f"mode{suffix}": np.array(release.classifier.modes, object)[predictions.mode[rows]],
        f"verdict{suffix}": predictions.verdict[rows].astype(object),
        f"score{suffix}": predictions.score[rows],
        f"margin{suffix}": predictions.margin[rows],
    }


def _relative_margin(release: LoadedRelease, batch: ScoredBatch) -> np.ndarray:
    """Margins (n,) in units of the release's threshold, which makes two releases comparable; 0 without a threshold."""
    if not np.isfinite(release.defect_threshold) or release.defect_threshold == 0:
        return np.zeros(len(batch))
    return batch.predictions.margin / abs(release.defect_threshold)
