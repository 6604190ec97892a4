"""The record bank: every distinct record once, as arrays in a stage folder, and how to read them.

numpy and the standard library alone, so that a training box needs neither Prefect nor pyarrow.

    maps.npy        (n, rows·cols) float32, row-major; may be memory-mapped
    anchors.npy     (modes, rows·cols) float32, mean maps of the training records
    index.npz       mode (n,) int32 code, good (n,) bool, part (n,) int8, hash (n,) S32, group (n,) str,
                    modes (m,) str; component (n,) int32 code of the records that the source's triplets
                    link, empty where it brought none; id (n,) str, what names each part, empty where it is
                    not known; triplets_<part> (t, 3) int32: mode code of the
                    anchor, positive row, negative row
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tasks.core.files import link_or_copy
from tasks.core.npz import ArrayBlocks, map_arrays, save_arrays
from tasks.data.columns import on_disk, row_blocks, sort_by_code
from tasks.data.split import PARTS

HEX_PAIRS = np.array([f"{byte:02x}" for byte in range(256)], "S2")


@dataclass(frozen=True)
class Bank:
    """The arrays of a stage folder; the module's docstring gives shapes and types.

    While a large bank is made, some arrays are blocks, and can only be saved.
    """

    maps: np.ndarray
    anchors: np.ndarray
    mode: np.ndarray
    good: np.ndarray | ArrayBlocks
    part: np.ndarray
    hash: np.ndarray | ArrayBlocks
    group: np.ndarray | ArrayBlocks
    modes: list[str]
    triplets: dict[str, np.ndarray] | dict[str, ArrayBlocks]
    component: np.ndarray = field(default_factory=lambda: np.empty(0, np.int32))
    id: np.ndarray | ArrayBlocks = field(default_factory=lambda: np.empty(0, str))

    def ids(self, rows: np.ndarray) -> np.ndarray:
        """The names (k,) str of the parts at `rows`; "" where they are not known."""
        return self.id[rows] if len(self.id) else np.full(len(rows), "")

    def rows(self, part: str) -> np.ndarray:
        """The row numbers of the records of a part."""
        return np.flatnonzero(self.part == PARTS.index(part))

    def rows_on_disk(self, parts: Sequence[str], folder: Path | None = None) -> np.ndarray:
        """The row numbers (k,) int32 of the records of parts, one part after the other, in a file in `folder`."""
        blocks = (
            np.flatnonzero(self.part[rows] == PARTS.index(part)) + rows.start
            for part in parts
            for rows in row_blocks(len(self.part))
        )
        return on_disk(blocks, np.int32, folder)

    def places_by_mode(self, rows: np.ndarray, folder: Path | None = None) -> list[np.ndarray]:
        """Where among `rows` (k,) the records of each mode are: int32, ascending, in a file in `folder`."""

        def places() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            return ((np.arange(block.start, block.stop), self.mode[rows[block]]) for block in row_blocks(len(rows)))

        none = np.zeros(len(self.modes), np.int64)
        sizes = sum((np.bincount(mode, minlength=len(none)) for _, mode in places()), none)
        return np.split(sort_by_code(places(), sizes, np.int32, folder), np.cumsum(sizes)[:-1])

    def save(self, folder: Path, maps: Path | None = None) -> None:
        """Write the three files; `maps` is an existing file of the same maps, which is linked instead of written."""
        if maps is None:
            write_maps(folder / "maps.npy", [self.maps], self.maps.shape)
        elif maps != folder / "maps.npy":
            link_or_copy(maps, folder / "maps.npy")
        np.save(folder / "anchors.npy", self.anchors)
        arrays = {
            "mode": self.mode.astype(np.int32, copy=False),
            "good": self.good,
            "part": self.part.astype(np.int8, copy=False),
            "hash": self.hash,
            "group": _typed(self.group, str),
            "modes": np.array(self.modes, str),
            "component": self.component.astype(np.int32, copy=False),
            **({"id": self.id} if len(self.id) else {}),
            **{f"triplets_{part}": _typed(rows, np.int32) for part, rows in self.triplets.items()},
        }
        save_arrays(folder / "index.npz", arrays)


def _typed(array: np.ndarray | ArrayBlocks, dtype: type) -> np.ndarray | ArrayBlocks:
    return array if isinstance(array, ArrayBlocks) else array.astype(dtype, copy=False)


def write_maps(path: Path, blocks: Iterable[np.ndarray], shape: tuple[int, int]) -> None:
    """Write blocks of maps, (n, values) together, as one `.npy` file, with one block in memory at a time."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        for block in blocks:
            file.write(np.ascontiguousarray(block, "<f4"))


def hex_of(keys: np.ndarray) -> np.ndarray:
    """The hashes (n,) S32 of keys (n,) S16, their bytes."""
    return HEX_PAIRS[np.ascontiguousarray(keys).view(np.uint8)].view("S32")


def evenly_spread(rows: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of the rows (n,), evenly spread over all."""
    return rows[:: max(1, -(-len(rows) // most))]


def load_bank(folder: str | Path) -> Bank:
    """The bank of a triplets stage, memory-mapped: what is not read is not in memory. No pickle is ever read."""
    folder = Path(folder)
    arrays = map_arrays(folder / "index.npz")
    return Bank(
        maps=np.load(folder / "maps.npy", mmap_mode="r", allow_pickle=False),
        anchors=np.load(folder / "anchors.npy", allow_pickle=False),
        modes=[str(name) for name in arrays.pop("modes")],
        triplets={part: arrays.pop(f"triplets_{part}") for part in PARTS},
        **arrays,
    )
