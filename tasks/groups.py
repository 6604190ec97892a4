"""The figures of each group (lot, board) of the test records: a pooled figure hides the lot that it fails on."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score


def balanced_accuracy(called: np.ndarray, good: np.ndarray) -> float:
    """Mean of the good parts that pass and the defects that are stopped: ½ for a coin, however rare defects are.

    called: (n,) bool, taken for a defect; good: (n,) bool, some of each kind.
    """
    return float((1 - called[good].mean() + called[~good].mean()) / 2)


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
