"""Control charts of one series of new parts against its reference, with limits that allow for differences between lots.

The mean of a subgroup varies within its lot and from lot to lot. Limits from the variation within lots alone would
call every new lot an alarm. Both are therefore estimated from the reference's lots (one-way analysis of variance);
the fewer lots, the wider the limits, as Student's t has it. New records without a lot count as one lot.

The p-value comes from simulating the same chart without drift: of the largest excursion of an exponentially
weighted moving average (EWMA), which detects small lasting shifts, and of the mean of all points.

Sources: D. C. Montgomery, *Introduction to Statistical Quality Control* (7th ed., 2013), ch. 6 and 9 (X̄
charts; EWMA with λ = 0.2); S. R. Searle, *Linear Models* (1971), ch. 9 (variance components).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

SUBGROUP_SIZE = 25  # records of a point
MIN_POINTS, MAX_POINTS = 2, 400  # of a chart; above the most, subgroups get larger
MIN_REFERENCE_RECORDS = 20
MIN_LOTS, MIN_LOT_RECORDS = 3, 5  # below, the variation between lots cannot be estimated
EWMA_WEIGHT = 0.2
LIMIT_WIDTH = 3.0  # of the limits on each side, in standard deviations of a point
SIMULATED_CHARTS = 10_000  # the smallest p-value is 1/10001
SIGNAL_QUANTILE = 0.99  # of the largest excursions without drift; a moving average beyond it is a signal


@dataclass(frozen=True)
class Series:
    """Values of records in the order of the parts (n,), their lots (n,), and their rows in the source (n,)."""

    values: np.ndarray
    lots: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True)
class VarianceComponents:
    """Mean and standard deviations of a reference: within a lot, and between lots (0 where lots are too few)."""

    mean: float
    within: float
    between: float
    lots: int
    records: int


@dataclass(frozen=True)
class ControlChart:
    """A series on its chart; k points.

    title: `level`, `shape` or `score`; mode: whose, None for the score. spread.mean is the centre line; low and
    high limits, means (k,) and average (k,), the EWMA, in the series' unit. first (k,): row of each point's first
    record. beyond: points outside the limits. p: of this chart without drift. shift: new mean minus reference
    mean. effect: the shift in standard deviations of single records; where there is a signal, the largest excursion
    of the average. since: row of the first signal, None without one.
    """

    title: str
    mode: str | None
    spread: VarianceComponents
    low: float
    high: float
    means: np.ndarray
    first: np.ndarray
    average: np.ndarray
    beyond: int
    p: float
    shift: float
    effect: float
    since: int | None


def variance_of(values: np.ndarray, lots: np.ndarray) -> VarianceComponents | None:
    """Mean and variance components of a reference's values (n,) in lots (n,).

    None for fewer than MIN_REFERENCE_RECORDS, or where all values within lots are equal.
    """
    if len(values) < MIN_REFERENCE_RECORDS:
        return None
    within, between, count = components(values, lots)
    if not within > 0:
        return None
    return VarianceComponents(float(values.mean()), float(within), float(between), count, len(values))


def control_chart(
    title: str, mode: str | None, spread: VarianceComponents, new: Series, seed: int
) -> ControlChart | None:
    """The chart of a new series against the reference's `spread`; None for fewer records than MIN_POINTS need."""
    if len(new.values) < MIN_POINTS * SUBGROUP_SIZE:
        return None
    size = max(SUBGROUP_SIZE, -(-len(new.values) // MAX_POINTS))
    means, lots, first = _subgroups(new, size)
    deviation = float(np.hypot(spread.within / size**0.5, _deviation_of_lot_mean(spread)))
    simulated = _simulate(spread, lots, size, np.random.default_rng(seed))
    average, signals, p = _test_drift((means - spread.mean) / deviation, (simulated - spread.mean) / deviation)
    shift = float(means.mean() - spread.mean)
    excursion = float(average[np.abs(average).argmax()]) * deviation
    return ControlChart(
        title=title,
        mode=mode,
        spread=spread,
        low=spread.mean - LIMIT_WIDTH * deviation,
        high=spread.mean + LIMIT_WIDTH * deviation,
        means=means,
        first=first,
        average=spread.mean + deviation * average,
        beyond=int((np.abs(means - spread.mean) > LIMIT_WIDTH * deviation).sum()),
        p=p,
        shift=shift,
        effect=(excursion if len(signals) else shift) / spread.within,
        since=int(first[signals[0]]) if len(signals) else None,
    )


def components(values: np.ndarray, lots: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Standard deviations within and between lots (…) of values (n, …), and how many lots were used.

    Lots without a name and those of fewer than MIN_LOT_RECORDS records are not used. With fewer than MIN_LOTS lots the
    deviation within is that of all values, and that between is 0.
    """
    names, codes, sizes = np.unique(lots, return_inverse=True, return_counts=True)
    usable = (names != "") & (sizes >= MIN_LOT_RECORDS)
    if usable.sum() < MIN_LOTS:
        return values.std(axis=0, ddof=1), np.zeros(values.shape[1:]), 0
    rows = usable[codes]
    values, codes = values[rows], np.unique(codes[rows], return_inverse=True)[1]
    n = np.bincount(codes)
    means = np.stack([values[codes == lot].mean(axis=0) for lot in range(len(n))])
    within = np.square(values - means[codes]).sum(axis=0) / (len(values) - len(n))
    between = np.einsum("l,l...->...", n, np.square(means - values.mean(axis=0))) / (len(n) - 1)
    size = (len(values) - np.square(n).sum() / len(values)) / (len(n) - 1)
    return np.sqrt(within), np.sqrt(np.maximum(0.0, (between - within) / size)), len(n)


def _subgroups(series: Series, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means of consecutive `size` records, lot codes, and first rows, each (k,); an incomplete last one is left out."""
    points = len(series.values) // size
    means = series.values[: points * size].reshape(points, size).mean(axis=1)
    lots = np.unique(series.lots[: points * size : size], return_inverse=True)[1]
    return means, lots, series.rows[: points * size : size]


def _deviation_of_lot_mean(spread: VarianceComponents) -> float:
    """The standard deviation of a new lot's mean from the reference's mean."""
    sampling = spread.within**2 / spread.records
    return float(np.sqrt(spread.between**2 * (1 + 1 / max(spread.lots, 1)) + sampling))


def _simulate(spread: VarianceComponents, lots: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Means of subgroups (runs, k) without drift; lots (k,): code of the lot of each subgroup."""
    noise = rng.normal(0, spread.within / size**0.5, (SIMULATED_CHARTS, len(lots)))
    common = rng.normal(0, spread.within / spread.records**0.5, (SIMULATED_CHARTS, 1))
    if not spread.between:
        return spread.mean + noise + common
    freedom = max(spread.lots - 1, 1)
    scale = np.sqrt(1 + 1 / spread.lots) * spread.between
    return spread.mean + noise + common + scale * rng.standard_t(freedom, (SIMULATED_CHARTS, lots.max() + 1))[:, lots]


def _ewma(z: np.ndarray) -> np.ndarray:
    """The moving average (…, k) of standardised values, started at zero."""
    return lfilter([EWMA_WEIGHT], [1, EWMA_WEIGHT - 1], z, axis=-1)


def _test_drift(z: np.ndarray, simulated: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """The moving average (k,) of standardised points (k,), its signals (positions), and the chart's p-value.

    simulated: standardised points of charts without drift (runs, k). The p-value is the smaller of two, by Bonferroni.
    """
    average = _ewma(z)
    excursions = np.abs(_ewma(simulated)).max(axis=1)
    (signals,) = np.nonzero(np.abs(average) > np.quantile(excursions, SIGNAL_QUANTILE))
    p_excursion = _p_value(np.abs(average).max(), excursions)
    p_shift = _p_value(abs(z.mean()), np.abs(simulated.mean(axis=1)))
    return average, signals, min(1.0, 2 * min(p_excursion, p_shift))


def _p_value(value: float, without_drift: np.ndarray) -> float:
    """The share of simulated charts whose value is at least as large, with the chart itself counted among them."""
    return float((1 + (without_drift >= value).sum()) / (len(without_drift) + 1))
