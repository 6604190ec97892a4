"""A judgement on a sample: small sets whole, large ones by their hashes, rare modes kept to train on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from support import inspected_parts as parts
import pytest

from tasks.data.bank import Bank
from tasks.config.run import EvaluateConfig
from tasks.evaluate import evaluate
from tasks.data.split import PARTS
from tasks.data.bank_variants import sampled_share, subsample
from tasks.train import train


def banked(records: int) -> Bank:
    """Ten records of a rare mode in every hundred, and parts dealt out in turn."""
    rng = np.random.default_rng(0)
    mode = (np.arange(records) % 100 < 10).astype(np.int32)
    part = np.where(np.arange(records) % 20 < 13, 0, np.arange(records) % 20 - 12).clip(0, 3).astype(np.int8)
    hashes = np.array([rng.bytes(16).hex() for _ in range(records)], "S32")
    rows = {name: np.flatnonzero(part == code) for code, name in enumerate(PARTS)}
    triplets = {name: np.column_stack([mode[own], own, np.roll(own, 1)]).astype(np.int32) for name, own in rows.items()}
    maps = np.arange(records, dtype=np.float32)[:, None] * np.ones(3, np.float32)
    named = (hashes, np.full(records, ""), ["0", "1"], triplets)
    return Bank(maps, maps[:2], mode, mode == 0, part, *named)


def test_a_small_bank_is_judged_whole():
    bank = banked(300)
    assert subsample(bank, 300) is bank
    assert sampled_share(bank, bank) is None


def test_a_large_bank_keeps_the_shares_of_its_parts_and_every_rows_own_values():
    bank = banked(40_000)
    found = subsample(bank, 4_000)
    assert sampled_share(found, bank) == {"records": len(found.hash), "of": 40_000}
    for part in PARTS[1:]:
        assert len(found.rows(part)) == pytest.approx(len(bank.rows(part)) / 10, abs=1)
        rare = [one.mode[one.rows(part)].mean() for one in (found, bank)]
        assert rare[0] == pytest.approx(rare[1], abs=0.05)
    back = found.maps[:, 0].astype(int)
    for name in ("mode", "good", "part", "hash"):
        assert np.array_equal(getattr(found, name), getattr(bank, name)[back])
    for part, own in found.triplets.items():
        assert len(own)
        assert {tuple(one) for one in back[own[:, 1:]]} <= {tuple(one) for one in bank.triplets[part][:, 1:]}


def test_rare_modes_keep_a_thousand_records_to_train_on():
    bank = banked(40_000)
    found = subsample(bank, 1_000)
    train = found.mode[found.rows("train")]
    assert [int((train == code).sum()) for code in (0, 1)] == [1_000, 1_000]


def test_what_was_drawn_is_drawn_again_when_records_are_added():
    """Twice the records, half the share: of the old ones, those drawn now were drawn before."""
    bank = banked(20_000)
    before, after = subsample(banked(40_000), 8_000), subsample(bank, 4_000)
    held = [set(one.hash[one.part == 3].tolist()) for one in (before, after)]
    shared = held[0] & set(bank.hash.tolist())
    assert len(shared & held[1]) > 0.9 * len(shared)


def test_the_report_says_how_many_of_how_many_are_judged(tmp_path):
    """And the certificate still looks at every record."""
    stage = parts.split_stage(parts.map_column(parts.inspected(modes=3, each=500)), tmp_path)
    config = parts.configured(tmp_path, evaluate=EvaluateConfig(most_records=1000, bootstrap=100))
    model = train(stage, config)
    told = {"source": "parts", "kind": "folder", "revision": "0" * 40, "records": 1500, "modes": 3}
    facts = {"train": {**told, "source_kind": "map", "triplets": 1}, "test": None, "changes": None}
    made = evaluate(stage, model, config, None, facts, ())
    report = json.loads((Path(made.path) / "report.json").read_text())
    assert report["judged"]["of"] == 1500
    assert report["figures"]["records"] < 200
    assert report["certificate"]["leaks"] == []
    assert "records are judged, drawn at random" in (Path(made.path) / "report.html").read_text()
    with np.load(Path(made.path) / "split.npz", allow_pickle=False) as split:
        assert len(split["hash"]) == 1500  # all that the release has seen, though not all were judged
    whole = evaluate(stage, model, replace(config, evaluate=EvaluateConfig(bootstrap=100)), None, facts, ())
    assert json.loads((Path(whole.path) / "report.json").read_text())["judged"] is None
