"""The records that a release was made from: their bank, as long as it is among the stages, and their hashes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tasks.core.errors import MissingStage
from tasks.core.stages import stage_folder, verified_manifest
from tasks.data.bank import Bank, load_bank
from tasks.registry.releases import Release

BLOCK_HASHES = 1 << 16


def load_record_bank(release: Release, data: Path, purpose: str) -> Bank:
    """The bank of the release's triplets stage; data: the folder of caches and stages; purpose: what it is needed for.

    Raises MissingStage where it is not there or damaged.
    """
    digest = release.manifest.stages.get("triplets", "")
    folder = stage_folder(data / "stages", "triplets", digest)
    if not digest or verified_manifest(folder) is None:
        raise MissingStage(
            f"{release.version}: expected its record bank in {folder}, found none; it is needed for {purpose}, and "
            f"kensa reproduce {release.version} --data {data} makes it again"
        )
    return load_bank(folder)


class RecordKeys:
    """The stored hashes (n,) S32 of records, sixteen bytes each, sorted; chosen: (n,) bool, those that count."""

    def __init__(self, hashes: np.ndarray, chosen: np.ndarray | None = None) -> None:
        blocks = [np.empty((2, 0), np.uint64)]
        for start in range(0, len(hashes), BLOCK_HASHES):
            block = slice(start, start + BLOCK_HASHES)
            blocks.append(_stored_halves(hashes[block] if chosen is None else hashes[block][chosen[block]]))
        high, low = np.concatenate(blocks, axis=1)
        self.rows = np.lexsort((low, high))
        self.high, self.low = high[self.rows], low[self.rows]

    def __len__(self) -> int:
        """How many hashes there are."""
        return len(self.high)

    def contain(self, hashes: Sequence[bytes]) -> np.ndarray:
        """Whether each of the hashes (k,) of 16 bytes is among them, (k,) bool."""
        return self._find(np.frombuffer(b"".join(hashes), ">u8").reshape(-1, 2).T.astype(np.uint64)) >= 0

    def find(self, hashes: np.ndarray) -> np.ndarray:
        """The row of each stored hash (k,) S32 among those that count, (k,) ints; −1 where it is not there."""
        starts = range(0, len(hashes), BLOCK_HASHES)
        found = [self._find(_stored_halves(hashes[start : start + BLOCK_HASHES])) for start in starts]
        return np.concatenate([np.empty(0, np.int64), *found])

    def _find(self, halves: np.ndarray) -> np.ndarray:
        high, low = halves
        place, last = np.searchsorted(self.high, high), np.searchsorted(self.high, high, "right")
        found = np.full(len(high), -1)
        while (place < last).any():  # once: two hashes whose first halves are the same are hardly ever met
            rows = np.flatnonzero(place < last)
            same = rows[self.low[place[rows]] == low[rows]]
            found[same] = self.rows[place[same]]
            place[rows] += 1
        return found


def _stored_halves(hashes: np.ndarray) -> np.ndarray:
    """The two halves (2, k) uint64 of stored hashes (k,) S32."""
    keys = bytes.fromhex(hashes.tobytes().decode("ascii"))
    return np.frombuffer(keys, ">u8").reshape(-1, 2).T.astype(np.uint64)
