"""The training records that a release keeps, so that a verdict can show what a part is like.

A release must explain its verdicts where the training data is not available, and must not grow with it: it keeps a
sample, spread evenly over the modes and chosen by the content alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tasks.core.npz import NpzRecord
from tasks.model.distances import Distance
from tasks.model.embeddings import EmbeddedBank

MAX_GALLERY_RECORDS = 2000  # records: 11 MB of 36 × 39 maps
MIN_MODE_RECORDS = 5  # however many modes there are


@dataclass(frozen=True)
class Gallery(NpzRecord):
    """The g training records that a release keeps, with their embeddings of d values.

    maps (g, values) float32, embedded (g, d) float32, mode (g,) code of the release's modes, good (g,) bool,
    group (g,) str, hash (g,) S32; id (g,) str, what names each part, empty in a release of an earlier version.
    """

    FILE = "gallery.npz"
    maps: np.ndarray
    embedded: np.ndarray
    mode: np.ndarray
    good: np.ndarray
    group: np.ndarray
    hash: np.ndarray
    id: np.ndarray = field(default_factory=lambda: np.empty(0, str))

    def __len__(self) -> int:
        """How many records are kept."""
        return len(self.maps)

    def nearest(self, distance: Distance, embedded: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The rows (n, k) of the `count` kept records nearest to embeddings (n, d), and their distances (n, k).

        Nearest first; k is less than `count` where fewer are kept.
        """
        distances = distance.matrix(embedded, self.embedded)
        rows = np.argsort(distances, axis=1, kind="stable")[:, :count]
        return rows, np.take_along_axis(distances, rows, axis=1)


def build_gallery(records: EmbeddedBank, most: int = MAX_GALLERY_RECORDS) -> Gallery:
    """A sample of the bank's training records, `most` at most unless the modes are very many."""
    bank, train = records.bank, records.bank.rows("train")
    quota = max(MIN_MODE_RECORDS, most // len(bank.modes))
    rows = train[np.argsort(bank.hash[train], kind="stable")]  # a hash is as good as a draw, and stays the same
    chosen = np.sort(np.concatenate([rows[bank.mode[rows] == code][:quota] for code in range(len(bank.modes))]))
    maps = np.asarray(bank.maps[chosen], np.float32)
    embedded = records.part("train").vectors[np.searchsorted(train, chosen)].astype(np.float32)
    columns = (bank.mode[chosen], bank.good[chosen], bank.group[chosen], bank.hash[chosen], bank.ids(chosen))
    return Gallery(maps, embedded, *columns)
