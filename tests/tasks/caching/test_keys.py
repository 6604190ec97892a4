"""Keys of tables: compared range by range of the hashes, they say what a dictionary of all records would say."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tasks.caching import keys
from tasks.caching.keys import compare_tables, write_keys

PAIRS = [("0", "0"), ("1", "1"), ("1", "2"), (None, "1"), ("2", None)]


def written(folder: Path, hashes: list[bytes], code: list[int], contradicted: list[bool] | None = None) -> np.ndarray:
    """The keys of a table with these rows."""
    marks = np.zeros(len(code) + 3, bool)  # as in a table whose arrays are longer than its rows
    marks[: len(code)] = contradicted or False
    write_keys(folder / "keys.npy", hashes, np.array([*code, 9, 9, 9], np.int32), marks)
    return np.load(folder / "keys.npy", mmap_mode="r")


def test_keys_are_sorted_by_hash_and_name_their_rows(tmp_path):
    hashes = [bytes([value] * 16) for value in (200, 3, 255, 0)]
    table = written(tmp_path, hashes, [0, 1, -1, 2])
    assert table["row"].tolist() == [3, 1, 0]  # the third has no complete map
    assert table["code"].tolist() == [2, 1, 0]
    assert [int(high).to_bytes(8, "big") for high in table["high"]] == [hashes[i][:8] for i in (3, 1, 0)]


@pytest.mark.parametrize("range_keys", [1, 7, 1000])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_all_tables_are_compared_as_one(tmp_path, monkeypatch, range_keys, seed):
    monkeypatch.setattr(keys, "RANGE_KEYS", range_keys)
    rng = np.random.default_rng(seed)
    known = [rng.bytes(16) for _ in range(60)] + [bytes(16), bytes(15) + b"\x01", b"\xff" * 16]
    tables, pairs, left_out = [], [], []
    first: dict[bytes, tuple] = {}
    contradictory = set()
    for number in range(5):
        own = [PAIRS[i] for i in rng.permutation(len(PAIRS))]
        hashes = [known[i] for i in rng.permutation(len(known))[: rng.integers(0, 50)]]
        code, marks = rng.integers(0, len(PAIRS), len(hashes)).tolist(), (rng.random(len(hashes)) < 0.1).tolist()
        tables.append(written(tmp_path, hashes, code, marks))
        pairs.append(own)
        for row, key in enumerate(hashes):
            if key in first:
                left_out.append([number, row])
            if first.setdefault(key, own[code[row]]) != own[code[row]] or marks[row]:
                contradictory.add(key)
        (tmp_path / "keys.npy").rename(tmp_path / f"{number}.npy")
    compared = compare_tables(tables, pairs)
    assert compared.left_out.tolist() == left_out
    assert sorted(compared.records.contradictory) == sorted(contradictory)
    assert compared.records.every == Counter(first.values())
    assert compared.records.consistent == Counter(pair for key, pair in first.items() if key not in contradictory)


def test_no_records_at_all(tmp_path):
    compared = compare_tables([written(tmp_path, [], [])], [[]])
    assert (compared.records.distinct, compared.left_out.shape) == (0, (0, 2))
