"""The arrays of the test part that the report's pictures are drawn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score

from tasks.core.json_form import Json
from tasks.evaluation.resampling import Resampling
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
    resampling: of the n records, as the figures' intervals have it; history as in history.json.
    """

    modes: list[str]
    distances: np.ndarray
    mode: np.ndarray
    good: np.ndarray
    good_score: np.ndarray | None
    embeddings: np.ndarray
    baseline_distances: dict[str, np.ndarray]
    history: Json
    examples: list[TripletExample]
    resampling: Resampling
    contrasts: list[PairContrast]
    mistakes: list[Misclassification]


def collect_report_data(
    test: ScoredRecords,
    train: ScoredRecords,
    raw_baselines: list[ScoredRecords],
    history: Json,
    size: tuple[int, int],
    resampling: Resampling,
) -> ReportData:
    """What the report shows of the test records; `raw_baselines` are the same records by the raw-map baselines.

    size: rows and columns of a map; resampling: of the test records.
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
        resampling=resampling,
        contrasts=pair_contrasts(test),
        mistakes=worst_misclassifications(test, train, size),
    )


def _examples(test: ScoredRecords, size: tuple[int, int], most: int = 4) -> list[TripletExample]:
    """The first test triplet of a few modes, spread evenly over all modes."""
    bank, triplets = test.bank, test.bank.triplets["test"]
    position = {int(row): i for i, row in enumerate(test.rows)}
    codes = np.unique(triplets[:, 0])
    codes = codes[np.unique(np.linspace(0, len(codes) - 1, min(most, len(codes))).astype(int))]
    examples = []
    for anchor, positive, negative in (triplets[np.flatnonzero(triplets[:, 0] == code)[0]] for code in codes):
        values = bank.anchors[anchor], bank.maps[positive], bank.maps[negative]
        maps = [np.asarray(row).reshape(size) for row in values]
        distances = [float(test.distances[position[int(row)], anchor]) for row in (positive, negative)]
        names = bank.modes[anchor], bank.modes[bank.mode[negative]]
        examples.append(TripletExample(*maps, *names, *distances))
    return examples


MAX_CONTRAST_RECORDS = 500  # of the test part; their 125,000 pairs show what all would show


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
        """The AUROC of the distances: how often a pair of the first kind is closer than one of the second."""
        values = np.concatenate([self.near_values, self.far_values])
        return float(roc_auc_score(np.repeat([False, True], [len(self.near_values), len(self.far_values)]), values))


def pair_contrasts(test: ScoredRecords) -> list[PairContrast]:
    """Records against prototypes, defects against one another, and good parts against good and defective ones.

    A contrast that lacks one of its kinds is left out.
    """
    distances = test.distances
    own = np.arange(distances.shape[1]) == test.mode[:, None]
    sample = test.take(np.unique(np.linspace(0, len(test) - 1, min(MAX_CONTRAST_RECORDS, len(test))).astype(int)))
    mode, good = sample.mode, sample.good
    between = test.classifier.pair_distances(sample.embedded, sample.embedded)
    # a distance need not be symmetric, so each pair is taken both ways; a record with itself is no pair
    pairs = ~np.eye(len(sample), dtype=bool)
    bad, same = pairs & ~good & ~good[:, None], mode == mode[:, None]
    both, mixed = pairs & good & good[:, None], good & ~good[:, None]
    what = "defects" if good.any() else "records"
    contrasts = [
        PairContrast(
            "record to its own mode’s prototype", "record to another prototype", distances[own], distances[~own]
        ),
        PairContrast(f"two {what} of one mode", f"two {what} of two modes", between[bad & same], between[bad & ~same]),
        PairContrast("two good parts", "a good and a defective part", between[both], between[mixed]),
    ]
    return [contrast for contrast in contrasts if len(contrast.near_values) and len(contrast.far_values)]


@dataclass(frozen=True)
class Misclassification:
    """A record, and the nearest training records of its own and of the predicted mode.

    Maps (rows, cols); `own_distance` and `predicted_distance` are from the record to those two, in the trained
    distance, and `own_prototype` and `predicted_prototype` to the modes' prototypes.
    """

    record: np.ndarray
    own: np.ndarray
    predicted: np.ndarray
    own_mode: str
    predicted_mode: str
    group: str
    own_distance: float
    predicted_distance: float
    own_prototype: float
    predicted_prototype: float


def worst_misclassifications(
    test: ScoredRecords, train: ScoredRecords, size: tuple[int, int], most: int = 6
) -> list[Misclassification]:
    """The test records that are much closer to the predicted mode than to their own, the worst first.

    `size` is rows and columns of a map.
    """
    distances, rows = test.distances, np.arange(len(test))
    predicted = distances.argmin(axis=1)
    to_own, to_predicted = distances[rows, test.mode], distances[rows, predicted]
    worst = np.argsort(to_predicted - to_own, kind="stable")[:most]
    return [
        illustrate(test.take(np.array([i])), train, predicted[i], (float(to_own[i]), float(to_predicted[i])), size)
        for i in worst
        if predicted[i] != test.mode[i]
    ]


def illustrate(
    record: ScoredRecords, train: ScoredRecords, predicted: int, prototypes: tuple[float, float], size: tuple[int, int]
) -> Misclassification:
    """One record beside its nearest training records of both modes.

    predicted: the code of the predicted mode; prototypes: distances to the prototypes of its own and that mode.
    """
    bank, (row,), (own,) = record.bank, record.rows, record.mode
    (own_row, own_distance), (other_row, other_distance) = (_nearest(record, train, code) for code in (own, predicted))
    maps = [np.asarray(bank.maps[at]).reshape(size) for at in (row, own_row, other_row)]
    names = bank.modes[own], bank.modes[predicted], str(bank.group[row])
    return Misclassification(*maps, *names, own_distance, other_distance, *prototypes)


def _nearest(record: ScoredRecords, train: ScoredRecords, mode: int) -> tuple[int, float]:
    """The row of the mode's training record that is nearest to a record, and its distance; another one if there is."""
    of_mode = train.mode == mode
    others = of_mode & (train.rows != record.rows)
    candidates = train.take(others if others.any() else of_mode)
    (distances,) = train.classifier.pair_distances(record.embedded, candidates.embedded)
    return int(candidates.rows[distances.argmin()]), float(distances.min())
