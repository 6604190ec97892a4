"""Which combination of a sweep to take: means and intervals over seeds, ties, and the simplest among the best."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tasks.config.run import RunConfig
from tasks.config.search_space import Candidate
from tasks.core.json_form import Json
from tasks.core.results import TrialResult

UNBOUNDED_INTERVAL = {"d_prime"}  # every other figure is a share of one


@dataclass(frozen=True)
class RankingRow:
    """One combination: its figure at every seed that ended well, mean and interval, and why the others did not.

    `low` and `high` are None where fewer than two seeds ended well: one value tells no spread.
    """

    number: int
    candidate: Candidate
    figures: list[float] = field(repr=False)
    mean: float | None
    low: float | None
    high: float | None
    seconds: float | None
    parameters: int | None
    reasons: list[str]


@dataclass(frozen=True)
class Ranking:
    """Rows with the best mean first, those without one last; `tied` are within the interval of the first."""

    rows: list[RankingRow]
    tied: list[RankingRow]
    chosen: RankingRow


def rank(candidates: list[Candidate], trials: list[TrialResult], figure: str, confidence: float) -> Ranking | None:
    """Rank the candidates by the mean of a figure over seeds; None where no trial has the figure.

    A candidate some of whose seeds failed is chosen only where each has such. Of those whose mean lies
    within the best's interval, the chosen one has the fewest parameters, then the fewest settings that
    are not the preset's, then the best mean.
    """
    rows = [_row(number, candidate, trials, figure, confidence) for number, candidate in enumerate(candidates)]
    rows.sort(key=lambda row: (row.mean is None, -(row.mean or 0.0), row.number))
    least = min((len(row.reasons) for row in rows if row.mean is not None), default=None)
    complete = [row for row in rows if row.mean is not None and len(row.reasons) == least]
    if not complete:
        return None
    best = complete[0]
    floor = best.mean if best.low is None else best.low
    tied = [row for row in complete if row.mean >= floor]
    return Ranking(rows, tied, min(tied, key=_simplicity))


def _row(number: int, candidate: Candidate, trials: list[TrialResult], figure: str, confidence: float) -> RankingRow:
    own_trials = [trial for trial in trials if trial.candidate == number]
    ended = [trial.facts for trial in own_trials if trial.value(figure) is not None]
    figures = [facts["figures"][figure] for facts in ended]
    low, high = _interval(figures, confidence, bounded=figure not in UNBOUNDED_INTERVAL)
    return RankingRow(
        number,
        candidate,
        figures,
        mean=float(np.mean(figures)) if figures else None,
        low=low,
        high=high,
        seconds=float(np.mean([facts["seconds"] for facts in ended])) if figures else None,
        parameters=ended[0]["parameters"] if ended else None,
        reasons=[f"seed {trial.seed}: {why_not(trial, figure)}" for trial in own_trials if trial.value(figure) is None],
    )


def why_not(trial: TrialResult, figure: str) -> str:
    """Why a trial has no such figure."""
    return trial.failed or f"no {figure}: the calibration part has no good records, or no others"


def _interval(values: list[float], confidence: float, bounded: bool) -> tuple[float | None, float | None]:
    """Student's t interval of the mean, cut to 0..1 where the figure is a share; None for fewer than two values."""
    from scipy.stats import t

    if len(values) < 2:
        return None, None
    mean, spread = np.mean(values), np.std(values, ddof=1) / np.sqrt(len(values))
    half_width = t.ppf((1 + confidence) / 2, len(values) - 1) * spread
    low, high = mean - half_width, mean + half_width
    return (max(float(low), 0.0), min(float(high), 1.0)) if bounded else (float(low), float(high))


def _simplicity(row: RankingRow) -> tuple[int, int, float, int]:
    """What the chosen of the tied has least of; the row's number makes the order whole."""
    config = row.candidate.config
    preset = _flatten(RunConfig(preset=config.preset).fingerprint_fields())
    changed_settings = sum(value != preset[key] for key, value in _flatten(config.fingerprint_fields()).items())
    return row.parameters, changed_settings, -row.mean, row.number


def _flatten(settings: Json) -> Json:
    """Every setting by its dotted key."""
    flat: Json = {}
    for key, value in settings.items():
        flat |= {f"{key}.{name}": inner for name, inner in value.items()} if isinstance(value, dict) else {key: value}
    return flat
