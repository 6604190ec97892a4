"""The loss of a balanced batch: triplets mined in it, and each record against the modes' prototypes.

A batch holds P modes of K records each, mode by mode, so a record's place says its mode. Everything is written over
one `Distance`, by which parts are also classified.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from tasks.model.distances import Distance

NO_PAIR_DISTANCE = 1e9  # in a minimum, in place of a pair that does not count


def pair_indices(modes: int, records: int) -> tuple[np.ndarray, np.ndarray]:
    """The columns of each row's positives (P·K, K−1) and negatives (P·K, P·K−K) in the batch's own matrix."""
    rows = np.arange(modes * records)
    mode = rows // records
    alike = mode[:, None] == mode
    positives = np.nonzero(alike & (rows[:, None] != rows))[1].reshape(len(rows), records - 1)
    return positives.astype(np.int32), np.nonzero(~alike)[1].reshape(len(rows), -1).astype(np.int32)


def all_triplets(positive: Any, negative: Any, margin: float) -> tuple[Any, Any]:
    """Mean hinge over the triplets that have one, and their share.

    positive (B, K−1) and negative (B, N): each anchor's distances. Source of the mean over the active
    ones: Hermans, Beyer, Leibe 2017, arXiv:1703.07737.
    """
    return _over_active(ops.maximum(positive[:, :, None] - negative[:, None, :] + margin, 0.0))


def semi_hard(positive: Any, negative: Any, margin: float) -> tuple[Any, Any]:
    """For each pair the nearest negative that is farther than the positive, else the farthest one.

    Source: Schroff, Kalenichenko, Philbin 2015, arXiv:1503.03832.
    """
    farther = negative[:, None, :] > positive[:, :, None]
    nearest = ops.min(ops.where(farther, negative[:, None, :], NO_PAIR_DISTANCE), axis=-1)
    chosen = ops.where(ops.any(farther, axis=-1), nearest, ops.max(negative, axis=-1, keepdims=True))
    return _over_active(ops.maximum(positive - chosen + margin, 0.0))


def multi_similarity(positive: Any, negative: Any, margin: float) -> tuple[Any, Any]:
    """Soft sums over the pairs that are informative: positives beyond, negatives within, `margin` of the hardest.

    Distances stand for similarities. Source: Wang, Han, Huang, Dong, Scott 2019, arXiv:1904.06627; the scales 2 and
    40 and the threshold 0.5 are those of the authors' code, the paper reports 2, 50 and 1.
    """
    hard = positive + margin > ops.min(negative, axis=-1, keepdims=True)
    near = negative - margin < ops.max(positive, axis=-1, keepdims=True)
    pull = ops.where(hard, ops.exp(2.0 * ops.minimum(positive - 0.5, 20.0)), 0.0)
    push = ops.where(near, ops.exp(40.0 * ops.minimum(0.5 - negative, 1.0)), 0.0)
    loss = ops.log1p(ops.sum(pull, axis=-1)) / 2.0 + ops.log1p(ops.sum(push, axis=-1)) / 40.0
    return ops.mean(loss), ops.mean(ops.cast(near, loss.dtype))


def _over_active(hinge: Any) -> tuple[Any, Any]:
    active = ops.cast(hinge > 0, hinge.dtype)
    return ops.sum(hinge) / ops.maximum(ops.sum(active), 1.0), ops.mean(active)


MININGS: dict[str, Callable[[Any, Any, float], tuple[Any, Any]]] = {
    "all": all_triplets,
    "semi-hard": semi_hard,
    "multi-similarity": multi_similarity,
}


def prototype_logits(distance: Distance, embeddings: Any, modes: int, records: int, rows: Any = None) -> Any:
    """−d² of every record (B, d) to every mode's prototype in the batch, (B, P).

    The prototype of a record's own mode is made without the record, which would otherwise find itself in the mean.
    rows: which record each one is, (B,), where some may come twice: the prototype is then made without copies, too.
    """
    groups = ops.reshape(embeddings, (modes, records, embeddings.shape[-1]))
    raw = distance.prototype(groups, ops)
    others = distance.to_prototypes(embeddings, distance.pooled(raw, raw, ops), ops)
    if rows is None:
        rest = np.array([[j for j in range(records) if j != i] for i in range(records)], np.int32)
        remaining = ops.take(groups, rest, axis=1)  # (P, K, K−1, d)
    else:
        remaining = ops.take(embeddings, places_of_others(rows, modes, records), axis=0)
    without = distance.prototype(remaining, ops)
    same = ops.reshape(distance.from_prototype(groups, distance.pooled(without, raw, ops), ops), (-1, 1))
    is_same = np.repeat(np.eye(modes, dtype="float32"), records, axis=0)
    return -ops.square(ops.where(is_same > 0, same, others))


def places_of_others(rows: Any, modes: int, records: int) -> Any:
    """The places (P, K, K−1) in the batch of the other records of each one's mode, without its copies.

    rows: (B,) which record each one is. Where copies are left out, the others come again in turn; a record that its
    mode has alone stays.
    """
    grouped = ops.reshape(rows, (modes, records))
    copies = ops.cast(ops.expand_dims(grouped, 2) == ops.expand_dims(grouped, 1), "int32")
    order = ops.argsort(copies * records + np.arange(records, dtype=np.int32), axis=-1)  # others first, in their order
    count = ops.maximum(records - ops.sum(copies, axis=-1, keepdims=True), 1)
    turns = ops.mod(np.arange(records - 1, dtype=np.int32), count)
    places = ops.take_along_axis(ops.cast(order, "int32"), turns, axis=-1)
    return places + records * np.arange(modes, dtype=np.int32)[:, None, None]


def cross_entropy(logits: Any, modes: int, records: int) -> Any:
    """Mean cross-entropy of the batch's modes (scalar), logits (B, P)."""
    mode = np.repeat(np.arange(modes, dtype=np.int32), records)
    return ops.mean(ops.logsumexp(logits, axis=1) - ops.take_along_axis(logits, mode[:, None], axis=1)[:, 0])


def hinge(distance: Distance, margin: float, embeddings: Any) -> Any:
    """max(d(a, p) − d(a, n) + margin, 0) for embeddings (batch, 3, d): (batch,)."""
    anchor, positive, negative = embeddings[:, 0], embeddings[:, 1], embeddings[:, 2]
    return ops.maximum(distance.pair(positive, anchor, ops) - distance.pair(negative, anchor, ops) + margin, 0.0)
