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
        blocks = [b""]
        for start in range(0, len(hashes), BLOCK_HASHES):
            block = slice(start, start + BLOCK_HASHES)
            counted = hashes[block] if chosen is None else hashes[block][chosen[block]]
            blocks.append(bytes.fromhex(counted.tobytes().decode("ascii")))
        high, low = _halves(b"".join(blocks))
        order = np.lexsort((low, high))
        self.high, self.low = high[order], low[order]

    def __len__(self) -> int:
        """How many hashes there are."""
        return len(self.high)

    def contain(self, hashes: Sequence[bytes]) -> np.ndarray:
        """Whether each of the hashes (n,) of 16 bytes is among them, (n,) bool."""
        high, low = _halves(b"".join(hashes))
        place, last = np.searchsorted(self.high, high), np.searchsorted(self.high, high, "right")
        found = np.zeros(len(high), bool)
        while (place < last).any():  # once: that the first halves of two hashes are the same is hardly to be met
            rows = np.flatnonzero(place < last)
            found[rows] |= self.low[place[rows]] == low[rows]
            place[rows] += 1
        return found


def _halves(keys: bytes) -> tuple[np.ndarray, np.ndarray]:
    """The two halves (n,) uint64 of hashes of 16 bytes."""
    high, low = np.frombuffer(keys, ">u8").reshape(-1, 2).T.astype(np.uint64)
    return high, low
