"""Metrics from the distances of records to prototypes.

Pairs are all test records × all mode prototypes; a pair is positive where the prototype is that of the record's own
mode, and its score is minus its distance.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from tasks.evaluation.comparison_report import Interval, PairMetrics
from tasks.evaluation.evaluation_report import GroupMetrics, ModeMetrics


def pair_metrics(distances: np.ndarray, mode: np.ndarray) -> PairMetrics:
    """ROC AUC, average precision with prevalence, EER, TPR at 1 % and 5 % FPR, d′, and mode accuracy.

    distances: (n, m) of records to prototypes; mode: (n,) each record's own column.
    """
    same = np.arange(distances.shape[1]) == mode[:, None]
    positive, score = same.ravel(), -distances.ravel()
    fpr, tpr, _ = roc_curve(positive, score, drop_intermediate=False)
    right = distances.argmin(axis=1) == mode
    return PairMetrics(
        auroc=float(roc_auc_score(positive, score)),
        average_precision=float(average_precision_score(positive, score)),
        prevalence=float(positive.mean()),
        eer=float(np.interp(0.0, fpr + tpr - 1, fpr)),  # between two points of the curve, on its straight line
        tpr_at_1_fpr=tpr_at(fpr, tpr, 0.01),
        tpr_at_5_fpr=tpr_at(fpr, tpr, 0.05),
        d_prime=d_prime(score[positive], score[~positive]),
        mode_accuracy=float(right.mean()),
        macro_mode_accuracy=float(np.mean([right[mode == m].mean() for m in np.unique(mode)])),
    )


def tpr_at(fpr: np.ndarray, tpr: np.ndarray, at: float) -> float:
    """The largest true positive rate whose false positive rate is `at` or less."""
    return float(tpr[fpr <= at].max())


def share_of_defects_found(score: np.ndarray, good: np.ndarray, at: float) -> float:
    """The largest share of defects above a cut above which a share of `at` or less of the good records lies.

    score: (n,) larger = more anomalous; good: (n,) bool, some of each kind.
    """
    fpr, tpr, _ = roc_curve(~good, score, drop_intermediate=False)
    return tpr_at(fpr, tpr, at)


def d_prime(a: np.ndarray, b: np.ndarray) -> float:
    """Difference of the means in units of the root mean variance; 0 where neither varies."""
    spread = np.sqrt((a.var() + b.var()) / 2)
    return float((a.mean() - b.mean()) / spread) if spread > 0 else 0.0


def retrieval_metrics(
    between: Callable[[np.ndarray], np.ndarray], mode: np.ndarray, most: int = 4000
) -> dict[str, float]:
    """Recall@1 and MAP@R among the test records themselves, each against all others.

    between(rows) gives the distances (len(rows), n) of those records to all. Past `most` records an
    even sample of queries is taken. Source of MAP@R: Musgrave, Belongie, Lim 2020, arXiv:2003.08505.
    """
    queries = np.unique(np.linspace(0, len(mode) - 1, min(most, len(mode))).astype(int))
    hits, precisions = [], []
    for block in np.array_split(queries, -(-len(queries) // 256)):
        for query, distances in zip(block, between(block), strict=True):
            distances[query] = np.inf
            count = np.count_nonzero(mode == mode[query]) - 1
            if count:
                first = mode[_nearest(distances, count)] == mode[query]
                hits.append(first[0])
                precisions.append((np.cumsum(first) / np.arange(1, count + 1) * first).sum() / count)
    return {"recall_at_1": float(np.mean(hits)), "map_at_r": float(np.mean(precisions))} if hits else {}


def _nearest(distances: np.ndarray, count: int) -> np.ndarray:
    """The `count` smallest of distances (n,), the smallest first; of equal ones the first."""
    near = np.flatnonzero(distances <= np.partition(distances, count - 1)[count - 1])
    return near[np.argsort(distances[near], kind="stable")[:count]]


def per_mode_metrics(
    distances: np.ndarray, mode: np.ndarray, names: list[str], intervals: dict[int, Interval] | None = None
) -> dict[str, ModeMetrics]:
    """The metrics of each mode with test records; AUROC and TPR at 5 % FPR are those of its prototype.

    intervals: those of the accuracies, by the modes' codes.
    """
    return {
        name: _mode_metrics(distances, mode == code, code, (intervals or {}).get(code))
        for code, name in enumerate(names)
        if (mode == code).any()
    }


def _mode_metrics(distances: np.ndarray, own: np.ndarray, code: int, interval: Interval | None) -> ModeMetrics:
    auroc, tpr_at_5_fpr, score = None, None, -distances[:, code]
    if not own.all():
        fpr, tpr, _ = roc_curve(own, score, drop_intermediate=False)
        auroc, tpr_at_5_fpr = float(roc_auc_score(own, score)), tpr_at(fpr, tpr, 0.05)
    accuracy = float((distances[own].argmin(axis=1) == code).mean())
    return ModeMetrics(int(own.sum()), accuracy, auroc, tpr_at_5_fpr, interval)


def macro(per_mode: dict[str, ModeMetrics]) -> dict[str, float]:
    """The plain mean over modes of each per-mode metric that any mode has."""
    values = {
        name: [value for entry in per_mode.values() if (value := getattr(entry, name)) is not None]
        for name in ("accuracy", "auroc", "tpr_at_5_fpr")
    }
    return {name: float(np.mean(row)) for name, row in values.items() if row}


def angular_metrics(anchor: np.ndarray, positive: np.ndarray, negative: np.ndarray) -> dict[str, float]:
    """The notebook's accuracy on triplets of embeddings (t, d), and the AUROC of the same scores.

    Similarity 1 − arccos(cos θ)/π of anchor and positive should pass 0.5, of anchor and negative not.
    """
    alike, unlike = _angular(anchor, positive), _angular(anchor, negative)
    truth = np.repeat([True, False], len(alike))
    score = np.concatenate([alike, unlike])
    return {
        "angular_accuracy": float(((score > 0.5) == truth).mean()),
        "angular_auroc": float(roc_auc_score(truth, score)),
    }


def _angular(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosine = (a * b).sum(axis=1) / np.maximum(norms, 1e-12)
    return 1 - np.arccos(np.clip(cosine, -1, 1)) / np.pi


def balanced_accuracy(called: np.ndarray, good: np.ndarray) -> float:
    """The mean of the shares of good parts passed and of defects stopped: ½ for chance, however rare defects are.

    called: (n,) bool, predicted as a defect; good: (n,) bool, some of each kind.
    """
    return float((1 - called[good].mean() + called[~good].mean()) / 2)


def per_group_metrics(
    distances: np.ndarray,
    mode: np.ndarray,
    good: np.ndarray,
    score: np.ndarray | None,
    threshold: float | None,
    group: np.ndarray,
) -> dict[str, GroupMetrics]:
    """The metrics of each named group.

    distances: (n, m) of records to prototypes; mode, good, group: (n,); score: (n,) anomaly scores, None without a
    good prototype; threshold: the calibrated one, or None.
    """
    groups = {name: group == name for name in sorted(set(group.tolist()) - {""})}
    same = np.arange(distances.shape[1]) == mode[:, None]
    right = distances.argmin(axis=1) == mode
    return {
        name: GroupMetrics(
            n=int(own.sum()),
            good=int(good[own].sum()),
            mode_accuracy=float(right[own].mean()),
            auroc=float(roc_auc_score(same[own].ravel(), -distances[own].ravel())),
            **({} if score is None else _good_metrics(score[own], good[own], threshold)),
        )
        for name, own in groups.items()
    }


def _good_metrics(score: np.ndarray, good: np.ndarray, threshold: float | None) -> dict[str, float]:
    both = bool(good.any() and not good.all())
    metrics = {"good_auroc": float(roc_auc_score(~good, score))} if both else {}
    if threshold is None:
        return metrics
    called = score > threshold
    metrics |= {name: float(called[kind].mean()) for name, kind in (("fpr", good), ("tpr", ~good)) if kind.any()}
    return metrics | ({"balanced_accuracy": balanced_accuracy(called, good)} if both else {})
