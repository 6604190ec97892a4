"""What the report's pictures are drawn from: arrays of the test part, gathered once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from tasks.evaluation.bootstrap import Bootstrap
from tasks.evaluation.scored_records import ScoredRecords


@dataclass(frozen=True)
class TripletExample:
    """One test triplet: maps (rows, cols), modes, and the trained distances to the anchor mode's prototype."""

    anchor: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    anchor_mode: str
    negative_mode: str
    positive_distance: float
    negative_distance: float


@dataclass(frozen=True)
class ReportData:
    """Test part: n records, m modes.

    distances (n, m) of records to prototypes and `baseline_distances` the same for each raw-map
    baseline by name; mode (n,) codes; good (n,) bool; good_score (n,) or None; embeddings (n, d);
    weights (draws, n) of the bootstrap, as the figures' intervals have them; history as in history.json.
    """

    modes: list[str]
    distances: np.ndarray
    mode: np.ndarray
    good: np.ndarray
    good_score: np.ndarray | None
    embeddings: np.ndarray
    baseline_distances: dict[str, np.ndarray]
    history: dict[str, Any]
    examples: list[TripletExample]
    weights: np.ndarray
    contrasts: list[PairContrast]
    mistakes: list[Misclassification]


def collect_report_data(
    test: ScoredRecords,
    train: ScoredRecords,
    raw_baselines: list[ScoredRecords],
    history: dict[str, Any],
    size: tuple[int, int],
    bootstrap: Bootstrap,
) -> ReportData:
    """What the report shows of the test records; `raw_baselines` are the same records by the raw-map baselines.

    size: rows and columns of a map; bootstrap: of the test records.
    """
    return ReportData(
        modes=test.bank.modes,
        distances=test.distances,
        mode=test.mode,
        good=test.good,
        good_score=test.score if test.classifier.knows_good else None,
        embeddings=test.embedded.vectors,
        baseline_distances={records.classifier.name: records.distances for records in raw_baselines},
        history=history,
        examples=_examples(test, size),
        weights=bootstrap.weights,
        contrasts=pair_contrasts(test),
        mistakes=worst_misclassifications(test, train, size),
    )


def _examples(test: ScoredRecords, size: tuple[int, int], most: int = 4) -> list[TripletExample]:
    """The first test triplet of a few modes, spread evenly over all modes."""
    bank, distances = test.bank, test.distances
    number = {int(row): i for i, row in enumerate(test.rows)}
    triplets = bank.triplets["test"]
    modes = np.unique(triplets[:, 0])
    chosen = modes[np.unique(np.linspace(0, len(modes) - 1, min(most, len(modes))).astype(int))]
    found = []
    for code in chosen:
        anchor, positive, negative = triplets[np.flatnonzero(triplets[:, 0] == code)[0]]
        maps = [
            np.asarray(values).reshape(size)
            for values in (bank.anchors[anchor], bank.maps[positive], bank.maps[negative])
        ]
        names = bank.modes[anchor], bank.modes[bank.mode[negative]]
        found.append(
            TripletExample(*maps, *names, *(float(distances[number[int(row)], anchor]) for row in (positive, negative)))
        )
    return found


MAX_CONTRAST_RECORDS = 500  # whose pairs are taken: 125,000 of them say what all would say


@dataclass(frozen=True)
class PairContrast:
    """Two kinds of pair, the first of which should be the nearer: their names and distances (n,)."""

    near: str
    far: str
    near_values: np.ndarray
    far_values: np.ndarray

    @property
    def rows(self) -> tuple[tuple[str, np.ndarray], tuple[str, np.ndarray]]:
        """Both kinds, name and distances, the nearer first."""
        return (self.near, self.near_values), (self.far, self.far_values)

    @property
    def auroc(self) -> float:
        """How often a pair of the first kind is nearer than one of the second; a tie counts half."""
        values = np.concatenate([self.near_values, self.far_values])
        return float(roc_auc_score(np.repeat([False, True], [len(self.near_values), len(self.far_values)]), values))


def pair_contrasts(test: ScoredRecords) -> list[PairContrast]:
    """Records against prototypes, defects against one another, and good parts against good and defective ones.

    A contrast that lacks one of its kinds is left out.
    """
    distances, mode = test.distances, test.mode
    own = np.arange(distances.shape[1]) == mode[:, None]
    found = [
        PairContrast(
            "record to its own mode’s prototype", "record to another prototype", distances[own], distances[~own]
        )
    ]
    rows = np.unique(np.linspace(0, len(mode) - 1, min(MAX_CONTRAST_RECORDS, len(mode))).astype(int))
    sample = test.take(rows)
    mode, good = sample.mode, sample.good
    between = test.classifier.pair_distances(sample.embedded, sample.embedded)
    # a distance need not be symmetric, so each pair is taken both ways; a record with itself is no pair
    pairs = ~np.eye(len(rows), dtype=bool)
    bad, same = pairs & ~good & ~good[:, None], mode == mode[:, None]
    what = "defects" if good.any() else "records"
    found.append(
        PairContrast(f"two {what} of one mode", f"two {what} of two modes", between[bad & same], between[bad & ~same])
    )
    both, mixed = pairs & good & good[:, None], good & ~good[:, None]
    found.append(PairContrast("two good parts", "a good and a defective part", between[both], between[mixed]))
    return [one for one in found if len(one.near_values) and len(one.far_values)]


@dataclass(frozen=True)
class Misclassification:
    """One test record, and its nearest training records of its own mode and of the one it was taken for.

    Maps (rows, cols); `own_distance` and `taken_distance` are from the record to those two, in the trained
    distance, and `own_prototype` and `taken_prototype` to the modes' prototypes.
    """

    record: np.ndarray
    own: np.ndarray
    taken: np.ndarray
    own_mode: str
    taken_mode: str
    group: str
    own_distance: float
    taken_distance: float
    own_prototype: float
    taken_prototype: float


def worst_misclassifications(
    test: ScoredRecords, train: ScoredRecords, size: tuple[int, int], most: int = 6
) -> list[Misclassification]:
    """The misjudged test records that lie farthest behind the prototype they were taken for, worst first.

    `size` is rows and columns of a map. Every mode has a training record: a bank has no other modes.
    """
    bank, distances = test.bank, test.distances
    rows, place = test.rows, np.arange(len(distances))
    mode, taken = test.mode, distances.argmin(axis=1)
    behind = distances[place, mode] - distances[place, taken]
    worst = [i for i in np.argsort(-behind, kind="stable")[:most] if taken[i] != mode[i]]
    found = []
    for i in worst:
        own_row, own_distance = _nearest(test.take(np.array([i])), train, mode[i])
        taken_row, taken_distance = _nearest(test.take(np.array([i])), train, taken[i])
        maps = [np.asarray(bank.maps[row]).reshape(size) for row in (rows[i], own_row, taken_row)]
        names = bank.modes[mode[i]], bank.modes[taken[i]], str(bank.group[rows[i]])
        prototypes = float(distances[i, mode[i]]), float(distances[i, taken[i]])
        found.append(Misclassification(*maps, *names, own_distance, taken_distance, *prototypes))
    return found


def _nearest(record: ScoredRecords, train: ScoredRecords, mode: int) -> tuple[int, float]:
    """The row of the mode's training record that is nearest to a record, and its distance."""
    candidates = train.take(train.mode == mode)
    (distances,) = train.classifier.pair_distances(record.embedded, candidates.embedded)
    return int(candidates.rows[distances.argmin()]), float(distances.min())
