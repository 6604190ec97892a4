"""The figures of each group (lot, board) of the test records: a pooled figure hides the lot that it fails on."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from tasks.figures import interval


def balanced_accuracy(called: np.ndarray, good: np.ndarray) -> float:
    """Mean of the good parts that pass and the defects that are stopped: ½ for a coin, however rare defects are.

    called: (n,) bool, taken for a defect; good: (n,) bool, some of each kind.
    """
    return float((1 - called[good].mean() + called[~good].mean()) / 2)


def balanced_interval(called: np.ndarray, good: np.ndarray, weights: np.ndarray, confidence: float) -> list[float]:
    """Its bootstrap interval; weights: (draws, n) how often each record is drawn. A draw of one kind has none."""
    rates = []
    for kind, hit in ((good, ~called), (~good, called)):
        drawn = weights[:, kind].sum(axis=1)
        rates.append(np.divide(weights[:, kind] @ hit[kind], drawn, out=np.full(len(drawn), np.nan), where=drawn > 0))
    return interval((rates[0] + rates[1]) / 2, confidence)


def per_group_figures(
    distances: np.ndarray,
    mode: np.ndarray,
    good: np.ndarray,
    score: np.ndarray | None,
    cut: float | None,
    group: np.ndarray,
) -> dict[str, dict[str, Any]]:
    """For each named group: n, good, mode_accuracy, auroc, and as far as its records allow good_auroc, fpr, tpr.

    distances: (n, m) of records to prototypes; mode, good, group: (n,); score: (n,) distances to good, or
    None; cut: the calibrated threshold, or None. `balanced_accuracy` stands where both rates do.
    """
    found = {}
    for name in sorted(set(group.tolist()) - {""}):
        own = group == name
        same = np.arange(distances.shape[1]) == mode[own][:, None]
        found[name] = {
            "n": int(own.sum()),
            "good": int(good[own].sum()),
            "mode_accuracy": float((distances[own].argmin(axis=1) == mode[own]).mean()),
            "auroc": float(roc_auc_score(same.ravel(), -distances[own].ravel())),
            **({} if score is None else _good_figures(score[own], good[own], cut)),
        }
    return found


def _good_figures(score: np.ndarray, good: np.ndarray, cut: float | None) -> dict[str, float]:
    both = bool(good.any() and not good.all())
    found = {"good_auroc": float(roc_auc_score(~good, score))} if both else {}
    if cut is None:
        return found
    called = score > cut
    found |= {name: float(called[kind].mean()) for name, kind in (("fpr", good), ("tpr", ~good)) if kind.any()}
    return found | ({"balanced_accuracy": balanced_accuracy(called, good)} if both else {})
