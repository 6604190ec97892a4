"""The figures of a judgement, from distances alone: what a record is worth against every prototype.

Pairs are all test records × all mode prototypes; a pair is positive where the prototype is the
record's own mode, and its score is minus its distance. Intervals draw records (or groups), never pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

Metrics = dict[str, Any]


def pair_metrics(distances: np.ndarray, mode: np.ndarray) -> Metrics:
    """ROC AUC, average precision with prevalence, EER, TPR at 1 % and 5 % FPR, d′, and mode accuracy.

    distances: (n, m) of records to prototypes; mode: (n,) each record's own column.
    """
    same = np.arange(distances.shape[1]) == mode[:, None]
    positive, score = same.ravel(), -distances.ravel()
    fpr, tpr, _ = roc_curve(positive, score, drop_intermediate=False)
    right = distances.argmin(axis=1) == mode
    return {
        "auroc": float(roc_auc_score(positive, score)),
        "average_precision": float(average_precision_score(positive, score)),
        "prevalence": float(positive.mean()),
        "eer": float(np.interp(0.0, fpr + tpr - 1, fpr)),  # between two points of the curve, on its straight line
        "tpr_at_1_fpr": tpr_at(fpr, tpr, 0.01),
        "tpr_at_5_fpr": tpr_at(fpr, tpr, 0.05),
        "d_prime": d_prime(score[positive], score[~positive]),
        "mode_accuracy": float(right.mean()),
        "macro_mode_accuracy": float(np.mean([right[mode == m].mean() for m in np.unique(mode)])),
    }


def tpr_at(fpr: np.ndarray, tpr: np.ndarray, at: float) -> float:
    """The largest true positive rate whose false positive rate is `at` or less."""
    return float(tpr[fpr <= at].max())


def d_prime(a: np.ndarray, b: np.ndarray) -> float:
    """Difference of the means in units of the root mean variance; 0 where neither varies."""
    spread = np.sqrt((a.var() + b.var()) / 2)
    return float((a.mean() - b.mean()) / spread) if spread > 0 else 0.0


def retrieval_metrics(between: Callable[[np.ndarray], np.ndarray], mode: np.ndarray, most: int = 4000) -> Metrics:
    """Recall@1 and MAP@R among the test records themselves, each against all others.

    between(rows) gives the distances (len(rows), n) of those records to all. Past `most` records an
    even sample of queries is taken. Source of MAP@R: Musgrave, Belongie, Lim 2020, arXiv:2003.08505.
    """
    queries = np.unique(np.linspace(0, len(mode) - 1, min(most, len(mode))).astype(int))
    hits, precisions = [], []
    for block in np.array_split(queries, -(-len(queries) // 256)):
        distances = between(block)
        distances[np.arange(len(block)), block] = np.inf
        relevant = mode[np.argsort(distances, axis=1, kind="stable")] == mode[block][:, None]
        for row, count in zip(relevant, (mode[:, None] == mode[block]).sum(axis=0) - 1, strict=True):
            if count:
                first = row[:count]
                hits.append(row[0])
                precisions.append((np.cumsum(first) / np.arange(1, count + 1) * first).sum() / count)
    return {"recall_at_1": float(np.mean(hits)), "map_at_r": float(np.mean(precisions))} if hits else {}


def per_mode_metrics(distances: np.ndarray, mode: np.ndarray, names: list[str]) -> dict[str, Metrics]:
    """For each mode with test records: n, accuracy, and AUROC and TPR at 5 % FPR of its prototype."""
    found: dict[str, Metrics] = {}
    for code, name in enumerate(names):
        own = mode == code
        if not own.any():
            continue
        entry: Metrics = {"n": int(own.sum()), "accuracy": float((distances[own].argmin(axis=1) == code).mean())}
        if not own.all():
            fpr, tpr, _ = roc_curve(own, -distances[:, code], drop_intermediate=False)
            entry |= {"auroc": float(roc_auc_score(own, -distances[:, code])), "tpr_at_5_fpr": tpr_at(fpr, tpr, 0.05)}
        found[name] = entry
    return found


def macro(per_mode: dict[str, Metrics]) -> Metrics:
    """The plain mean over modes of each per-mode figure that any mode has."""
    found = {
        name: [entry[name] for entry in per_mode.values() if name in entry]
        for name in ("accuracy", "auroc", "tpr_at_5_fpr")
    }
    return {name: float(np.mean(values)) for name, values in found.items() if values}


def angular_accuracy(anchor: np.ndarray, positive: np.ndarray, negative: np.ndarray) -> Metrics:
    """The notebook's own figure on triplets of embeddings (t, d), and the AUROC of the same scores.

    Similarity 1 − arccos(cos θ)/π of anchor and positive should pass 0.5, of anchor and negative not.
    """
    alike, unlike = _angular(anchor, positive), _angular(anchor, negative)
    truth = np.repeat([True, False], len(alike))
    score = np.concatenate([alike, unlike])
    return {
        "angular_accuracy_at_0.5": float(((score > 0.5) == truth).mean()),
        "angular_auroc": float(roc_auc_score(truth, score)),
    }


def _angular(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosine = (a * b).sum(axis=1) / np.maximum(norms, 1e-12)
    return 1 - np.arccos(np.clip(cosine, -1, 1)) / np.pi


def balanced_accuracy(called: np.ndarray, good: np.ndarray) -> float:
    """Mean of the good parts that pass and the defects that are stopped: ½ for a coin, however rare defects are.

    called: (n,) bool, taken for a defect; good: (n,) bool, some of each kind.
    """
    return float((1 - called[good].mean() + called[~good].mean()) / 2)


def per_group_metrics(
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
            **({} if score is None else _good_metrics(score[own], good[own], cut)),
        }
    return found


def _good_metrics(score: np.ndarray, good: np.ndarray, cut: float | None) -> dict[str, float]:
    both = bool(good.any() and not good.all())
    found = {"good_auroc": float(roc_auc_score(~good, score))} if both else {}
    if cut is None:
        return found
    called = score > cut
    found |= {name: float(called[kind].mean()) for name, kind in (("fpr", good), ("tpr", ~good)) if kind.any()}
    return found | ({"balanced_accuracy": balanced_accuracy(called, good)} if both else {})
