"""Where a training's maps lie: all of them in the model, or, where they are too many, those of one block at a time."""

from __future__ import annotations

import math

import numpy as np

from tasks.data.map_statistics import MAPS_PER_BLOCK

MAX_BLOCK_BATCHES = 256
MAX_RESIDENT_BYTES = 1_000_000_000  # of maps that lie in the model all at once
MAX_BLOCK_BYTES = 256_000_000  # of maps that one block may bring, where they do not


class DeviceMaps:
    """The maps that batches name by row number: `anchors`, and then the rows `used` of `maps`.

    anchors: (a, values) float32, always in the model; maps: (n, values), may be memory-mapped; used: the rows that
    training may see; columns: which columns of a batch's rows name a map; batch, batches: rows of the largest batch,
    and batches of an epoch; resident_bytes: of maps that may lie in the model, at most MAX_RESIDENT_BYTES. Both ways
    train to the same bits.
    """

    def __init__(
        self,
        anchors: np.ndarray,
        maps: np.ndarray,
        used: np.ndarray,
        columns: tuple[int, ...],
        batch: int,
        batches: int,
        resident_bytes: int | None = None,
    ) -> None:
        self.anchors, self.maps, self.used, self.columns = anchors, maps, used, columns
        width, named = maps.shape[1], batch * len(columns)
        most = MAX_RESIDENT_BYTES if resident_bytes is None else min(MAX_RESIDENT_BYTES, resident_bytes)
        self.resident = (len(anchors) + len(used)) * width * 4 <= most
        block = max(named, min(named * min(MAX_BLOCK_BATCHES, batches), MAX_BLOCK_BYTES // (4 * width)))
        self.shape = len(anchors) + (len(used) if self.resident else block), width  # of the model's bank
        self.bank = None if self.resident else np.zeros(self.shape, np.float32)

    def all_maps(self) -> np.ndarray:
        """All maps, in the order of their row numbers."""
        every = np.empty(self.shape, np.float32)
        every[: len(self.anchors)] = self.anchors
        for start in range(0, len(self.used), MAPS_PER_BLOCK):
            rows = self.used[start : start + MAPS_PER_BLOCK]
            every[len(self.anchors) + start :][: len(rows)] = self.maps[rows]
        return every

    def batches_per_block(self, rows: np.ndarray) -> int:
        """How many batches of rows (batches, B, k) a block holds; blocks are about equally long."""
        limit = MAX_BLOCK_BATCHES
        if not self.resident:
            limit = min(limit, (self.shape[0] - len(self.anchors)) // (rows.shape[1] * len(self.columns)))
        return math.ceil(len(rows) / math.ceil(len(rows) / limit))

    def load_block(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """A block's rows as the model's bank numbers them, and the bank that it needs; None where it is resident."""
        if self.resident:
            return rows, None
        named, anchors = rows[..., self.columns], len(self.anchors)
        wanted, places = np.unique(named, return_inverse=True)
        records = wanted[wanted >= anchors]
        number = np.concatenate([wanted[wanted < anchors], np.arange(len(records)) + anchors]).astype(rows.dtype)
        numbered = rows.copy()
        numbered[..., self.columns] = number[places.reshape(named.shape)]
        self.bank[:anchors] = self.anchors
        self.bank[anchors : anchors + len(records)] = self.maps[self.used[records - anchors]]
        return numbered, self.bank
