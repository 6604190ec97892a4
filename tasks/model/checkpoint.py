"""The checkpoint from which a training is resumed after its process died: one file, replaced after every epoch.

It needs numpy and the standard library only, and no pickle. A resumed training ends with the weights of an undisturbed
one, bit for bit on the same machine, because the order of the batches depends on seed and epoch alone.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.core.files import draft_prefix, remove_stale_drafts
from tasks.core.results import Epoch

DIGEST_BYTES = hashlib.sha256().digest_size  # before the arrays, over all that follows


@dataclass(frozen=True)
class TrainingCheckpoint:
    """The state after an epoch: all variables in the model's order, the weights to keep, the log."""

    tower: list[np.ndarray]
    optimizer: list[np.ndarray]
    best: list[np.ndarray]
    log: list[Epoch]


def save_checkpoint(path: Path, state: TrainingCheckpoint) -> None:
    """Replace the file at `path`; a reader sees the old one or the new one."""
    arrays: dict[str, Any] = {"log": np.array(json.dumps([asdict(line) for line in state.log]))}
    for name in ("tower", "optimizer", "best"):
        arrays |= {f"{name}_{i}": value for i, value in enumerate(getattr(state, name))}
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    # A name of its own: two lines on the same data may train the same model at the same time.
    remove_stale_drafts(path.parent, path.name)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=draft_prefix(path.name))
    beside = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(hashlib.sha256(packed.getvalue()).digest() + packed.getvalue())
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)  # of a full disk


def load_checkpoint(path: Path) -> TrainingCheckpoint | None:
    """The state at `path`; None where there is none or its digest is wrong: such a file is removed."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    digest, packed = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
    if hashlib.sha256(packed).digest() != digest:
        path.unlink()
        return None
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        log = [Epoch(**line) for line in json.loads(str(arrays["log"]))]
        return TrainingCheckpoint(*(_listed(arrays, name) for name in ("tower", "optimizer", "best")), log=log)


def _listed(arrays: Any, name: str) -> list[np.ndarray]:
    count = sum(key.startswith(f"{name}_") for key in arrays.files)
    return [arrays[f"{name}_{i}"] for i in range(count)]
