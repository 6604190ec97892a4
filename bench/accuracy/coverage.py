"""What the guarantees of docs/judgement.md hold in simulation: `python -m bench.accuracy.coverage`.

Lots of parts whose scores share a part of their variance (the intra-class correlation). Four questions: how often do
95 % intervals hold the truth, how often is an equally good model called better, which share of good parts of new lots
lies above a threshold for 5 %, and what comes of 52 weekly comparisons?
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from scipy.stats import norm

from tasks.evaluation.intervals import share_interval, weighted_auroc, weighted_share
from tasks.evaluation.lots import LotEffects
from tasks.evaluation.resampling import Resampling, effective_units
from tasks.evaluation.thresholds import target_fpr
from tasks.promotion.spending import spent_confidence

SIMULATIONS, EACH, DRAWS, CONFIDENCE = 1000, 50, 500, 0.95
CORRELATIONS = (0.0, 0.1, 0.3)
WEEKS, YEARS = 52, 4000
SHIFT, ACCURACY, TARGET, CERTAIN = 1.5, 0.9, 0.05, 0.9


def correlated(rng: np.random.Generator, units: np.ndarray, correlation: float) -> np.ndarray:
    """Normal values (n,) of which records of one unit share this part of the variance."""
    level = rng.normal(size=units.max() + 1)[units]
    return math.sqrt(correlation) * level + math.sqrt(1 - correlation) * rng.normal(size=len(units))


def resampling_of(units: np.ndarray) -> Resampling:
    """The resampling of the product: by records with one or two lots."""
    if units.max() < 2:
        return Resampling(np.arange(len(units)), DRAWS, CONFIDENCE, 1)
    return Resampling(units, DRAWS, CONFIDENCE, 1, "group")


def interval_coverage(lots: int, correlation: float) -> dict[str, float]:
    """How often the intervals of an AUROC (.856) and of an accuracy (.9) hold the true value."""
    rng, units = np.random.default_rng(lots), np.repeat(np.arange(lots), EACH)
    resampling, held = resampling_of(units), {"AUROC": 0, "accuracy": 0}
    for _ in range(SIMULATIONS):
        defect = rng.random(len(units)) < 0.5
        noise = [correlated(rng, units, correlation) for _ in range(3)]
        score, right = np.where(defect, SHIFT + noise[0], noise[1]), noise[2] < norm.ppf(ACCURACY)
        low, high = resampling.interval(weighted_auroc(score, defect, resampling.weights))
        held["AUROC"] += low <= norm.cdf(SHIFT / math.sqrt(2)) <= high
        low, high = share_interval(right, resampling.units, CONFIDENCE)
        held["accuracy"] += low <= ACCURACY <= high
    return {name: count / SIMULATIONS for name, count in held.items()}


def false_promotions(lots: int, interaction: float) -> float:
    """How often an equally good model is better in accuracy, where lots favour one model or the other.

    interaction: the standard deviation over lots of the difference of the two accuracies.
    """
    rng, units = np.random.default_rng(lots), np.repeat(np.arange(lots), EACH)
    resampling, promoted = resampling_of(units), 0
    for _ in range(SIMULATIONS):
        favour = rng.normal(0, interaction, lots)[units] / 2
        common = rng.normal(size=len(units))
        errors = [math.sqrt(0.5) * (common + rng.normal(size=len(units))) for _ in range(2)]
        right = [
            noise < norm.ppf(np.clip(ACCURACY + sign * favour, 0.01, 0.99))
            for noise, sign in zip(errors, (1, -1), strict=True)
        ]
        won = right[0].astype(float) - right[1]
        values = weighted_share(resampling.weights, won)
        promoted += resampling.difference_interval(values, effective_units(won, resampling.units))[0] > 0
    return promoted / SIMULATIONS


def by_records(score: np.ndarray, units: np.ndarray) -> float:
    """Split conformal prediction on records, whatever their lots."""
    return target_fpr(score, np.zeros(len(score), bool), TARGET)


def by_lots(score: np.ndarray, units: np.ndarray) -> float:
    """The rule target_fpr: learnt from the lots where there are three."""
    effects = LotEffects.of(score, units)
    return by_records(score, units) if effects is None else effects.threshold(TARGET)


def by_lots_with_confidence(score: np.ndarray, units: np.ndarray) -> float:
    """The rule target_fpr_pac."""
    effects = LotEffects.of(score, units)
    return np.inf if effects is None else effects.certain_threshold(TARGET, CERTAIN)


RULES: tuple[Callable[[np.ndarray, np.ndarray], float], ...] = (by_records, by_lots, by_lots_with_confidence)


def new_lot_rates(lots: int, correlation: float) -> list[np.ndarray]:
    """By rule: the share of good parts above the threshold (simulations, 20), in lots that it has not seen."""
    rng, units = np.random.default_rng(lots), np.repeat(np.arange(lots), EACH)
    rates: list[list[np.ndarray]] = [[] for _ in RULES]
    for _ in range(SIMULATIONS):
        score, level = correlated(rng, units, correlation), math.sqrt(correlation) * rng.normal(size=20)
        for rule, collected in zip(RULES, rates, strict=True):
            collected.append(norm.sf((rule(score, units) - level) / math.sqrt(1 - correlation)))
    return [np.array(collected) for collected in rates]


def single(week: int) -> float:
    """95 % in every comparison."""
    return CONFIDENCE


def harmonic(week: int) -> float:
    """The product: the error of the k-th comparison falls as 1 / k."""
    return spent_confidence(CONFIDENCE, week)


def even(week: int) -> float:
    """The same error each week; this one gives about as many wrong promotions a year as the product's rule."""
    return 1 - 0.0015


def rising(week: int) -> float:
    """Nearly all of the error is kept for the last weeks, when there are more records."""
    return 1 - 0.08 * week**2 / sum(k**2 for k in range(1, WEEKS + 1))


SPENDING: tuple[Callable[[int], float], ...] = (single, harmonic, even, rising)


def year(confidence: Callable[[int], float], growing: bool) -> dict[str, float]:
    """What comes of a year: wrong promotions, and whether a better model is found in the first and in the last week.

    A record set of one unit of information; growing: a tenth more each month. Each week an equally good challenger
    meets the champion on the same records, and takes its place where it is called better. The better model is found
    in .66 of single comparisons at 95 %.
    """
    rng, months = np.random.default_rng(7), 12
    gain = norm.ppf(0.66) + norm.ppf(CONFIDENCE)

    def scores() -> np.ndarray:
        return rng.normal(size=(YEARS, 10 + months)) * math.sqrt(0.05)

    champion, replaced, results = scores(), np.zeros(YEARS, bool), {}
    for week in range(1, WEEKS + 1):
        blocks = 10 + (week - 1) * months // WEEKS if growing else 10
        challenger = scores()
        difference = (challenger - champion)[:, :blocks].sum(axis=1) / math.sqrt(blocks / 10)
        needed = norm.ppf(confidence(week))
        if week in (1, WEEKS):
            found = difference + gain * math.sqrt(blocks / 10) > needed
            results[f"found in week {week}"] = float(found.mean())
        better = difference > needed
        champion[better] = challenger[better]
        replaced |= better
    return {"wrong": float(replaced.mean())} | results


def lines() -> Iterator[str]:
    """The four tables in Markdown."""
    yield "| lots | correlation in a lot | AUROC held | accuracy held |\n| ---: | ---: | ---: | ---: |"
    for lots in (2, 3, 5, 10, 30):
        for correlation in CORRELATIONS:
            held = interval_coverage(lots, correlation)
            yield f"| {lots} | {correlation:g} | {held['AUROC']:.3f} | {held['accuracy']:.3f} |"
    yield "\n| lots | no lot favours a model | deviation .04 | deviation .1 |\n| ---: | ---: | ---: | ---: |"
    for lots in (2, 3, 5, 10, 30):
        yield f"| {lots} | {' | '.join(f'{false_promotions(lots, spread):.3f}' for spread in (0, 0.04, 0.1))} |"
    yield (
        "\n| lots | correlation in a lot | by records: mean, 90th percentile | `target_fpr`: mean, 90th percentile "
        "| `target_fpr_pac`: new lots at 5 % or less |\n| ---: | ---: | ---: | ---: | ---: |"
    )
    for lots in (2, 3, 5, 10, 30):
        for correlation in CORRELATIONS:
            *plain, certain = new_lot_rates(lots, correlation)
            cells = [f"{rates.mean():.3f}, {np.quantile(rates, 0.9):.3f}" for rates in plain]
            cells.append(f"{(certain <= TARGET).mean():.3f}" if certain.any() else "–")
            yield f"| {lots} | {correlation:g} | {' | '.join(cells)} |"
    yield "\n| error | records | years with a wrong promotion | better model found in week 1 | in week 52 |"
    yield "| --- | --- | ---: | ---: | ---: |"
    for rule in SPENDING:
        for growing in (False, True):
            cells = [f"{value:.3f}" for value in year(rule, growing).values()]
            yield f"| {rule.__name__} | {'a tenth more each month' if growing else 'the same'} | {' | '.join(cells)} |"


def main() -> None:
    """Print the tables of docs/judgement.md."""
    for line in lines():
        print(line, flush=True)


if __name__ == "__main__":
    main()
