"""The record bank of a release is found among the stages, and one that is gone is named with what makes it again."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tasks.core.errors import MissingStage
from tasks.registry.record_bank import load_record_bank
from tasks.registry.release_files import SplitRecords


def test_the_bank_holds_the_records_that_the_release_was_made_with(small_line, small_release):
    bank = load_record_bank(small_release, small_line.data_path, "a test")
    assert np.array_equal(bank.hash, SplitRecords.load(small_release.path).hash)


def test_a_bank_that_is_gone_or_damaged_is_named(small_line, small_release, tmp_path):
    with pytest.raises(MissingStage, match=r"v1: expected its record bank in .*/triplets-\w+, found none; it is"):
        load_record_bank(small_release, tmp_path, "a test")
    data = Path(shutil.copytree(small_line.data_folder, tmp_path / "data"))
    (folder,) = (data / "stages").glob("triplets-*")
    (folder / "anchors.npy").write_bytes(b"")
    with pytest.raises(MissingStage, match=f"needed for a test, and kensa reproduce v1 --data {data} makes it again"):
        load_record_bank(small_release, data, "a test")
