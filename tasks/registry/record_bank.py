"""The records that a release was made from: their bank, as long as it is among the stages, and their hashes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tasks.core.errors import MissingStage
from tasks.core.npz import ScratchArray
from tasks.core.stages import stage_folder, verified_manifest
from tasks.data.bank import Bank, load_bank
from tasks.data.columns import row_blocks
from tasks.registry.releases import Release

BLOCK_HASHES = 1 << 16
KEY = np.dtype([("hash", "S16"), ("row", ">u4")])
SORTED_KEY = np.dtype("S20")  # the same bytes, which numpy sorts and searches twenty times as fast


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
    """The stored hashes (n,) S32 of records, sorted in a temporary file; chosen: (n,) bool, those that count."""

    def __init__(self, hashes: np.ndarray, chosen: np.ndarray | None = None) -> None:
        scratch = ScratchArray(SORTED_KEY)
        for block in row_blocks(len(hashes), BLOCK_HASHES):
            places = np.arange(len(hashes[block])) if chosen is None else np.flatnonzero(chosen[block])
            keys = np.empty(len(places), KEY)
            keys["hash"], keys["row"] = _keys_of(hashes[block][places]), block.start + places
            scratch.append(keys.view(SORTED_KEY))
        self.keys = scratch.sort()

    def __len__(self) -> int:
        """How many hashes there are."""
        return len(self.keys)

    def contain(self, hashes: Sequence[bytes]) -> np.ndarray:
        """Whether each of the hashes (k,) of 16 bytes is among them, (k,) bool."""
        return self._find(np.frombuffer(b"".join(hashes), "S16")) >= 0

    def find(self, hashes: np.ndarray) -> np.ndarray:
        """The row (k,) of each stored hash (k,) S32 among all that were given; −1 where it does not count."""
        rows = [self._find(_keys_of(hashes[block])) for block in row_blocks(len(hashes), BLOCK_HASHES)]
        return np.concatenate([np.empty(0, np.int64), *rows])

    def repeated(self) -> tuple[np.ndarray, np.ndarray]:
        """The rows (k,) whose hash another row has, too, and the number (k,) of that hash among such hashes."""
        keys, later = self.keys.view(KEY), [np.empty(0, np.int64)]
        for start in range(0, len(keys), BLOCK_HASHES):
            hashes = keys["hash"][start : start + BLOCK_HASHES + 1]
            later.append(start + 1 + np.flatnonzero(hashes[1:] == hashes[:-1]))
        again = np.concatenate(later)
        places = np.union1d(again - 1, again)
        return keys["row"][places].astype(np.int64), np.cumsum(~np.isin(places, again)) - 1

    def _find(self, hashes: np.ndarray) -> np.ndarray:
        rows = np.full(len(hashes), -1)
        if len(self):
            order = np.argsort(hashes)  # so that pages of the file that are read are read once
            place = np.searchsorted(self.keys, hashes[order].astype(SORTED_KEY)).clip(max=len(self) - 1)
            keys = self.keys[place].view(KEY)
            rows[order] = np.where(keys["hash"] == hashes[order], keys["row"].astype(np.int64), -1)
        return rows


def _keys_of(hashes: np.ndarray) -> np.ndarray:
    """The bytes (k,) S16 of stored hashes (k,) S32."""
    return np.frombuffer(bytes.fromhex(hashes.tobytes().decode("ascii")), "S16")
