"""The bootstrap of an evaluation: what is drawn, and the intervals of metrics under the draws."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.stats import beta

from tasks.config.run import RunConfig
from tasks.data.bank import Bank
from tasks.evaluation.comparison_report import Interval, Unit
from tasks.evaluation.evaluation_report import Auroc

MIN_GROUPS = 10  # below this, drawing groups says little about groups that were not drawn


@dataclass(frozen=True)
class Bootstrap:
    """The draws behind all intervals of n records.

    units: (n,) codes; records with the same code are drawn together. kind: what a unit is; note: why it is no group.
    rows: a mask (n,) of the records that `weights` are of, None for all.
    """

    units: np.ndarray
    draws: int
    confidence: float
    seed: int
    kind: Unit = "record"
    note: str = ""
    rows: np.ndarray | None = None

    @classmethod
    def of(cls, bank: Bank, rows: np.ndarray, config: RunConfig) -> Bootstrap:
        """The bootstrap of the records at `rows`: draws groups where there are enough, else records."""
        settings = config.evaluate.bootstrap, config.evaluate.confidence, config.seed
        group = bank.group[rows]
        groups = np.unique(group)
        if len(groups) < MIN_GROUPS:
            note = f" (too few groups: {len(groups)})" if groups.any() else ""
            return cls(np.arange(len(rows)), *settings, note=note)
        names = np.where(group != "", group, bank.hash[rows].astype(str))
        return cls(np.unique(names, return_inverse=True)[1], *settings, kind="group")

    @property
    def unit(self) -> str:
        """What is drawn, in words, such as `record (too few groups: 3)`."""
        return self.kind + self.note

    @cached_property
    def weights(self) -> np.ndarray:
        """How often each record is drawn: (draws, n), or (draws, k) of the k records of `rows`."""
        _, inverse = np.unique(self.units, return_inverse=True)
        count = inverse.max() + 1
        drawn = np.random.default_rng(self.seed).multinomial(count, np.full(count, 1 / count), size=self.draws)
        weights = drawn[:, inverse].astype(np.float64)
        return weights if self.rows is None else weights[:, self.rows]

    def among(self, rows: np.ndarray) -> Bootstrap:
        """The same draws, seen on the records of a mask (n,) alone."""
        return replace(self, rows=rows)

    def interval(self, values: np.ndarray) -> Interval:
        """The percentile interval of a metric's values (draws,); draws that gave none (NaN) are left out."""
        tail = (1 - self.confidence) / 2
        low, high = np.nanquantile(values, [tail, 1 - tail])
        return float(low), float(high)


def intervals(distances: np.ndarray, mode: np.ndarray, bootstrap: Bootstrap) -> dict[str, Interval]:
    """The intervals of the verification AUROC and of the mode accuracy.

    distances: (n, m) of records to prototypes; mode: (n,) each record's own column.
    """
    same = np.arange(distances.shape[1]) == mode[:, None]
    right = distances.argmin(axis=1) == mode
    aurocs = weighted_auroc(-distances.ravel(), same.ravel(), bootstrap.weights, distances.shape[1])
    return {
        "auroc": bootstrap.interval(aurocs),
        "mode_accuracy": bootstrap.interval(weighted_share(bootstrap.weights, right)),
    }


def macro_intervals(distances: np.ndarray, mode: np.ndarray, bootstrap: Bootstrap) -> dict[str, Interval]:
    """The intervals of the means over modes, by the names of `metrics.macro`; arrays as in `intervals`.

    A draw without any record of a mode leaves that mode out.
    """
    weights, right = bootstrap.weights, distances.argmin(axis=1) == mode
    drawn: dict[str, list[np.ndarray]] = {"accuracy": [], "auroc": [], "tpr_at_5_fpr": []}
    for code in np.unique(mode):
        own = mode == code
        drawn["accuracy"].append(weighted_share(weights[:, own], right[own]))
        if not own.all():
            drawn["auroc"].append(weighted_auroc(-distances[:, code], own, weights))
            drawn["tpr_at_5_fpr"].append(weighted_tpr(-distances[:, code], own, weights, 0.05))
    return {name: bootstrap.interval(np.nanmean(values, axis=0)) for name, values in drawn.items() if values}


def accuracy_intervals(distances: np.ndarray, mode: np.ndarray, bootstrap: Bootstrap) -> dict[int, Interval]:
    """The interval of the accuracy of each mode by its code; a mode that no draw holds has none."""
    right = distances.argmin(axis=1) == mode
    drawn = {int(m): weighted_share(bootstrap.weights[:, mode == m], right[mode == m]) for m in np.unique(mode)}
    return {code: bootstrap.interval(values) for code, values in drawn.items() if not np.isnan(values).all()}


def auroc_with_interval(score: np.ndarray, positive: np.ndarray, bootstrap: Bootstrap) -> Auroc:
    """The AUROC of a score (n,) with its interval."""
    value = float(weighted_auroc(score, positive, np.ones((1, len(score))))[0])
    return Auroc(value, bootstrap.interval(weighted_auroc(score, positive, bootstrap.weights)))


def threshold_metrics(called: np.ndarray, good: np.ndarray, bootstrap: Bootstrap) -> dict[str, float | Interval]:
    """Accuracy and error rates of a threshold on records (n,) that it `called` defective, each with its interval.

    By the names of HoldoutMetrics. The balanced accuracy is the mean of the shares of good parts passed and defects
    found. The rates have the intervals of `share_interval`, which are no single point where no record is wrong.
    """
    weights = bootstrap.weights
    every = np.concatenate([np.ones((1, len(good))), weights])
    values = {
        "good_accuracy": weighted_share(every, called == ~good),
        "good_fpr": weighted_share(every[:, good], called[good]),
        "good_tpr": weighted_share(every[:, ~good], called[~good]),
    }
    values["good_balanced_accuracy"] = (1 - values["good_fpr"] + values["good_tpr"]) / 2
    plain = {name: float(drawn[0]) for name, drawn in values.items()}
    edges = {name: bootstrap.interval(drawn[1:]) for name, drawn in values.items()}
    for name, kind in (("good_fpr", good), ("good_tpr", ~good)):
        edges[name] = share_interval(called[kind], bootstrap.units[kind], bootstrap.confidence)
    return plain | {f"{name}_interval": interval for name, interval in edges.items()}


def share_interval(hit: np.ndarray, units: np.ndarray, confidence: float) -> Interval:
    """The interval of a share: Clopper's and Pearson's, with the number of records divided by their design effect.

    hit: (n,) bool; units: (n,) codes of records that belong together. Source: Korn and Graubard 1998, Survey
    Methodology 24, 193.
    """
    n, tail = len(hit) / design_effect(hit, units), (1 - confidence) / 2
    hits = hit.mean() * n
    low = float(beta.ppf(tail, hits, n - hits + 1)) if hit.any() else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, n - hits)) if not hit.all() else 1.0
    return low, high


def design_effect(values: np.ndarray, units: np.ndarray) -> float:
    """How much larger the variance of the mean of values (n,) is than if every record stood for itself; at least 1."""
    _, code = np.unique(units, return_inverse=True)
    count, residual = code.max() + 1, values - values.mean()
    of_records = np.square(residual).sum()
    if count < 2 or count == len(values) or of_records == 0:
        return 1.0
    of_units = np.square(np.bincount(code, residual)).sum() * count / (count - 1)
    return max(1.0, float(of_units / of_records))


def weighted_tpr(score: np.ndarray, positive: np.ndarray, weights: np.ndarray, at: float) -> np.ndarray:
    """The largest TPR with an FPR of `at` or less (draws,), under each row of `weights` (draws, n); NaN without both.

    Equal scores are called alike: only the last of them can be a cut.
    """
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    hit, miss = (np.cumsum(weights[:, order] * which[order], axis=1) for which in (positive, ~positive))
    hits, misses = hit[:, -1:], miss[:, -1:]
    with np.errstate(invalid="ignore"):  # 0 / 0 where a draw lacks one kind: NaN, as told
        fits = (miss[:, last] <= at * misses) * hit[:, last] / hits
    return np.where(misses[:, 0] > 0, fits.max(axis=1), np.nan)


def weighted_share(weights: np.ndarray, hit: np.ndarray) -> np.ndarray:
    """The weighted share of hits (draws,); NaN where nothing is drawn."""
    total = weights.sum(axis=1)
    return np.divide(weights @ hit, total, out=np.full(len(weights), np.nan), where=total > 0)


def weighted_auroc(score: np.ndarray, positive: np.ndarray, weights: np.ndarray, each: int = 1) -> np.ndarray:
    """AUROC (draws,) under each row of `weights` (draws, n / each): ties count half; NaN where a class has no weight.

    each: how many scores in a row share a weight, such as the pairs of one record.
    """
    _, level = np.unique(score, return_inverse=True)
    count = level.max() + 1
    values = np.empty(len(weights))
    for i, own in enumerate(weights):
        weight = np.repeat(own, each)
        hit = np.bincount(level, weight * positive, count)
        miss = np.bincount(level, weight * ~positive, count)
        below = np.cumsum(miss) - miss
        both = hit.sum() * miss.sum()
        values[i] = (hit * (below + miss / 2)).sum() / both if both else np.nan
    return values
