"""How often the gate's checks decide wrongly, by simulation: `python -m bench.accuracy.gate_errors`.

Two questions. Which interval of the difference of two error rates holds what it says at a margin: the score interval of
tasks/promotion/paired_rates.py, the paired resampling or Wald's? And how often is some mode of an equally good model
refused: by its own interval, or with Holm's correction?
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from scipy.stats import norm

from tasks.evaluation.comparison_report import Interval
from tasks.evaluation.resampling import Resampling
from tasks.promotion.paired_metrics import effective_units
from tasks.promotion.paired_rates import adjusted_p_values, fall_p_value, score_interval

CONFIDENCE, MARGIN, DRAWS = 0.95, 0.05, 500
SIMULATIONS = 2000
SETS = [  # records of the kind, groups (0: none), the champion's error rate, share of the larger rate that is shared
    (50, 0, 0.05, 0.5),
    (100, 0, 0.05, 0.5),
    (200, 0, 0.05, 0.5),
    (400, 0, 0.05, 0.5),
    (150, 0, 0.40, 0.7),
    (400, 0, 0.40, 0.7),
    (200, 10, 0.05, 0.5),
    (200, 20, 0.05, 0.5),
    (400, 40, 0.20, 0.7),
]
SPREAD = 0.3  # intra-class correlation of what a model gets wrong, within a group


def errors(
    rng: np.random.Generator, n: int, groups: int, rates: tuple[float, float], shared: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors (n,) of challenger and champion with these rates, and the units; they come from correlated normals."""
    units = np.arange(n) if groups == 0 else np.arange(n) % groups

    def noise() -> np.ndarray:
        single = rng.normal(size=n)
        if groups == 0:
            return single
        return np.sqrt(SPREAD) * rng.normal(size=groups)[units] + np.sqrt(1 - SPREAD) * single

    common = noise()
    challenger, champion = (np.sqrt(shared) * common + np.sqrt(1 - shared) * noise() for _ in range(2))
    return challenger < norm.ppf(rates[0]), champion < norm.ppf(rates[1]), units


def resampled_interval(first: np.ndarray, second: np.ndarray, units: np.ndarray) -> Interval:
    """The interval that the metrics of pairs and modes have: percentiles, widened for few units that differ."""
    change = first.astype(float) - second
    resampling = _resampling(units.tobytes())
    values = resampling.weights @ change / resampling.weights.sum(axis=1)
    return resampling.difference_interval(values, effective_units(change, units))


@functools.cache
def _resampling(codes: bytes) -> Resampling:
    """The resamples of these units, the same in every simulation."""
    units = np.frombuffer(codes, np.int64)
    kind = "group" if len(np.unique(units)) < len(units) else "record"
    return Resampling(units, DRAWS, CONFIDENCE, 1, kind)


def wald(first: np.ndarray, second: np.ndarray, units: np.ndarray) -> Interval:
    """The plain interval of a mean of −1, 0 and 1."""
    change = first.astype(float) - second
    half = norm.ppf(CONFIDENCE) * change.std() / np.sqrt(len(change))
    return float(change.mean() - half), float(change.mean() + half)


METHODS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], Interval]] = {
    "score": lambda *records: score_interval(*records, CONFIDENCE),
    "resampled": resampled_interval,
    "Wald": wald,
}


def pass_rates(n: int, groups: int, rate: float, shared: float, rise: float, seed: int) -> dict[str, float]:
    """How often each interval lets a model pass whose true error rate is the champion's and `rise`."""
    rng, passed = np.random.default_rng(seed), dict.fromkeys(METHODS, 0)
    for _ in range(SIMULATIONS):
        records = errors(rng, n, groups, (rate + rise, rate), shared)
        for name, interval in METHODS.items():
            passed[name] += interval(*records)[1] < MARGIN
    return {name: count / SIMULATIONS for name, count in passed.items()}


def veto_rates(modes: int, records: int, accuracy: float, fall: float, seed: int) -> tuple[float, float]:
    """How often a model is refused for a mode: by the modes' own intervals, and with Holm's correction.

    All modes have the same accuracy in both models; the first falls by `fall` in the challenger.
    """
    rng, by_interval, corrected = np.random.default_rng(seed), 0, 0
    for _ in range(SIMULATIONS // 4):
        changes = []
        for mode in range(modes):
            rates = 1 - accuracy + (fall if mode == 0 else 0), 1 - accuracy
            challenger, champion, units = errors(rng, records, 0, rates, 0.5)
            changes.append(champion.astype(float) - challenger)
        beyond_margin = [change.mean() < -MARGIN for change in changes]
        adjusted = adjusted_p_values([fall_p_value(change, units) for change in changes])
        corrected += any(p <= 1 - CONFIDENCE and fell for p, fell in zip(adjusted, beyond_margin, strict=True))
        by_interval += any(
            fell and resampled_interval(change > 0, change < 0, units)[1] < 0
            for change, fell in zip(changes, beyond_margin, strict=True)
        )
    return by_interval / (SIMULATIONS // 4), corrected / (SIMULATIONS // 4)


def main() -> None:
    """Print both tables as Markdown."""
    print(
        f"| records | groups | champion's rate | {' | '.join(f'{name}: {MARGIN:g} worse' for name in METHODS)} | ",
        end="",
    )
    print(f"{' | '.join(f'{name}: equal' for name in METHODS)} |")
    print("| ---: |" + " ---: |" * (2 + 2 * len(METHODS)))
    for seed, (n, groups, rate, shared) in enumerate(SETS):
        values = [pass_rates(n, groups, rate, shared, rise, seed) for rise in (MARGIN, 0.0)]
        cells = [f"{value:.3f}" for row in values for value in row.values()]
        print(f"| {n} | {groups or '–'} | {rate:g} | {' | '.join(cells)} |", flush=True)
    print("\n| modes | records each | equally good: own interval | with Holm | one mode .25 worse: own | with Holm |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for modes, records in ((3, 30), (10, 15), (10, 40), (30, 15)):
        values = [value for fall in (0.0, 0.25) for value in veto_rates(modes, records, 0.85, fall, modes)]
        print(f"| {modes} | {records} | {' | '.join(f'{value:.3f}' for value in values)} |", flush=True)


if __name__ == "__main__":
    main()
