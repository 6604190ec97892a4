"""Attribute agreement, after AIAG's manual: how well an appraiser agrees with the reference, with others and itself.

Source: AIAG, *Measurement Systems Analysis*, 4th edition (2010), chapter III, section C, whose limits are those below.
It gives no intervals for error rates; here each rate has one, and is shown to keep its limit only where the bound does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import beta, bootstrap
from sklearn.metrics import cohen_kappa_score

from tasks.core.json_form import Json
from tasks.core.results import CommandResult

CONFIDENCE = 0.95
LEAST_EFFECTIVENESS, MOST_MISSED, MOST_FALSE_ALARMS = 0.90, 0.02, 0.05
KAPPA_DRAWS, SEED = 999, 42

Interval = tuple[float, float]


@dataclass(frozen=True)
class Rate:
    """A share of `of` decisions with its two-sided interval.

    limit: what it should be at most, or at least where at_least; shown: whether the one-sided bound keeps it; broken:
    whether the bound of the other side breaks it; needed: how many parts without any error would show it. All None
    where there is no limit.
    """

    value: float
    interval: Interval
    count: int
    of: int
    parts: int
    limit: float | None = None
    shown: bool | None = None
    broken: bool | None = None
    needed: int | None = None
    at_least: bool = False


@dataclass(frozen=True)
class Kappa:
    """Cohen's kappa with a percentile bootstrap's interval over parts; None where it is not defined.

    It is not where both always say the same, or where all draws but a few are so.
    """

    value: float | None
    interval: Interval | None


@dataclass(frozen=True)
class Appraisal:
    """One appraiser: `effectiveness`, the share of parts that are right in every trial; misses and false alarms among
    all decisions on defects and good parts; kappa against the reference; `repeatability`, the share of parts with the
    same answer in every trial, None with a single trial. A rate is None where there is no such part.
    """

    name: str
    trials: int
    effectiveness: Rate
    misses: Rate | None
    false_alarms: Rate | None
    kappa: Kappa
    repeatability: Rate | None

    @property
    def accepted(self) -> bool:
        """Whether all three limits are shown to be kept."""
        rates = (self.effectiveness, self.misses, self.false_alarms)
        return all(rate is not None and rate.shown for rate in rates)


@dataclass(frozen=True)
class Pair:
    """Two appraisers, by their names, and the kappa of their answers."""

    first: str
    second: str
    kappa: Kappa


@dataclass(frozen=True)
class Agreement(CommandResult):
    """All appraisers, and each two of them; together: the share of parts on which all always give the same answer."""

    parts: int
    defects: int
    appraisals: tuple[Appraisal, ...]
    pairs: tuple[Pair, ...]
    together: Rate

    def as_json(self) -> Json:
        """The study's result as one JSON object."""
        entries = {"status": "judged", "confidence": CONFIDENCE, **super().as_json()}
        for entry, appraisal in zip(entries["appraisals"], self.appraisals, strict=True):
            entry["accepted"] = appraisal.accepted
        return entries


def agreement(answers: dict[str, np.ndarray], defect: np.ndarray) -> Agreement:
    """How well appraisers agree. answers: of each, bool (parts, trials), True where called a defect; defect: (parts,)
    the reference."""
    same = np.concatenate(list(answers.values()), axis=1)
    return Agreement(
        parts=len(defect),
        defects=int(defect.sum()),
        appraisals=tuple(_appraisal(name, calls, defect) for name, calls in answers.items()),
        pairs=tuple(Pair(*pair, _kappa(*(answers[name] for name in pair))) for pair in combinations(answers, 2)),
        together=_rate((same == same[:, :1]).all(axis=1)[:, None]),
    )


def _appraisal(name: str, calls: np.ndarray, defect: np.ndarray) -> Appraisal:
    right = calls == defect[:, None]
    return Appraisal(
        name=name,
        trials=calls.shape[1],
        effectiveness=_at_least(right.all(axis=1)[:, None], LEAST_EFFECTIVENESS),
        misses=_at_most(~calls[defect], MOST_MISSED) if defect.any() else None,
        false_alarms=_at_most(calls[~defect], MOST_FALSE_ALARMS) if not defect.all() else None,
        kappa=_kappa(calls, defect[:, None]),
        repeatability=_rate((calls == calls[:, :1]).all(axis=1)[:, None]) if calls.shape[1] > 1 else None,
    )


def _at_most(error: np.ndarray, limit: float) -> Rate:
    """A rate of errors (parts, trials) that should be `limit` at most."""
    return _with_limit(error, limit, at_least=False)


def _at_least(hit: np.ndarray, limit: float) -> Rate:
    return _with_limit(hit, limit, at_least=True)


def _with_limit(hit: np.ndarray, limit: float, at_least: bool) -> Rate:
    rate, low, high = _rate(hit), *exact_interval(hit, 2 * CONFIDENCE - 1)  # each end holds with CONFIDENCE
    shown, broken = (low >= limit, high < limit) if at_least else (high <= limit, low > limit)
    needed = parts_without_error(1 - limit if at_least else limit)
    return Rate(rate.value, rate.interval, rate.count, rate.of, rate.parts, limit, shown, broken, needed, at_least)


def _rate(hit: np.ndarray) -> Rate:
    return Rate(float(hit.mean()), exact_interval(hit, CONFIDENCE), int(hit.sum()), hit.size, len(hit))


def exact_interval(hit: np.ndarray, confidence: float) -> Interval:
    """Clopper's and Pearson's interval of the share of hits (parts, trials), in which each part counts once.

    Trials of one part say nothing of other parts: the interval is that of as many decisions as there are parts.
    """
    n, tail = len(hit), (1 - confidence) / 2
    hits = float(hit.mean()) * n
    low = float(beta.ppf(tail, hits, n - hits + 1)) if hits > 0 else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, n - hits)) if hits < n else 1.0
    return low, high


def parts_without_error(limit: float) -> int:
    """So many parts without an error show that the rate is `limit` at most: 149 for 2 % with 95 % confidence."""
    return math.ceil(math.log(1 - CONFIDENCE) / math.log1p(-limit) - 1e-9)


def _kappa(first: np.ndarray, second: np.ndarray) -> Kappa:
    """Kappa over all pairs of trials of two appraisers (parts, trials); where one has fewer, they are repeated."""
    trials = max(first.shape[1], second.shape[1])
    sides = [np.stack([side[:, i % side.shape[1]] for i in range(trials)], axis=1) for side in (first, second)]

    def of(rows: np.ndarray) -> float:
        calls = [side[rows].ravel() for side in sides]
        if len(np.unique(np.concatenate(calls))) < 2:
            return math.nan
        return float(cohen_kappa_score(*calls))

    rows = np.arange(len(first))
    value = of(rows)
    if math.isnan(value):
        return Kappa(None, None)
    drawn = bootstrap((rows,), of, n_resamples=KAPPA_DRAWS, vectorized=False, method="percentile", rng=SEED)
    values = drawn.bootstrap_distribution[~np.isnan(drawn.bootstrap_distribution)]
    if len(values) < KAPPA_DRAWS / 2:
        return Kappa(value, None)
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Kappa(value, (float(low), float(high)))
