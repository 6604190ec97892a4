"""The page of verdicts on new parts: how many, how well they agree with labels, and explanations with pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.core.inspection import ScoreResult
from tasks.pages.templating import environment
from tasks.registry.loading import LoadedRelease
from tasks.registry.release_files import DEFECT_THRESHOLD
from tasks.report.pictures import HeatMaps, Picture, difference_map, intensity_map, on_one_scale
from tasks.scoring.batch import ScoredRecord
from tasks.scoring.explain import Explanation, explain

BRIGHT_SHARE = 0.998  # share of the values at which an example's colours end: one strong mark would hide weak ones


@dataclass(frozen=True)
class IllustratedCase:
    """One record as the page shows it.

    maps: its map, the mean of the nearest mode, and the most similar training records, on one scale; difference: map
    minus mean; heatmap: the explanation's; mode: the nearest mode's name.
    """

    explanation: Explanation
    maps: HeatMaps
    difference: Picture
    heatmap: Picture
    mode: str

    @property
    def record(self) -> ScoredRecord:
        """The record and its predictions."""
        return self.explanation.record


@dataclass(frozen=True)
class Comparison:
    """Another release, and records with changed verdicts as the page's release and as the other sees them."""

    release: LoadedRelease
    examples: list[tuple[ScoredRecord, ScoredRecord]]


@dataclass(frozen=True)
class Thresholds:
    """A release's thresholds; None for one that it does not have."""

    defect: float | None
    radius: float | None


def render_verdicts(
    release: LoadedRelease,
    result: ScoreResult,
    examples: dict[str, list[ScoredRecord]],
    comparison: Comparison | None,
    language: str,
) -> str:
    """The page as HTML text; examples: `worst`, `uncertain` and `random`."""
    flipped, others = [], []
    if comparison is not None:
        flipped = illustrate(release, [record for record, _ in comparison.examples])
        others = illustrate(comparison.release, [other for _, other in comparison.examples])
    return (
        environment(language)
        .get_template("verdicts.html")
        .render(
            result=result,
            score_unit=release.classifier.unit,
            good_label=release.data.good,
            labels_unlike=result.figures is None or result.figures.lacks_good or not release.classifier.knows_good,
            thresholds=_thresholds(release),
            other_thresholds=None if comparison is None else _thresholds(comparison.release),
            rule=release.thresholds.get(DEFECT_THRESHOLD),
            total=sum(result.counts.values()),
            examples={name: illustrate(release, records) for name, records in examples.items()},
            flipped=list(zip(flipped, others, strict=True)),
            language=language,
        )
    )


def _thresholds(release: LoadedRelease) -> Thresholds:
    values = (release.defect_threshold, release.mode_radius)
    return Thresholds(*(None if np.isnan(value) else value for value in values))


def illustrate(release: LoadedRelease, records: list[ScoredRecord]) -> list[IllustratedCase]:
    """The records with their explanations and pictures."""
    return [_illustrate(release, explain(release, record)) for record in records]


def _illustrate(release: LoadedRelease, explanation: Explanation) -> IllustratedCase:
    mode, neighbours = release.classifier.modes[explanation.record.nearest], explanation.neighbours
    maps = (explanation.map, explanation.anchor, *(neighbour.map for neighbour in neighbours))
    alts = (
        f"heat map of record {explanation.record.row}",
        f"heat map of the mean of mode {mode}",
        *(f"heat map of a training record of mode {neighbour.mode}" for neighbour in neighbours),
    )
    return IllustratedCase(
        explanation=explanation,
        maps=on_one_scale(maps, alts, explanation, BRIGHT_SHARE),
        difference=difference_map(explanation.level + explanation.shape, f"difference from the mean of mode {mode}"),
        heatmap=intensity_map(explanation.heatmap, "heat map of how much each window raises the score"),
        mode=mode,
    )
