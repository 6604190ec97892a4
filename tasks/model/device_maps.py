"""Where a training's maps lie: all of them in the model, or where they are too many, those of one block at a time."""

from __future__ import annotations

import math

import numpy as np

MAX_RESIDENT_BYTES = 256  # batches of a block
RESIDENT_SHARE = 1_000_000_000  # bytes of maps that lie in the model as a whole
BLOCK_BYTES = 256_000_000  # bytes of maps that one block may bring, where they do not


class DeviceMaps:
    """The maps that batches name by row number, `first` and then those of `used`.

    first: (a, values) float32, always in the model; maps: (n, values), may be memory-mapped; used: their row
    numbers that training may see; columns: which columns of a batch's rows name a map; batch, batches: rows of
    the largest batch, and how many an epoch has. Both ways train to the same bits.
    """

    def __init__(
        self,
        first: np.ndarray,
        maps: np.ndarray,
        used: np.ndarray,
        columns: tuple[int, ...],
        batch: int,
        batches: int,
    ) -> None:
        self.first, self.maps, self.used, self.columns = first, maps, used, columns
        width, named = maps.shape[1], batch * len(columns)
        self.resident = (len(first) + len(used)) * width * 4 <= RESIDENT_SHARE
        block = max(named, min(named * min(MAX_RESIDENT_BYTES, batches), BLOCK_BYTES // (4 * width)))
        self.shape = len(first) + (len(used) if self.resident else block), width  # of the model's bank
        self.bank = None if self.resident else np.zeros(self.shape, np.float32)

    def all_maps(self) -> np.ndarray:
        """All maps, in the order of their row numbers."""
        return np.concatenate([self.first, self.maps[self.used]])

    def batches_per_block(self, rows: np.ndarray) -> int:
        """How many batches of rows (batches, B, k) a block may hold, equally many in each."""
        room = self.shape[0] - len(self.first)
        most = (
            MAX_RESIDENT_BYTES
            if self.resident
            else min(MAX_RESIDENT_BYTES, room // (rows.shape[1] * len(self.columns)))
        )
        return math.ceil(len(rows) / math.ceil(len(rows) / most))

    def load_block(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """A block's rows as the model's bank knows them, and the bank that it needs where it is not resident."""
        if self.resident:
            return rows, None
        named = rows[..., self.columns]
        kept = len(self.first)
        wanted, places = np.unique(named, return_inverse=True)
        own = wanted[wanted >= kept]
        number = np.concatenate([wanted[wanted < kept], np.arange(len(own)) + kept]).astype(rows.dtype)
        placed = rows.copy()
        placed[..., self.columns] = number[places.reshape(named.shape)]
        self.bank[:kept] = self.first
        self.bank[kept : kept + len(own)] = self.maps[self.used[own - kept]]
        return placed, self.bank
