"""Control charts of one series against its reference: what lots do anyway, and what they do not.

A subgroup's mean varies within its lot and from lot to lot. Limits that know the first alone call every new
lot an alarm, so both are estimated from the reference's lots (one-way analysis of variance), and few lots
widen the limits as Student's t asks. New records of one lot, or of none named, count as one lot.

The p-value is by simulation of the same chart under no drift: of the largest excursion of an exponentially
weighted moving average, which sees small lasting shifts, and of the mean of all.

Sources: D. C. Montgomery, *Introduction to Statistical Quality Control* (7th ed., 2013), ch. 6 and 9 (X̄
charts; EWMA with λ = 0.2); S. R. Searle, *Linear Models* (1971), ch. 9 (variance components).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

SIZE, MOST_POINTS, LEAST_POINTS = 25, 400, 2  # records of a subgroup, and subgroups of a chart
LEAST_LOTS, LEAST_OF_A_LOT, LEAST_REFERENCE = 3, 5, 20
EWMA_WEIGHT = 0.2
LIMIT_WIDTH = 3.0  # of the limits, in deviations of a subgroup's mean
SIMULATED_CHARTS = 10_000  # simulated charts: the smallest p-value is 1/10001


@dataclass(frozen=True)
class VarianceComponents:
    """Mean and deviations of the reference: within a lot, between lots (0 where lots are too few), lots, records."""

    mean: float
    within: float
    between: float
    lots: int
    records: int


@dataclass(frozen=True)
class ControlChart:
    """A series on its chart; k points.

    title: what is charted, one of `level`, `shape`, `score`; mode: whose, None for the score. centre and
    limits, and the points' means, in the series' unit; first (k,): row of each point's first record. average
    (k,): the EWMA; p: of this chart under no drift; shift: new mean less reference mean; effect: the same in
    deviations of single records; since: row from which the average is beyond its limits, None if it never is.
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


def variance_of(values: np.ndarray, lots: np.ndarray) -> VarianceComponents:
    """Mean and variance components of a reference (n,); lots of fewer than five records count for none."""
    within, between, count = components(values, lots)
    return VarianceComponents(float(values.mean()), float(within), float(between), count, len(values))


def components(values: np.ndarray, lots: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Deviations within lots and between them, of values (n, …), and how many lots told of it."""
    names, code, sizes = np.unique(lots, return_inverse=True, return_counts=True)
    told = (names != "") & (sizes >= LEAST_OF_A_LOT)
    if told.sum() < LEAST_LOTS:
        return values.std(axis=0, ddof=1), np.zeros(values.shape[1:]), 0
    rows = told[code]
    values, code = values[rows], np.unique(code[rows], return_inverse=True)[1]
    n = np.bincount(code)
    means = np.stack([values[code == lot].mean(axis=0) for lot in range(len(n))])
    within = np.square(values - means[code]).sum(axis=0) / (len(values) - len(n))
    between = np.einsum("l,l...->...", n, np.square(means - values.mean(axis=0))) / (len(n) - 1)
    size = (len(values) - np.square(n).sum() / len(values)) / (len(n) - 1)
    return np.sqrt(within), np.sqrt(np.maximum(0.0, (between - within) / size)), len(n)


def control_chart(
    title: str, mode: str | None, reference: tuple[np.ndarray, np.ndarray], new: tuple[np.ndarray, ...], seed: int
) -> ControlChart | None:
    """The chart of new values against reference values; None where either has too few.

    reference: values (n,) and lots (n,); new: values (m,), lots (m,) and rows (m,), in the order in which the
    parts came.
    """
    values, lots, rows = new
    if len(reference[0]) < LEAST_REFERENCE or len(values) < LEAST_POINTS * SIZE:
        return None
    spread = variance_of(*reference)
    if not spread.within > 0:
        return None
    size = max(SIZE, -(-len(values) // MOST_POINTS))
    count = len(values) // size
    means = values[: count * size].reshape(count, size).mean(axis=1)
    lot = np.unique(lots[: count * size : size], return_inverse=True)[1]
    simulated = _simulate(spread, lot, size, np.random.default_rng(seed))
    deviation = float(np.hypot(spread.within / size**0.5, _of_lots(spread)))
    average, reach = _average((means - spread.mean) / deviation), _average((simulated - spread.mean) / deviation)
    largest = np.abs(reach).max(axis=1)
    whole = np.abs(simulated.mean(axis=1) - spread.mean)
    shift = float(means.mean() - spread.mean)
    p = min(1.0, 2 * min(_p(np.abs(average).max(), largest), _p(abs(shift), whole)))
    limit = float(np.quantile(largest, 0.99))
    (signals,) = np.nonzero(np.abs(average) > limit)
    return ControlChart(
        title,
        mode,
        spread,
        spread.mean - LIMIT_WIDTH * deviation,
        spread.mean + LIMIT_WIDTH * deviation,
        means,
        rows[: count * size : size],
        spread.mean + deviation * average,
        int((np.abs(means - spread.mean) > LIMIT_WIDTH * deviation).sum()),
        p,
        shift,
        float(_last(average) * deviation / spread.within) if len(signals) else shift / spread.within,
        int(rows[signals[0] * size]) if len(signals) else None,
    )


def _of_lots(spread: VarianceComponents) -> float:
    """The deviation of a new lot's mean from the reference's."""
    sampling = spread.within**2 / spread.records
    return float(np.sqrt(spread.between**2 * (1 + 1 / max(spread.lots, 1)) + sampling))


def _simulate(spread: VarianceComponents, lot: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Means of subgroups (runs, k) under no drift; lot (k,) codes of the lot of each."""
    noise = rng.normal(0, spread.within / size**0.5, (SIMULATED_CHARTS, len(lot)))
    common = rng.normal(0, spread.within / spread.records**0.5, (SIMULATED_CHARTS, 1))
    if not spread.between:
        return spread.mean + noise + common
    freedom = max(spread.lots - 1, 1)
    wide = np.sqrt(1 + 1 / spread.lots) * spread.between
    return spread.mean + noise + common + wide * rng.standard_t(freedom, (SIMULATED_CHARTS, lot.max() + 1))[:, lot]


def _average(z: np.ndarray) -> np.ndarray:
    """The EWMA (…, k), from zero, in deviations of a point."""
    return lfilter([EWMA_WEIGHT], [1, EWMA_WEIGHT - 1], z, axis=-1)


def _last(average: np.ndarray) -> float:
    """The average's largest excursion, with its sign."""
    return float(average[np.abs(average).argmax()])


def _p(value: float, under_none: np.ndarray) -> float:
    return float((1 + (under_none >= value).sum()) / (len(under_none) + 1))
