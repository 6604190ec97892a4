"""The keys of the tables of a cache, and their comparison: which records repeat, and which contradict each other.

The keys of a table are sorted by hash. All tables are compared range by range of the hashes, each range with at most
about RANGE_KEYS keys, so that memory does not grow with the records.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.data.checks import LabelAndMode, RecordCounts

# high, low: the two halves of a record's hash; row: in its table; code: of label and mode; contradicted: in its table
KEY = np.dtype([("high", "<u8"), ("low", "<u8"), ("row", "<u4"), ("code", "<u4"), ("contradicted", "?")])
RANGE_KEYS = 1 << 18


def write_keys(path: Path, hashes: Sequence[bytes], code: np.ndarray, contradicted: np.ndarray) -> None:
    """Write the keys of a table's rows, sorted by hash, without rows whose code is negative.

    hashes: (n,) of 16 bytes; code, contradicted: (n,) or longer.
    """
    halves = np.frombuffer(b"".join(hashes), ">u8").reshape(-1, 2)
    keys = np.empty(len(halves), KEY)
    keys["high"], keys["low"], keys["row"] = halves[:, 0], halves[:, 1], np.arange(len(halves))
    keys["code"], keys["contradicted"] = code[: len(halves)], contradicted[: len(halves)]
    complete = keys[code[: len(halves)] >= 0]
    np.save(path, complete[np.lexsort((complete["low"], complete["high"]))])


@dataclass(frozen=True)
class Comparison:
    """The records of all tables together, and the rows that repeat one of an earlier table.

    left_out: (k, 2) int64, table and row, ascending.
    """

    records: RecordCounts
    left_out: np.ndarray


def compare_tables(tables: Sequence[np.ndarray], pairs: Sequence[Sequence[LabelAndMode]]) -> Comparison:
    """Compare tables of KEY, which may be memory-mapped, in the order of the source.

    pairs: for each table, the label and mode that its codes stand for.
    """
    every = list(dict.fromkeys(pair for table in pairs for pair in table))
    code_of = {pair: code for code, pair in enumerate(every)}
    translation = [np.array([code_of[pair] for pair in table], np.int64) for table in pairs]
    counts, left_out = np.zeros((2, len(every)), np.int64), [np.empty((0, 2), np.int64)]
    contradictory: list[bytes] = []
    for table, keys, code in _ranges(tables, translation):
        first, run = _runs(keys)
        several = np.bincount(run, weights=keys["contradicted"] | (code != code[first][run])) > 0
        repeats = np.ones(len(keys), bool)
        repeats[first] = False
        left_out.append(np.stack([table[repeats], keys["row"][repeats]], axis=1).astype(np.int64))
        counts[0] += np.bincount(code[first], minlength=len(every))
        counts[1] += np.bincount(code[first[~several]], minlength=len(every))
        contradictory += _hashes(keys[first[several]])
    rows = np.concatenate(left_out)
    counters = [{pair: int(n) for pair, n in zip(every, row, strict=True) if n} for row in counts]
    records = RecordCounts(contradictory=contradictory)
    records.every.update(counters[0])
    records.consistent.update(counters[1])
    return Comparison(records, rows[np.lexsort((rows[:, 1], rows[:, 0]))])


def _ranges(
    tables: Sequence[np.ndarray], translation: Sequence[np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Table (n,), keys (n,) and code of label and mode (n,) of each range of hashes, sorted by hash and table."""
    count = max(1, -(-sum(map(len, tables)) // RANGE_KEYS))
    edges = np.array([2**64 * i // count for i in range(1, count)], np.uint64)
    bounds = [[0, *np.searchsorted(keys["high"], edges), len(keys)] for keys in tables]
    for i in range(count):
        pieces = [keys[cut[i] : cut[i + 1]] for keys, cut in zip(tables, bounds, strict=True)]
        keys, table = np.concatenate(pieces), np.repeat(np.arange(len(tables)), list(map(len, pieces)))
        code = np.concatenate([new[piece["code"]] for piece, new in zip(pieces, translation, strict=True)])
        order = np.lexsort((keys["low"], keys["high"]))  # stable: the first occurrence stays the first
        if len(keys):
            yield table[order], keys[order], code[order]


def _runs(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each distinct hash begins among sorted keys, (runs,), and the run (n,) of each key."""
    changes = (keys["high"][1:] != keys["high"][:-1]) | (keys["low"][1:] != keys["low"][:-1])
    begins = np.concatenate([[True], changes])
    return np.flatnonzero(begins), np.cumsum(begins) - 1


def _hashes(keys: np.ndarray) -> list[bytes]:
    halves = np.stack([keys["high"], keys["low"]], axis=1).astype(">u8")
    return [half.tobytes() for half in halves]
