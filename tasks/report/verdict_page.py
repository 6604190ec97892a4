"""The page of verdicts on new parts: what was judged, what it is worth, and why, with pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.registry.loading import LoadedRelease
from tasks.registry.release_files import DEFECT_THRESHOLD
from tasks.report.pictures import HeatMaps, Picture, difference_map, intensity_map, on_one_scale
from tasks.report.templating import environment
from tasks.scoring.examples import ExampleCollector, ScoredRecord
from tasks.scoring.explain import Explanation, explain
from tasks.scoring.flips import FlipCollector

BRIGHT_SHARE = 0.998  # share of the values at which a case's colours end: one strong mark would hide what is weak


@dataclass(frozen=True)
class IllustratedCase:
    """One case as the page shows it: its reasons, its map beside the nearest mode's mean and training records, on
    one scale, the signed difference of map and mean, and what a window of it alone brings."""

    why: Explanation
    maps: HeatMaps
    difference: Picture
    revealed: Picture
    mode: str

    @property
    def case(self) -> ScoredRecord:
        """The record and its verdict."""
        return self.why.case


def render_verdicts(
    opened: LoadedRelease, shown: ExampleCollector, flips: FlipCollector | None, facts: dict[str, Any], language: str
) -> str:
    """The page as HTML text.

    `facts` are what `Scored.as_json` tells: source, revision, release, path, counts, figures.
    """
    kinds = {name: illustrate(opened, cases) for name, cases in shown.cases().items()}
    changed = [] if flips is None else flips.cases()
    ours = illustrate(opened, [one for one, _ in changed])
    theirs = [] if flips is None else illustrate(flips.against, [other for _, other in changed])
    return (
        environment(language)
        .get_template("verdicts.html")
        .render(
            opened=opened,
            cut=_known(opened.defect_threshold),
            reach=_known(opened.mode_radius),
            rule=opened.thresholds.get(DEFECT_THRESHOLD),
            facts=facts,
            total=sum(facts["counts"].values()),
            kinds=kinds,
            flips=None if flips is None else flips.as_json(),
            flipped=list(zip(ours, theirs, strict=True)),
            other=None
            if flips is None
            else {"cut": _known(flips.against.defect_threshold), "reach": _known(flips.against.mode_radius)},
            language=language,
        )
    )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def illustrate(opened: LoadedRelease, cases: list[ScoredRecord]) -> list[IllustratedCase]:
    """The cases with their reasons and pictures."""
    return [_illustrate(opened, reasons) for reasons in explain(opened, cases)]


def _illustrate(opened: LoadedRelease, reasons: Explanation) -> IllustratedCase:
    mode = opened.judge.modes[reasons.case.nearest]
    values = (reasons.map, reasons.anchor, *(neighbour.map for neighbour in reasons.neighbours))
    alts = (
        f"heat map of record {reasons.case.row}",
        f"heat map of the mean of mode {mode}",
        *(f"heat map of a training record of mode {neighbour.mode}" for neighbour in reasons.neighbours),
    )
    return IllustratedCase(
        reasons,
        on_one_scale(values, alts, reasons, BRIGHT_SHARE),
        difference_map(reasons.level + reasons.shape, f"map of the difference from the mean of mode {mode}"),
        intensity_map(reasons.revealed, "map of what each place alone adds to the score"),
        mode,
    )
