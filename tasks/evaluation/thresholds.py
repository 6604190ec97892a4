"""Thresholds by named rules, found on calibration records: those that were neither trained on nor tested on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import binom
from sklearn.metrics import precision_recall_curve, roc_curve

from tasks.config.run import EvaluateConfig
from tasks.core.sentences import sentence
from tasks.evaluation.comparison_report import Interval
from tasks.evaluation.least_sizes import min_good_records
from tasks.evaluation.lots import LotEffects, certain_rank
from tasks.evaluation.resampling import Resampling
from tasks.registry.release_files import Threshold


def target_fpr(score: np.ndarray, positive: np.ndarray, target: float) -> float:
    """The ⌈(n+1)(1−target)⌉-th smallest of the n negatives' scores (split conformal prediction).

    Raises ValueError where n is below 1/target: so few scores have no such quantile.
    """
    negatives = np.sort(score[~positive])
    needed = min_good_records(target)
    if len(negatives) < needed:
        raise ValueError(sentence("few_for_fpr", count=len(negatives), rate=target, needed=needed))
    rank = math.ceil((len(negatives) + 1) * (1 - target) - 1e-9)  # 250 · (1 − 0.172) is 207.00000000000003
    return float(negatives[min(rank, len(negatives)) - 1])


def youden(score: np.ndarray, positive: np.ndarray, target: float) -> float:
    """The cut with the largest true minus false positive rate."""
    fpr, tpr, cuts = roc_curve(positive, score)
    return _below(score, cuts[1:][np.argmax((tpr - fpr)[1:])])


def max_f1(score: np.ndarray, positive: np.ndarray, target: float) -> float:
    """The cut with the largest F1."""
    precision, recall, cuts = precision_recall_curve(positive, score)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return _below(score, cuts[np.argmax(f1[:-1])])


def min_precision(score: np.ndarray, positive: np.ndarray, target: float) -> float:
    """The cut with the largest recall whose precision is `target` at least; ValueError if there is none."""
    precision, _, cuts = precision_recall_curve(positive, score)
    enough = np.flatnonzero(precision[:-1] >= target)
    if not len(enough):
        raise ValueError(sentence("no_precision", target=target, best=float(precision[:-1].max())))
    return _below(score, cuts[enough[0]])


def min_recall(score: np.ndarray, positive: np.ndarray, target: float) -> float:
    """The cut with the largest precision whose recall is `target` at least."""
    precision, recall, cuts = precision_recall_curve(positive, score)
    enough = np.flatnonzero(recall[:-1] >= target)
    return _below(score, cuts[enough[np.argmax(precision[:-1][enough])]])


def _below(score: np.ndarray, cut: float) -> float:
    """Midway between `cut` and the next smaller score: scikit-learn's cuts count equality as positive."""
    smaller = score[score < cut]
    return float((cut + smaller.max()) / 2) if len(smaller) else float(np.nextafter(cut, -np.inf))


def target_fpr_pac(score: np.ndarray, positive: np.ndarray, target: float, confidence: float = 0.9) -> float:
    """The smallest score of a negative that, with `confidence`, at most a share `target` of new negatives exceeds.

    Raises ValueError where there are too few (tasks/evaluation/lots.py).
    """
    negatives = np.sort(score[~positive])
    return float(negatives[certain_rank(len(negatives), target, confidence) - 1])


RULES: dict[str, Callable[[np.ndarray, np.ndarray, float], float]] = {
    rule.__name__: rule for rule in (target_fpr, target_fpr_pac, youden, max_f1, min_precision, min_recall)
}


def has_target(rule: str) -> bool:
    """Whether a rule's threshold depends on its target."""
    return rule.startswith(("target", "min"))


THRESHOLD_DRAWS = 200  # of the bootstrap of a threshold's interval


@dataclass(frozen=True)
class Rule:
    """How a threshold is found: the rule's name, its target, and the confidence of `target_fpr_pac`."""

    name: str
    target: float = 0.0
    confidence: float = 0.9

    @classmethod
    def of(cls, evaluate: EvaluateConfig) -> Rule:
        """The rule that the settings ask for."""
        return cls(evaluate.rule, evaluate.target, evaluate.target_confidence)

    def __call__(self, score: np.ndarray, positive: np.ndarray, lots: LotEffects | None = None) -> float:
        """The cut; ValueError says why there is none. lots: of the negatives, where the cut is for new lots."""
        certain = {"confidence": self.confidence} if self.name == "target_fpr_pac" else {}
        plain = RULES[self.name](score, positive, self.target, **certain)  # refuses too few, in lots as well
        if lots is None:
            return plain
        return lots.certain_threshold(self.target, **certain) if certain else lots.threshold(self.target)

    def cut(self, score: np.ndarray, positive: np.ndarray, units: np.ndarray) -> tuple[float, LotEffects | None]:
        """The cut, and the lots among the units (n,) that it is learnt from; ValueError says why there is none."""
        lots = self.lots(score, positive, units)
        return self(score, positive, lots), lots

    def lots(self, score: np.ndarray, positive: np.ndarray, units: np.ndarray) -> LotEffects | None:
        """The lots among the units (n,) that the cut is learnt from; None where there are too few."""
        if not self.name.startswith("target"):
            return None
        return LotEffects.of(score[~positive], units[~positive])


def calibrate(
    name: str,
    score: np.ndarray,
    positive: np.ndarray,
    rule: Rule,
    resampling: Resampling,
    distance: str,
    good_alone: bool = False,
) -> Threshold:
    """The threshold `name` by `rule` with its interval, or without a value and with the reason.

    score: (n,) larger = more anomalous, in units of `distance`; positive: (n,) bool. From three units of several
    negatives each on, a target of false positives is for parts of new units (lots). good_alone: there may be no
    positives, which a target of false positives does not need.
    """
    target, units = rule.target if has_target(rule.name) else None, len(np.unique(resampling.units))
    threshold = Threshold(name, rule.name, target, distance, units, int((~positive).sum()), None)
    if positive.all() or not (positive.any() or good_alone):
        return replace(threshold, refused=sentence("one_kind"))
    try:
        value, lots = rule.cut(score, positive, resampling.units)
    except ValueError as error:
        return replace(threshold, refused=error.args[0])
    if lots is not None:
        interval = lots.interval(value, resampling.confidence)
    elif resampling.kind == "group" and positive.any():
        interval = _interval_over_units(rule, score, positive, resampling, value)
    elif rule.name.startswith("target"):
        interval = _order_interval(np.sort(score[~positive]), value, resampling.confidence)
    else:
        interval = _bootstrap_interval(rule, score, positive, resampling)
    return replace(threshold, value=value, interval=interval, lots=lots and lots.lots)


def _order_interval(negatives: np.ndarray, value: float, confidence: float) -> Interval:
    """The scores between which the quantile lies that `value` estimates: by the binomial of scores below it."""
    n, tail = len(negatives), (1 - confidence) / 2
    share = np.searchsorted(negatives, value, "right") / (n + 1)
    low, high = binom.ppf(tail, n, share), binom.ppf(1 - tail, n, share) + 1
    return float(negatives[max(int(low), 1) - 1]), float(negatives[min(int(high), n) - 1])


def _interval_over_units(
    rule: Rule, score: np.ndarray, positive: np.ndarray, resampling: Resampling, value: float
) -> Interval | None:
    """The jackknife's interval over units; None where the rule finds no cut without one of them."""
    values = [value]
    for unit in np.unique(resampling.units):
        rest = resampling.units != unit
        try:
            if positive[rest].all() or not positive[rest].any():
                return None
            values.append(rule(score[rest], positive[rest]))
        except ValueError:
            return None
    return resampling.value_interval(np.array(values))


def _bootstrap_interval(rule: Rule, score: np.ndarray, positive: np.ndarray, resampling: Resampling) -> Interval | None:
    rng, unit = np.random.default_rng(resampling.seed), resampling.units
    order, by_score = np.argsort(unit, kind="stable"), np.argsort(score, kind="stable")
    starts = np.searchsorted(unit[order], np.unique(unit))
    sizes, rank, values = np.diff(starts, append=len(unit)), np.argsort(by_score)[order], [np.nan]
    for _ in range(resampling.draws):
        chosen = rng.integers(0, len(starts), len(starts))
        count = sizes[chosen]
        drawn = np.arange(count.sum()) + np.repeat(starts[chosen] - (np.cumsum(count) - count), count)
        rows = by_score[np.sort(rank[drawn])]  # a rule sorts them again, which takes less time now
        if positive[rows].all() or not positive[rows].any():
            continue
        try:
            values.append(rule(score[rows], positive[rows]))
        except ValueError:
            continue  # no cut in this draw
    return resampling.value_interval(np.array(values)) if len(values) > 1 else None
