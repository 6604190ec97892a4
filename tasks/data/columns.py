"""Columns of records that need not be in memory: they lie on disk, texts as codes, and are worked on block by block.

numpy and the standard library alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.core.npz import ScratchArray

BLOCK_ROWS = 1 << 16


def row_blocks(count: int, rows: int | None = None) -> Iterator[slice]:
    """Slices of at most `rows` rows each, which are `count` rows together."""
    rows = rows or BLOCK_ROWS
    return (slice(start, min(start + rows, count)) for start in range(0, count, rows))


def on_disk(blocks: Iterable[np.ndarray], dtype: np.typing.DTypeLike, folder: Path | None = None) -> np.ndarray:
    """The blocks (rows,) one after another as one array (n,), which may be changed, of a file without a name.

    Its pages are the system's, which can write them to the disk of `folder` when memory is short; the file is gone with
    the array. Raises UnusableFolder where the disk is full.
    """
    scratch = ScratchArray(dtype, folder)
    for block in blocks:
        scratch.append(block)
    return scratch.array()


def zeros_on_disk(count: int, dtype: np.typing.DTypeLike, folder: Path | None = None) -> np.ndarray:
    """An array (count,) of zeros, as `on_disk` makes it."""
    return on_disk((np.zeros(rows.stop - rows.start, dtype) for rows in row_blocks(count)), dtype, folder)


def take(table: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """`table[codes]` (n,), without the integers as wide as a pointer that numpy makes of all codes at once."""
    taken = np.empty(len(codes), table.dtype)
    for rows in row_blocks(len(codes)):
        taken[rows] = table[codes[rows]]
    return taken


def count_codes(codes: np.ndarray, kinds: int, where: np.ndarray | None = None) -> np.ndarray:
    """How many of the codes (n,) are 0, 1, … `kinds` − 1, (kinds,) int64; `where` (n,) bool: of those alone."""
    counts = np.zeros(kinds, np.int64)
    for rows in row_blocks(len(codes)):
        counts += np.bincount(codes[rows] if where is None else codes[rows][where[rows]], minlength=kinds)
    return counts


def count_pairs(blocks: Iterable[tuple[np.ndarray, np.ndarray]], shape: tuple[int, int]) -> np.ndarray:
    """How often each pair of codes comes, `shape` int64; blocks: first and second codes (rows,), none if negative."""
    counts = np.zeros(shape[0] * shape[1], np.int64)
    for first, second in blocks:
        pairs = (first.astype(np.int64) * shape[1] + second)[(first >= 0) & (second >= 0)]
        counts += np.bincount(pairs, minlength=len(counts))
    return counts.reshape(shape)


def count_distinct(blocks: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The distinct values of all blocks (rows,), sorted, and how often each comes."""
    counted = [np.unique(block, return_counts=True) for block in blocks]
    values, counts = (np.concatenate(column) for column in zip(*counted, strict=True))
    distinct, place = np.unique(values, return_inverse=True)
    return distinct, np.bincount(place, weights=counts).astype(np.int64)


def sort_by_code(
    blocks: Iterable[tuple[np.ndarray, np.ndarray]],
    sizes: np.ndarray,
    dtype: np.typing.DTypeLike,
    folder: Path | None = None,
) -> np.ndarray:
    """Values on disk, those of code 0 first, each code's in their order; blocks: values and codes (rows,).

    sizes: (kinds,) how many values each code has.
    """
    result, place = zeros_on_disk(int(sizes.sum()), dtype, folder), np.cumsum(sizes) - sizes
    for values, codes in blocks:
        counts = np.bincount(codes, minlength=len(sizes))
        offset = np.repeat(place - (np.cumsum(counts) - counts), counts)
        result[offset + np.arange(len(codes))] = values[np.argsort(codes, kind="stable")]
        place += counts
    return result


@dataclass(frozen=True)
class Texts:
    """A column of texts that repeat: its `names` (k,) str, sorted, and `codes` (n,) int32, the name of each record.

    A name may be left of which there is no record any more.
    """

    names: np.ndarray
    codes: np.ndarray

    @classmethod
    def of(cls, blocks: Callable[[], Iterable[np.ndarray]], folder: Path | None = None) -> Texts:
        """The column whose texts come in blocks (rows,) str, which are read twice."""
        names = np.array(sorted({text for block in blocks() for text in np.unique(block).tolist()}), str)
        return cls(names, on_disk((np.searchsorted(names, block) for block in blocks()), np.int32, folder))

    def __len__(self) -> int:
        """How many records there are."""
        return len(self.codes)

    def __getitem__(self, rows: int | slice | np.ndarray) -> np.ndarray:
        """The texts of these rows, (rows,) str."""
        return self.names[self.codes[rows]]

    def counts(self, where: np.ndarray | None = None) -> np.ndarray:
        """How many records have each name, (k,) int64; `where` (n,) bool: of those alone."""
        return count_codes(self.codes, len(self.names), where)

    def used(self, where: np.ndarray | None = None) -> np.ndarray:
        """The names that records have, (u,) str; `where` (n,) bool: those alone."""
        return self.names[self.counts(where) > 0]

    def isin(self, names: np.ndarray) -> np.ndarray:
        """Whether each record has one of these names, (n,) bool."""
        return take(np.isin(self.names, names), self.codes)

    def with_one_name_in(self, other: Texts) -> dict[str, str]:
        """The names all of whose records have one name in the other column, too, each with that name; "" is none."""
        lowest, highest = np.full(len(self.names), len(other.names)), np.full(len(self.names), -1)
        for rows in row_blocks(len(self)):
            np.minimum.at(lowest, self.codes[rows], other.codes[rows])
            np.maximum.at(highest, self.codes[rows], other.codes[rows])
        of_one = np.flatnonzero(lowest == highest)
        return {str(self.names[code]): str(name) for code in of_one if (name := other.names[lowest[code]])}

    def select(self, mask: np.ndarray, folder: Path | None = None) -> Texts:
        """The texts of the records of which the mask (n,) is true."""
        return Texts(self.names, select_on_disk(self.codes, mask, folder))

    def append(self, more: Texts, folder: Path | None = None) -> Texts:
        """These texts and then `more`."""
        names = np.unique(np.concatenate([self.names, more.names]))
        parts = ((np.searchsorted(names, texts.names), texts.codes) for texts in (self, more))
        blocks = (number[codes[rows]] for number, codes in parts for rows in row_blocks(len(codes)))
        return Texts(names, on_disk(blocks, np.int32, folder))


def select_on_disk(column: np.ndarray, mask: np.ndarray, folder: Path | None = None) -> np.ndarray:
    """The values of a column (n,) of which the mask (n,) is true, on disk."""
    return on_disk((column[rows][mask[rows]] for rows in row_blocks(len(mask))), column.dtype, folder)
