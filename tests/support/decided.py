"""Decisions of reviewers, each but for what a test changes."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from tasks.review.decisions import Decision, map_text


def decision(number: int = 1, values: int = 4, **changes: Any) -> Decision:
    """On an added part SN-<number>, all of whose values are `number`."""
    map_ = np.full(values, number, np.float32)
    facts = {"mode": "dent", "label": "1", "by": "M. Sato", "kind": "unknown", "picked": "chosen", "new": True}
    texts = {"part": f"SN-{number}", "was_mode": "scratch"}
    key = hashlib.blake2b(map_, digest_size=16).hexdigest()
    return Decision(record=key, map=map_text(map_), **facts | texts | changes)
