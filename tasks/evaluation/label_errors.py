"""Records whose label may be wrong: those that are closer to another mode than to their own, the most certain first.

A training record pulls its mode's prototype towards itself. So the training records are divided into fifths, and each
is compared with prototypes computed without its own fifth; the other parts have no share in prototypes anyway. The
tower was trained on the wrong label, too, and still separates such records (docs/judgement.md says how often).

    labels.parquet    rank, record (hash), part, mode (as labelled), nearest (the mode it looks like), surety
                      (0..1), own_distance, nearest_distance, group, map
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.data.bank import Bank
from tasks.data.split import PARTS
from tasks.evaluation.report_data import Misclassification, illustrate
from tasks.evaluation.scored_records import ScoredRecords, score_part
from tasks.model.classifier import PrototypeClassifier
from tasks.model.distances import Prototype
from tasks.model.embeddings import Embedded, EmbeddedBank

FOLDS = 5
MIN_REMAINING = 3  # training records that a mode needs for a prototype without one fifth
LABELS_FILE = "labels.parquet"
MAX_ROWS = 5000  # of the table: 28 MB of 36 × 39 maps; a person looks at fewer


@dataclass(frozen=True)
class LabelIssues:
    """The records (k,) that are closer to another mode, the most certain first.

    rows: of the bank; other: code of the nearer mode; own, nearest: distances to both prototypes; confidence:
    (own − nearest) / (own + nearest). checked: how many records were looked at.
    """

    rows: np.ndarray
    other: np.ndarray
    own: np.ndarray
    nearest: np.ndarray
    confidence: np.ndarray
    checked: int


def find_label_issues(classifier: PrototypeClassifier, records: EmbeddedBank) -> LabelIssues:
    """All records of the bank whose own mode is not the nearest."""
    bank, embedded = records.bank, records.all()
    distances = classifier.mode_distances(embedded)
    train = bank.part == PARTS.index("train")
    for rows in _cross_folds(bank, train):
        remaining = train.copy()
        remaining[rows] = False
        prototypes = _prototypes_without(classifier, bank, embedded, train, remaining)
        distances[rows] = replace(classifier, prototypes=prototypes).mode_distances(embedded.take(rows))
    every = np.arange(len(distances))
    own = distances[every, bank.mode].copy()
    distances[every, bank.mode] = np.inf
    other = distances.argmin(axis=1)
    nearest = distances[every, other]
    confidence = (own - nearest) / np.maximum(own + nearest, 1e-12)
    order = np.argsort(-confidence, kind="stable")
    order = order[confidence[order] > 0]
    return LabelIssues(order, other[order], own[order], nearest[order], confidence[order], len(bank.maps))


def _cross_folds(bank: Bank, train: np.ndarray) -> list[np.ndarray]:
    """The training rows in five parts, divided by their hashes, mode by mode."""
    order = np.argsort(bank.hash, kind="stable")
    order = order[train[order]]
    rank = np.empty(len(bank.hash), np.int64)
    for code in range(len(bank.modes)):
        rows = order[bank.mode[order] == code]
        rank[rows] = np.arange(len(rows))
    return [order[rank[order] % FOLDS == fifth] for fifth in range(FOLDS)]


def _prototypes_without(
    classifier: PrototypeClassifier, bank: Bank, embedded: Embedded, train: np.ndarray, remaining: np.ndarray
) -> Prototype:
    """The modes' prototypes from the remaining training records; a mode with too few of them keeps its prototype.

    train, remaining: masks (n,) of the bank's records.
    """
    modes = [bank.mode == code for code in range(len(bank.modes))]
    few = np.array([(remaining & of_mode).sum() < MIN_REMAINING for of_mode in modes])
    rows = [(train if too_few else remaining) & of_mode for of_mode, too_few in zip(modes, few, strict=True)]
    prototypes = classifier.distance.prototypes([embedded.vectors[group] for group in rows])
    return {
        name: np.where(few.reshape(-1, *[1] * (value.ndim - 1)), classifier.prototypes[name], value)
        for name, value in prototypes.items()
    }


def write_label_issues(issues: LabelIssues, bank: Bank, folder: Path) -> None:
    """Write `labels.parquet`: the most certain MAX_ROWS issues, with their maps to find them in the source."""
    rows, modes = issues.rows[:MAX_ROWS], np.array(bank.modes, object)
    maps = np.asarray(bank.maps[rows], np.float32)
    columns = {
        "rank": np.arange(1, len(rows) + 1),
        "record": [key.decode() for key in bank.hash[rows].tolist()],
        "part": np.array(PARTS, object)[bank.part[rows]],
        "mode": modes[bank.mode[rows]],
        "nearest": modes[issues.other[:MAX_ROWS]],
        "surety": issues.confidence[:MAX_ROWS],
        "own_distance": issues.own[:MAX_ROWS],
        "nearest_distance": issues.nearest[:MAX_ROWS],
        "group": bank.group[rows].astype(object),
        "id": bank.ids(rows).astype(object),
        "map": pa.FixedSizeListArray.from_arrays(pa.array(maps.ravel()), bank.maps.shape[1]),
    }
    pq.write_table(pa.table(columns), folder / LABELS_FILE)


def illustrate_label_issues(
    issues: LabelIssues, classifier: PrototypeClassifier, records: EmbeddedBank, size: tuple[int, int], most: int
) -> list[Misclassification]:
    """The first issues beside their nearest training records, of their own mode and of the nearer one."""
    rows, train = issues.rows[:most], score_part(classifier, records, "train")
    shown = ScoredRecords(classifier, records.bank, rows, records.at(rows))
    return [
        illustrate(shown.take(np.array([i])), train, other, (float(own), float(nearest)), size)
        for i, other, own, nearest in zip(range(len(rows)), issues.other, issues.own, issues.nearest, strict=False)
    ]
