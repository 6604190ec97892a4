"""The gate of an export: the exported file, run by its own runtime, must give the release's verdicts.

Both get the same maps: the training records that the release keeps, mixtures of two of them (which lie between the
modes, where a verdict changes most easily), noise, and edge cases. Distances may differ in the last digits of the
tower's float32. Modes and verdicts must be equal, except where the release's own answer is closer to the border
than that difference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tasks.core.errors import ParityLost
from tasks.core.results import ExportParity
from tasks.model.classifier import PrototypeClassifier
from tasks.model.embeddings import Embedded
from tasks.registry.loading import LoadedRelease
from tasks.scoring.export_graph import UNREADABLE_CODE
from tasks.scoring.verdicts import VERDICTS, Predictions, predict_embedded

TOLERANCE = 1e-4  # of a distance: relative, or absolute below 1
SCORE_TOLERANCE = 1e-9  # of a score in float64, given the distance
SEED = 42
MIXTURES = 500  # and as many maps of noise
EDGE_RECORDS = 16

Outputs = dict[str, np.ndarray]  # by the names of tasks/scoring/export_graph.py
Run = Callable[[np.ndarray], Outputs]  # from maps (n, values) float32


@dataclass(frozen=True)
class SetParity:
    """One set of maps: how many, the largest relative differences, and modes and verdicts that differ at the border.

    score is None where the release knows no good parts; at_the_border: maps on which a difference is allowed.
    """

    records: int
    distance: float
    score: float | None
    other_modes: int
    other_verdicts: int
    at_the_border: int


@dataclass(frozen=True)
class ParityReport:
    """What the gate measured on each set of maps; the content of `parity.json`."""

    sets: dict[str, SetParity]

    @property
    def summary(self) -> ExportParity:
        """All sets together."""
        records = sum(entry.records for entry in self.sets.values())
        return ExportParity(TOLERANCE, records, max(entry.distance for entry in self.sets.values()))

    def as_json(self) -> dict[str, Any]:
        """The report as one JSON object."""
        return {**asdict(self.summary), "seed": SEED, **asdict(self)}


def gate_maps(release: LoadedRelease) -> dict[str, np.ndarray]:
    """The sets of maps (n, values) float32 by name; a release that keeps no training records has its anchors."""
    rng = np.random.default_rng(SEED)
    records = np.asarray(release.anchors if release.gallery is None else release.gallery.maps, np.float32)
    first, second = records[rng.integers(len(records), size=(2, MIXTURES))]
    share = rng.uniform(size=(MIXTURES, 1)).astype(np.float32)
    deviation = float(records.std()) or 1.0
    noise = rng.normal(records.mean(), deviation, (MIXTURES, records.shape[1])).astype(np.float32)
    some = records[:EDGE_RECORDS]
    constants = [np.full_like(some[:1], value) for value in (0, deviation, -deviation)]
    return {
        "anchors" if release.gallery is None else "gallery": records,
        "mixtures": share * first + (1 - share) * second,
        "noise": noise,
        "edges": np.concatenate([*constants, -some, some * 1000, some / 1000]),
    }


def gate(release: LoadedRelease, run: Run) -> ParityReport:
    """Compare the exported model `run` with the release on every set; raises ParityLost."""
    sets = {name: compare(release, maps, run, name) for name, maps in gate_maps(release).items()}
    _require_unreadable(release, run)
    return ParityReport(sets)


def compare(release: LoadedRelease, maps: np.ndarray, run: Run, name: str) -> SetParity:
    """Compare the exported model with the release on maps (n, values), which are called `name`; raises ParityLost."""
    embedded = release.classifier.embed(maps)
    outputs, expected = run(maps), predict_embedded(release, maps, embedded)
    distances = release.classifier.mode_distances(embedded)
    difference = _relative(outputs["distances"], distances)
    _require(difference <= TOLERANCE, f"distances of {name}", float(difference.max()))
    low, high = _score_bounds(release.classifier, embedded)
    _require_scores(outputs["score"], expected.score, low, high, name)
    tied = _tied(distances)
    same_mode = outputs["mode"] == expected.mode
    _require(same_mode | tied, f"modes of {name}")
    near_threshold = (low <= release.defect_threshold) & (release.defect_threshold <= high)
    border = near_threshold | (_relative(expected.distance, release.mode_radius) <= TOLERANCE)
    same_verdict = np.array(VERDICTS)[np.clip(outputs["verdict"], 0, len(VERDICTS) - 1)] == expected.verdict
    _require(same_verdict | border, f"verdicts of {name}")
    _require_level_and_shape(outputs, expected, tied, name)
    _require_same_alone(run, maps, outputs, name)
    return SetParity(
        records=len(maps),
        distance=float(difference.max()),
        score=float(np.abs(outputs["score"] - expected.score).max()) if release.classifier.knows_good else None,
        other_modes=int((~same_mode).sum()),
        other_verdicts=int((~same_verdict).sum()),
        at_the_border=int((border | tied).sum()),
    )


def _score_bounds(classifier: PrototypeClassifier, embedded: Embedded) -> tuple[np.ndarray, np.ndarray]:
    """The smallest and largest score (n,) of a distance and of patches within the tolerance: it falls with neither.

    NaN without a good prototype.
    """
    distance = classifier.good_distances(embedded)
    low, high = (
        classifier.score_at(_moved(distance, by), embedded.peaks, _moved(embedded.patches, by))
        for by in (-TOLERANCE, TOLERANCE)
    )
    return low - SCORE_TOLERANCE * np.maximum(np.abs(low), 1), high + SCORE_TOLERANCE * np.maximum(np.abs(high), 1)


def _moved(values: np.ndarray | None, by: float) -> np.ndarray | None:
    return None if values is None else values + by * np.maximum(np.abs(values), 1)


def _tied(distances: np.ndarray) -> np.ndarray:
    """Whether the two nearest modes (n, modes) are equally far within the tolerance, bool (n,)."""
    if distances.shape[1] == 1:
        return np.zeros(len(distances), bool)
    nearest, second = np.sort(distances, axis=1)[:, :2].T
    return _relative(nearest, second) <= 2 * TOLERANCE


def _require_scores(score: np.ndarray, expected: np.ndarray, low: np.ndarray, high: np.ndarray, name: str) -> None:
    within = (score >= low) & (score <= high) | np.isnan(expected) & np.isnan(score)
    _require(within, f"scores of {name}", float(np.nanmax(np.abs(score - expected), initial=0)))


def _require_level_and_shape(outputs: Outputs, expected: Predictions, tied: np.ndarray, name: str) -> None:
    """RT's level and shape come from the map alone, so that only another mode's anchor can change them."""
    for key in ("beta", "sqrt_ve"):
        value = getattr(expected, key)
        same = (_relative(outputs[key], value) <= TOLERANCE) | tied
        _require(same | (np.isnan(value) & np.isnan(outputs[key])), f"{key} of {name}")


def _require_same_alone(run: Run, maps: np.ndarray, outputs: Outputs, name: str) -> None:
    """A single map gets the same distances as among others."""
    single = run(maps[:1])
    _require(_relative(single["distances"], outputs["distances"][:1]) <= TOLERANCE, f"a single map of {name}")


def _require_unreadable(release: LoadedRelease, run: Run) -> None:
    """A map with a value that is not finite must not get a verdict."""
    broken = np.repeat(np.asarray(release.anchors[:1], np.float32), 2, axis=0)
    broken[:, 0] = np.nan, np.inf
    _require(run(broken)["verdict"] == UNREADABLE_CODE, "verdicts of maps with values that are not finite")


def _relative(values: np.ndarray, expected: Any) -> np.ndarray:
    """The difference relative to what is expected, or absolute below 1."""
    return np.abs(values - expected) / np.maximum(np.abs(expected), 1)


def _require(same: np.ndarray, what: str, largest: float | None = None) -> None:
    if not np.all(same):
        size = "" if largest is None else f", by {largest:.2g} at most"
        count = int(np.size(same) - np.count_nonzero(same))
        raise ParityLost(
            f"export: expected the {what} as the release has them within {TOLERANCE:g}, found {count} "
            f"that differ{size}; nothing was exported"
        )
