"""The record bank of a release is found among the stages, and one that is gone is named with what makes it again."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from support.releases import NO_DRAFTS

from tasks.core.errors import MissingStage
from tasks.registry import record_bank
from tasks.registry.record_bank import RecordKeys, load_record_bank
from tasks.registry.release_files import SplitRecords


def test_the_bank_holds_the_records_that_the_release_was_made_with(small_line, small_release):
    bank = load_record_bank(small_release, small_line.data_path, "a test")
    assert np.array_equal(bank.hash, SplitRecords.load(small_release.path).hash)


def test_a_bank_that_is_gone_or_damaged_is_named(small_line, small_release, tmp_path):
    with pytest.raises(MissingStage, match=r"v1: expected its record bank in .*/triplets-\w+, found none; it is"):
        load_record_bank(small_release, tmp_path, "a test")
    data = Path(shutil.copytree(small_line.data_folder, tmp_path / "data", ignore=NO_DRAFTS))
    (folder,) = (data / "stages").glob("triplets-*")
    (folder / "anchors.npy").write_bytes(b"")
    with pytest.raises(MissingStage, match=f"needed for a test, and kensa reproduce v1 --data {data} makes it again"):
        load_record_bank(small_release, data, "a test")


@pytest.mark.parametrize("block", [3, 1 << 16])
def test_keys_are_found_as_in_a_set(monkeypatch, block):
    monkeypatch.setattr(record_bank, "BLOCK_HASHES", block)
    rng = np.random.default_rng(0)
    known = [rng.bytes(16) for _ in range(50)]
    known += [known[0][:8] + rng.bytes(8) for _ in range(4)] + [bytes(16), b"\xff" * 16]
    others = [rng.bytes(16) for _ in range(20)] + [known[0][:8] + bytes(8), bytes(15) + b"\x01"]
    chosen = rng.random(len(known)) < 0.7
    keys = RecordKeys(np.array([key.hex() for key in known], "S32"), chosen)
    expected = {key for key, is_chosen in zip(known, chosen, strict=True) if is_chosen}
    wanted = [*known, *others]
    assert keys.contain(wanted).tolist() == [key in expected for key in wanted]
    assert len(keys) == len(expected)
    stored = np.array([key.hex() for key in wanted], "S32")
    rows = {key: row for row, key in enumerate(known) if key in expected}
    assert keys.find(stored).tolist() == [rows.get(key, -1) for key in wanted]
    assert RecordKeys(np.array([key.hex() for key in known], "S32")).contain(known).all()


@pytest.mark.parametrize("block", [1, 3, 1 << 16])
def test_repeated_hashes_are_numbered(monkeypatch, block):
    monkeypatch.setattr(record_bank, "BLOCK_HASHES", block)
    hashes = np.array([f"{code:032x}" for code in (5, 1, 5, 9, 7, 5, 7)], "S32")
    rows, code = RecordKeys(hashes).repeated()
    assert sorted(zip(code.tolist(), rows.tolist(), strict=True)) == [(0, 0), (0, 2), (0, 5), (1, 4), (1, 6)]
    assert [array.tolist() for array in RecordKeys(hashes[:2]).repeated()] == [[], []]


def test_no_keys():
    keys = RecordKeys(np.empty(0, "S32"))
    assert keys.contain([bytes(16)]).tolist() == [False]
    assert keys.contain([]).tolist() == []
