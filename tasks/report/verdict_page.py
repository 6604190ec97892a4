"""The page of verdicts on new parts: what was judged, what it is worth, and why, with pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.registry.loading import Released
from tasks.registry.releases import GOOD
from tasks.report.pictures import HeatMaps, Picture, glowing, on_one_scale, signed
from tasks.report.templating import environment
from tasks.scoring.examples import Case, Shown
from tasks.scoring.explain import Why, why
from tasks.scoring.flips import Flips

BRIGHT = 0.998  # share of the values at which a case's colours end: one strong mark would hide what is weak


@dataclass(frozen=True)
class Told:
    """One case as the page shows it: its reasons, its map beside the nearest mode's mean and training records, on
    one scale, the signed difference of map and mean, and what a window of it alone brings."""

    why: Why
    maps: HeatMaps
    difference: Picture
    revealed: Picture
    mode: str

    @property
    def case(self) -> Case:
        """The record and its verdict."""
        return self.why.case


def render_verdicts(opened: Released, shown: Shown, flips: Flips | None, facts: dict[str, Any], language: str) -> str:
    """The page as HTML text.

    `facts` are what `Scored.as_json` tells: source, revision, release, path, counts, figures.
    """
    kinds = {name: told(opened, cases) for name, cases in shown.cases().items()}
    changed = [] if flips is None else flips.cases()
    ours = told(opened, [one for one, _ in changed])
    theirs = [] if flips is None else told(flips.against, [other for _, other in changed])
    return (
        environment(language)
        .get_template("verdicts.html")
        .render(
            opened=opened,
            cut=_known(opened.cut),
            reach=_known(opened.reach),
            rule=opened.thresholds.get(GOOD),
            facts=facts,
            total=sum(facts["counts"].values()),
            kinds=kinds,
            flips=None if flips is None else flips.as_json(),
            flipped=list(zip(ours, theirs, strict=True)),
            other=None if flips is None else {"cut": _known(flips.against.cut), "reach": _known(flips.against.reach)},
            language=language,
        )
    )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def told(opened: Released, cases: list[Case]) -> list[Told]:
    """The cases with their reasons and pictures."""
    return [_told(opened, reasons) for reasons in why(opened, cases)]


def _told(opened: Released, reasons: Why) -> Told:
    mode = opened.judge.modes[reasons.case.nearest]
    values = (reasons.map, reasons.anchor, *(neighbour.map for neighbour in reasons.neighbours))
    alts = (
        f"heat map of record {reasons.case.row}",
        f"heat map of the mean of mode {mode}",
        *(f"heat map of a training record of mode {neighbour.mode}" for neighbour in reasons.neighbours),
    )
    return Told(
        reasons,
        on_one_scale(values, alts, reasons, BRIGHT),
        signed(reasons.level + reasons.shape, f"map of the difference from the mean of mode {mode}"),
        glowing(reasons.revealed, "map of what each place alone adds to the score"),
        mode,
    )
