"""What is resampled behind all intervals of an evaluation, and the ends of an interval from the resamples."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm, t

from tasks.config.run import RunConfig
from tasks.data.bank import Bank
from tasks.evaluation.comparison_report import Interval, Unit

MIN_DRAWS_BEYOND = 25  # draws that an end of an interval needs on its far side, to be read from them
MIN_GROUPS = 3  # below this, groups say nothing about groups that were not measured


@dataclass(frozen=True)
class Resampling:
    """The resamples behind all intervals of n records.

    Records are drawn again and again (bootstrap); the ends are percentiles, moved outwards for few records by
    Student's t (Hesterberg 2014, arXiv:1411.5279, section 5.3). Of groups, each is left out in turn (jackknife), and
    the ends follow from Student's t of the groups: with few groups, percentiles are far too narrow (docs/judgement.md).

    units: (n,) codes; records with the same code stay together. kind: what a unit is; note: why it is no group.
    rows: a mask (n,) of the records that `weights` are of, None for all. deciding_confidence: of the intervals by which
    it is decided, where that is another.
    """

    units: np.ndarray
    draws: int
    confidence: float
    seed: int
    kind: Unit = "record"
    note: str = ""
    rows: np.ndarray | None = None
    deciding_confidence: float | None = None

    @classmethod
    def of(cls, bank: Bank, rows: np.ndarray, config: RunConfig) -> Resampling:
        """The resampling of the records at `rows`: by groups where there are enough, else by records."""
        return cls.of_names(bank.group[rows], bank.hash[rows], config)

    @classmethod
    def of_names(cls, group: np.ndarray, hashes: np.ndarray, config: RunConfig) -> Resampling:
        """The resampling of records by their groups' names (n,), empty where they have none, and hashes (n,)."""
        settings = config.evaluate.bootstrap, config.evaluate.confidence, config.seed
        names, units = np.unique(np.where(group != "", group, hashes.astype(str)), return_inverse=True)
        if not group.any():
            return cls(np.arange(len(group)), *settings)
        if len(names) < MIN_GROUPS:
            return cls(np.arange(len(group)), *settings, note=f" (too few groups: {len(names)})")
        return cls(units, *settings, kind="group")

    @classmethod
    def of_units(cls, units: np.ndarray, draws: int, confidence: float, seed: int) -> Resampling:
        """The resampling of records whose units (n,) are known: groups where several records share one."""
        return cls(units, draws, confidence, seed, "group" if len(np.unique(units)) < len(units) else "record")

    @property
    def unit(self) -> str:
        """What is resampled, in words, such as `record (too few groups: 2)`."""
        return self.kind + self.note

    @cached_property
    def weights(self) -> np.ndarray:
        """How often each record is in a resample: (1 + k, n); the first row is all ones, the records as they are.

        k: the draws of records, or the number of groups. With `rows`, n is the number of those records.
        """
        _, unit = np.unique(self.units, return_inverse=True)
        count, by_groups = unit.max() + 1, self.kind == "group"
        unit = unit if self.rows is None else unit[self.rows]
        weights, share = np.ones((1 + (count if by_groups else self.draws), len(unit))), np.full(count, 1 / count)
        rng = np.random.default_rng(self.seed)
        for i, resample in enumerate(weights[1:]):
            resample[:] = unit != i if by_groups else rng.multinomial(count, share)[unit]
        return weights

    def among(self, rows: np.ndarray) -> Resampling:
        """The same resamples, seen on the records of a mask (n,) only."""
        return replace(self, rows=rows)

    @cached_property
    def effective(self) -> float:
        """How many units of equal size the records are worth."""
        units = self.units if self.rows is None else self.units[self.rows]
        return effective_units(np.ones(len(units)), units)

    def interval(self, values: np.ndarray) -> Interval:
        """The two-sided interval of a share or an AUROC, from its values (1 + k,) under all weights."""
        low, high = self.bands(values[:, None])[:, 0]
        return float(low), float(high)

    def bands(self, values: np.ndarray) -> np.ndarray:
        """The ends (2, p) of the intervals of p shares or AUROCs from their values (1 + k, p)."""
        tail = (1 - self.confidence) / 2
        if self.kind == "group":
            return _jackknife_bands(values, tail, self.effective)
        return _percentiles(values[1:], tail, self.effective)

    def value_interval(self, values: np.ndarray) -> Interval:
        """The two-sided interval of a value of any size, from its values (1 + k,) as of all weights."""
        tail = (1 - self.confidence) / 2
        if self.kind == "group":
            half_width = _quantile(tail, self.effective) * float(_jackknife_error(values))
            return float(values[0] - half_width), float(values[0] + half_width)
        low, high = _percentiles(values[1:], tail, self.effective)
        return float(low), float(high)

    def difference_interval(self, values: np.ndarray, differing: float, confidence: float | None = None) -> Interval:
        """The ends, each with `confidence`, of a difference from its values (1 + k,) under all weights.

        differing: how many units make the difference (`effective_units`). confidence: None for that of the resampling;
        ends beyond which too few draws lie follow from their standard deviation, by Student's t.
        """
        tail, units = 1 - (confidence or self.confidence), min(differing, self.effective)
        if self.kind == "group":
            return _ends(values[0], float(_jackknife_error(values)), tail, units)
        if self.draws * tail < MIN_DRAWS_BEYOND:
            return _ends(values[0], float(np.nanstd(values[1:])), tail, units)
        low, high = _percentiles(values[1:], tail, units)
        return float(low), float(high)


def effective_units(shares: np.ndarray, units: np.ndarray) -> float:
    """How many units make a sum of shares (n,): (Σ|c|)² / Σc² of the units' sums c; 0 where all are 0.

    Of equal shares it is the number of units if all are of one size (Kish 1965). Of the differences of two
    accuracies it is the number of records that one model has right and the other wrong.
    """
    _, inverse = np.unique(units, return_inverse=True)
    summed = np.bincount(inverse, shares)
    square = float((summed**2).sum())
    return float(np.abs(summed).sum() ** 2 / square) if square > 0 else 0.0


def _percentiles(drawn: np.ndarray, tail: float, units: float) -> np.ndarray:
    """The ends (2, …) of the middle of bootstrap values (draws, …) of so many units; NaN (no value) is left out."""
    tail = norm.cdf(t.ppf(tail, units - 1) * math.sqrt(units / (units - 1))) if units > 1 else 0.0
    low = np.nanquantile(drawn, tail, axis=0, method="lower")
    return np.stack([low, np.nanquantile(drawn, 1 - tail, axis=0, method="higher")])


def _jackknife_error(values: np.ndarray) -> np.ndarray:
    """The standard error (…) from the value with all groups and those without each of them (1 + groups, …)."""
    groups = len(values) - 1
    return np.sqrt((groups - 1) / groups * np.square(values[1:] - values[0]).sum(axis=0))


def _quantile(tail: float, units: float) -> float:
    return float(t.ppf(1 - tail, units - 1)) if units > 1 else math.inf


def _jackknife_bands(values: np.ndarray, tail: float, units: float) -> np.ndarray:
    """The ends (2, p) of shares or AUROCs, with Student's t on the logit scale; 0 and 1 where nothing is known.

    Nothing is known of what has no value without one of the groups.
    """
    error, share = _jackknife_error(values), values[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        half_width = _quantile(tail, units) * error / (share * (1 - share))
        ends = expit(np.stack([logit(share) - half_width, logit(share) + half_width]))
    unknown = np.where(np.isnan(ends), np.array([[0.0], [1.0]]), ends)
    return np.where(error == 0, share, unknown)


def _ends(difference: float, error: float, tail: float, units: float) -> Interval:
    """The ends of a difference of shares or AUROCs, with Student's t; −1 and 1 where its error is not known (NaN)."""
    if math.isnan(error):
        return -1.0, 1.0
    half_width = _quantile(tail, units) * error if error else 0.0
    return max(float(difference) - half_width, -1.0), min(float(difference) + half_width, 1.0)
