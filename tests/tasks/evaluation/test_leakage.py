"""The leakage certificate: clean where it is clean, and every way to leak is found, one by one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from support.inspected_parts import banked, configured, inspected, pairs_within, split_stage, wide_triplets

from tasks.data import columns
from tasks.data.bank import load_bank
from tasks.data.split import PARTS
from tasks.evaluation import leakage
from tasks.evaluation.leakage import leakage_report, training_records_only
from tasks.evaluation.leakage_report import LeakageReport, LinkedComponents, NamedGroups
from tasks.model.classifier import raw_map_baseline
from tasks.model.distances import distance
from tasks.report.translation import translator

FACTS = {"split_by": "record", "dropped_contradictory": 3, "test_in_train": 2, "records": {}}


def refit(bank):
    """The raw map's classifier of a bank."""
    return raw_map_baseline(distance("euclidean"), bank)


def certified(bank, judged_by=None, facts=FACTS):
    return leakage_report(bank, bank, refit(judged_by or bank), refit, facts)


@pytest.fixture
def bank():
    return banked(inspected(modes=3, each=40))


def test_a_clean_bank_is_certified(bank):
    found = certified(bank)
    assert found.verdict == "No record is in more than one part."
    assert (found.leaks, found.cuts) == ((), ())
    assert len(found.overlaps) == 6
    assert all(pair.records == 0 for pair in found.overlaps)
    assert found.anchors.equal
    assert found.prototypes.equal
    assert found.dropped == {"dropped_contradictory": 3, "test_in_train": 2}


def test_a_record_on_two_sides_is_found_by_its_values_whatever_its_hash_says(bank):
    maps = bank.maps.copy()
    maps[bank.rows("test")[0]] = maps[bank.rows("train")[0]]
    found = certified(replace(bank, maps=maps))
    assert next(pair for pair in found.overlaps if pair.parts == ("train", "test")).records == 1
    assert "1 records are in more than one part" in found.leaks
    assert "1 records do not match their hashes" in found.leaks
    assert found.verdict.startswith("The test is not clean")


def test_the_report_does_not_depend_on_the_blocks(bank, monkeypatch):
    """Of a bank with records, groups, components and a triplet on two sides."""
    test, train = bank.rows("test"), bank.rows("train")
    maps, rows = bank.maps.copy(), bank.triplets["stop"].copy()
    maps[test[:2]], rows[-1, 2] = maps[train[-2:]], test[0]
    count = np.arange(len(maps))
    names = {"group": np.where(count % 3, "", [f"L{i % 7}" for i in count]), "component": count // 4}
    leaky = replace(bank, maps=maps, triplets={**bank.triplets, "stop": rows}, **names)
    whole = certified(leaky, judged_by=bank)
    assert (len(whole.leaks), whole.groups.on_two_sides, whole.components.on_two_sides > 5) == (3, 7, True)
    monkeypatch.setattr(columns, "BLOCK_ROWS", 7)
    monkeypatch.setattr(leakage, "MAPS_PER_BLOCK", 5)
    assert certified(leaky, judged_by=bank) == whole


def test_anchors_of_all_records_are_found():
    part = inspected(modes=3, each=40)
    found = certified(banked(part, leak=True), banked(part))
    assert not found.anchors.equal
    assert found.leaks == ("the anchors are not the means of the training records",)


def test_the_difference_is_relative_to_the_largest_value(bank):
    found = certified(replace(bank, anchors=bank.anchors * np.float32(1.001)), judged_by=bank)
    assert found.anchors.largest_difference == pytest.approx(0.001, rel=0.01)
    assert np.abs(bank.anchors).max() > 2


def test_prototypes_that_saw_other_records_are_found(bank):
    seen = np.where(bank.part == PARTS.index("test"), np.int8(0), bank.part)
    peeking = replace(bank, part=seen)
    found = certified(bank, judged_by=replace(peeking, anchors=training_records_only(peeking, peeking).anchors))
    assert found.leaks == ("the prototypes are not those of the training records",)
    assert found.prototypes.digest != certified(bank).prototypes.digest


def test_a_triplet_that_reaches_into_another_part_is_found(bank):
    rows = bank.triplets["stop"].copy()
    rows[0, 2] = bank.rows("test")[0]
    found = certified(replace(bank, triplets={**bank.triplets, "stop": rows}))
    assert found.leaks == ("1 triplets cross the split",)


def test_groups_on_two_sides_are_cut_and_named(bank):
    lots = np.array([f"L{i % 4}" for i in range(len(bank.maps))])
    found = certified(replace(bank, group=lots))
    assert found.groups == NamedGroups(4, 4, ("L0", "L1", "L2", "L3"))
    assert "4 of 4 groups are in more than one part: split by record" in found.verdict
    stored = json.loads(json.dumps(found.as_json()))
    assert LeakageReport.from_json(stored) == found
    read = translator("ja")(LeakageReport.from_json(stored).verdict)
    assert (
        read == "複数の部分に含まれる記録はないが、4 グループ中 4 グループが複数の部分に含まれる。分割の単位: record。"
    )
    assert LeakageReport.from_json({**stored, "verdict_code": None}).verdict == found.verdict  # of an older release
    whole = certified(replace(bank, group=np.array([f"P{code}" for code in bank.part])))
    assert whole.verdict == "No record or group is in more than one part."


def test_components_of_a_wide_source_stay_whole_and_are_counted(tmp_path):
    """Triplets within blocks of 12 records: each block is a component at most, and stands on one side."""
    part = inspected(modes=3, each=60)
    blocks = np.arange(len(part)) // 12
    config = configured(tmp_path)
    stage = split_stage(wide_triplets(part, pairs_within(part, blocks, 900)), tmp_path, config)
    found = certified(load_bank(stage.path), facts=stage.facts)
    assert found.components == LinkedComponents(count=15, largest=12, records=180, linked=15, on_two_sides=0)
    assert found.verdict == "No record or component is in more than one part."


def test_one_giant_component_is_told(tmp_path):
    part = inspected(modes=3, each=60)
    pairs = pairs_within(part, np.zeros(len(part), int), 900)
    stage = split_stage(wide_triplets(part, pairs), tmp_path, configured(tmp_path))
    found = certified(load_bank(stage.path), facts=stage.facts)
    assert found.components.largest == 180
    assert found.leaks == ()
    assert "1 of 1 components of linked records are in more than one part; the largest holds 180" in found.verdict


def test_records_without_a_group_are_no_group_on_two_sides(bank):
    lots = np.where(np.arange(len(bank.maps)) % 2, "", [f"P{code}" for code in bank.part])
    found = certified(replace(bank, group=lots))
    assert [pair.groups for pair in found.overlaps] == [0] * 6
    assert found.groups.on_two_sides == 0


def test_a_positive_from_another_part_crosses_the_split(bank):
    rows = bank.triplets["stop"].copy()
    rows[:2, 1] = bank.rows("test")[0]
    assert certified(replace(bank, triplets={**bank.triplets, "stop": rows})).leaks == ("2 triplets cross the split",)


def test_a_split_by_groups_is_not_blamed_for_components(bank):
    """The groups say what belongs together; what links their records was known when they were named."""
    linked = replace(bank, component=np.zeros(len(bank.maps), np.int64))
    assert certified(linked).cuts
    named = replace(linked, group=np.array([f"P{code}" for code in bank.part]))
    assert (certified(named).cuts, certified(named).verdict) == ((), "No record or group is in more than one part.")


def test_near_copies_of_training_records_in_the_test_are_counted(bank):
    """A test record that was saved in another precision has another hash."""
    assert certified(bank).cuts == ()
    maps = bank.maps.copy()
    train, test = bank.rows("train"), bank.rows("test")
    maps[test[:3]] = maps[train[:3]] + 0.001
    hashes = np.array([hashlib.blake2b(row, digest_size=16).hexdigest() for row in maps], "S32")
    report = certified(replace(bank, maps=maps, hash=hashes))
    (cut,) = report.cuts
    assert cut.startswith(f"3 of {len(test)} test records are near copies of training records")
    assert report.leaks == ()
    assert report.verdict.startswith("No record is in more than one part, but 3 of")
