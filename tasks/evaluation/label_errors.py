"""Records whose label may be wrong: those that lie nearer another mode than their own, the surest first.

A training record pulls its mode's prototype towards itself. So the training records are dealt into fifths, and
each is judged by prototypes made without its own fifth; the others took no part in them anyway. The tower has
seen the wrong label, too, and still puts such records apart (docs/judgement.md says how often).

    labels.parquet    rank, record (hash), part, mode (as labelled), nearest (the mode it looks like), surety
                      (0..1), own_distance, nearest_distance, group, map
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.data.bank import Bank
from tasks.data.split import PARTS
from tasks.evaluation.report_data import Misclassification
from tasks.model.classifier import PrototypeClassifier
from tasks.model.distances import Prototype
from tasks.model.embeddings import Embedded, EmbeddedBank

FOLDS = 5
MIN_REMAINING = 3  # training records of a mode that must be left, or it keeps its whole prototype
LABELS_FILE = "labels.parquet"
MAX_ROWS = 5000  # of the table: 28 MB of 36 × 39 maps; a person looks at fewer


@dataclass(frozen=True)
class LabelIssues:
    """The records (k,) that lie nearer another mode, the surest first.

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
        left = train.copy()
        left[rows] = False
        held_out = replace(classifier, prototypes=_prototypes_of(classifier, bank, embedded, left))
        distances[rows] = held_out.mode_distances(embedded.take(rows))
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
    """The training rows in five parts, dealt by their hashes, mode by mode."""
    order = np.argsort(bank.hash, kind="stable")
    order = order[train[order]]
    rank = np.empty(len(bank.hash), np.int64)
    for code in range(len(bank.modes)):
        rows = order[bank.mode[order] == code]
        rank[rows] = np.arange(len(rows))
    return [order[rank[order] % FOLDS == fifth] for fifth in range(FOLDS)]


def _prototypes_of(classifier: PrototypeClassifier, bank: Bank, embedded: Embedded, rows: np.ndarray) -> Prototype:
    """The modes' prototypes from the rows (n,) bool alone; a mode of which too few are left keeps its own."""
    left = [rows & (bank.mode == code) for code in range(len(bank.modes))]
    few = np.array([group.sum() < MIN_REMAINING for group in left])
    whole = [(bank.part == PARTS.index("train")) & (bank.mode == code) for code in range(len(bank.modes))]
    groups = [
        embedded.vectors[all_of if too_few else group] for all_of, group, too_few in zip(whole, left, few, strict=True)
    ]
    made = classifier.distance.prototypes(groups)
    return {name: np.where(_beside(few, value), classifier.prototypes[name], value) for name, value in made.items()}


def _beside(few: np.ndarray, value: np.ndarray) -> np.ndarray:
    return few.reshape(-1, *[1] * (value.ndim - 1))


def write_label_issues(found: LabelIssues, bank: Bank, folder: Path) -> None:
    """Write `labels.parquet`: the surest MOST_ROWS suspects, their maps too, by whose values they are found again."""
    rows, modes = found.rows[:MAX_ROWS], np.array(bank.modes, object)
    maps = np.asarray(bank.maps[rows], np.float32)
    columns: dict[str, Any] = {
        "rank": np.arange(1, len(rows) + 1),
        "record": [key.decode() for key in bank.hash[rows].tolist()],
        "part": np.array(PARTS, object)[bank.part[rows]],
        "mode": modes[bank.mode[rows]],
        "nearest": modes[found.other[:MAX_ROWS]],
        "surety": found.confidence[:MAX_ROWS],
        "own_distance": found.own[:MAX_ROWS],
        "nearest_distance": found.nearest[:MAX_ROWS],
        "group": bank.group[rows].astype(object),
        "map": pa.FixedSizeListArray.from_arrays(pa.array(maps.ravel()), bank.maps.shape[1]),
    }
    pq.write_table(pa.table(columns), folder / LABELS_FILE)


def illustrate_label_issues(
    found: LabelIssues, classifier: PrototypeClassifier, records: EmbeddedBank, size: tuple[int, int], most: int
) -> list[Misclassification]:
    """The first suspects beside the training records nearest to them, of their own mode and of the other."""
    bank, embedded = records.bank, records.all()
    train = bank.rows("train")
    every_distance = classifier.pair_distances(embedded.take(found.rows[:most]), embedded.take(train))
    shown = []
    for i, row in enumerate(found.rows[:most]):
        far = every_distance[i]
        far[train == row] = np.inf
        near = [np.where(bank.mode[train] == code, far, np.inf) for code in (bank.mode[row], found.other[i])]
        best = [int(values.argmin()) for values in near]
        maps = [np.asarray(bank.maps[one]).reshape(size) for one in (row, *train[best])]
        names = bank.modes[bank.mode[row]], bank.modes[found.other[i]], str(bank.group[row])
        distances = [float(values[at]) for values, at in zip(near, best, strict=True)]
        shown.append(Misclassification(*maps, *names, *distances, float(found.own[i]), float(found.nearest[i])))
    return shown
