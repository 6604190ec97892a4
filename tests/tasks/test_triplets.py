"""The step `triplets`: split first, anchors from training records alone, everything dropped is counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support import inspected_parts as parts

from flows.ui.markdown import split_text
from tasks.cache import cache
from tasks.config.run import SplitConfig, TripletsConfig
from tasks.core.errors import UnfitData
from tasks.core.facts import BankFacts
from tasks.core.results import Stage
from tasks.data import columns, records, sampling
from tasks.data.bank import Bank, load_bank
from tasks.data.listing import DECIDED_FILE
from tasks.data.split import PARTS, linked_components
from tasks.download import download, resolve
from tasks.sources.decided_labels import DecidedLabel, write_decided
from tasks.triplets import natural_order, triplets


def make_bank(table: pa.Table, folder: Path, **changes: object) -> tuple[Bank, dict]:
    stage = parts.split_stage(table, folder, parts.configured(folder, **changes))
    return load_bank(stage.path), stage.facts


def held_out(train: pa.Table, test: pa.Table, folder: Path) -> Stage:
    config = parts.configured(folder)
    return triplets(parts.cached(train, folder, config), parts.cached(test, folder, config, "test"), config)


def joined(*some: parts.Parts) -> parts.Parts:
    return parts.Parts(*(np.concatenate([getattr(component, name) for component in some]) for name in vars(some[0])))


@pytest.fixture
def part() -> parts.Parts:
    return parts.inspected(modes=3, each=20)


def test_every_record_is_in_one_part_and_every_triplet_valid(tmp_path, part):
    bank, facts = make_bank(parts.map_column(part), tmp_path)
    np.testing.assert_array_equal(bank.maps, part.maps)
    assert sorted(row for name in PARTS for row in bank.rows(name)) == list(range(60))
    assert facts["split_by"] == "record"
    for name in PARTS:
        anchor, positive, negative = bank.triplets[name].T
        assert len(anchor) == facts[f"triplets_{name}"] == 2 * len(bank.rows(name))
        np.testing.assert_array_equal(bank.mode[positive], anchor)
        assert (bank.mode[negative] != anchor).all()
        assert np.isin(bank.triplets[name][:, 1:], bank.rows(name)).all()


def test_anchors_are_means_of_training_records_alone(tmp_path, part):
    """And the judged records are not in them: the bank of a set without its test records has the same anchors."""
    bank, _ = make_bank(parts.map_column(part), tmp_path)
    for mode in range(3):
        of_mode = part.maps[(part.mode == mode) & (bank.part == 0)]
        np.testing.assert_allclose(bank.anchors[mode], of_mode.mean(axis=0), rtol=1e-6)
        assert np.abs(bank.anchors[mode] - part.maps[part.mode == mode].mean(axis=0)).max() > 1e-3


def test_the_same_input_gives_the_same_bank_and_is_reused(tmp_path, part):
    table = parts.map_column(part)
    first, second = parts.split_stage(table, tmp_path / "a"), parts.split_stage(table, tmp_path / "b")
    assert first.digest == second.digest
    assert first.facts["files"] == second.facts["files"]
    again = parts.split_stage(table, tmp_path / "a")
    assert again.reused
    assert again.path == first.path


@pytest.mark.parametrize("source", ["records", "lots", "triplets"])
def test_what_is_stored_does_not_depend_on_how_much_is_worked_on_at_once(tmp_path, monkeypatch, source):
    part = parts.inspected(modes=3, each=24, groups=8 if source == "lots" else 0)
    if source == "lots":
        part.group[::5] = ""
    pairs = parts.pairs_within(part, np.zeros(72, int), 400)
    table = parts.wide_triplets(part, pairs) if source == "triplets" else parts.map_column(part)
    whole = parts.split_stage(table, tmp_path / "whole")
    for module, name, rows in (
        (columns, "BLOCK_ROWS", 7),
        (sampling, "BLOCK_TRIPLETS", 11),
        (records, "BATCH_TEXTS", 5),
    ):
        monkeypatch.setattr(module, name, rows)
    assert parts.split_stage(table, tmp_path / "blocks").facts["files"] == whole.facts["files"]


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 7},
        {"split": SplitConfig(train=0.5)},
        {"triplets": TripletsConfig(per_record=3)},
        {"data": replace(parts.DATA, good="1")},
    ],
    ids=str,
)
def test_every_setting_that_it_reads_gives_another_bank(tmp_path, part, change):
    table = parts.map_column(part)
    plain = parts.split_stage(table, tmp_path)
    other = parts.split_stage(table, tmp_path, parts.configured(tmp_path, **change))
    assert other.digest != plain.digest
    assert other.facts["files"] != plain.facts["files"]


@pytest.mark.parametrize("wide", [False, True], ids=["records", "triplets"])
def test_groups_stay_on_one_side(tmp_path, wide):
    part = parts.inspected(modes=3, each=24, groups=8)
    pairs = parts.pairs_within(part, np.zeros(72, int), 400)
    bank, facts = make_bank(parts.wide_triplets(part, pairs) if wide else parts.map_column(part), tmp_path)
    assert facts["split_by"] == "group"
    sides = [set(bank.part[bank.group == name]) for name in np.unique(bank.group)]
    assert [len(side) for side in sides] == [1] * 8
    assert sum(facts["groups"].values()) == 8
    assert (facts["triplets_crossing"] > 0) == wide


def test_records_without_a_group_are_their_own(tmp_path):
    part = parts.inspected(modes=3, each=24, groups=8)
    part.group[part.group > "L5"] = ""
    bank, facts = make_bank(parts.map_column(part), tmp_path)
    assert facts["split_by"] == "group"
    assert len(set(bank.part[bank.group == ""])) == 4
    assert sum(facts["groups"].values()) == 6


def test_too_few_groups_are_told(tmp_path):
    _, facts = make_bank(parts.map_column(parts.inspected(modes=3, each=24, groups=3)), tmp_path)
    assert facts["split_by"] == "record (fewer than 4 groups)"


def test_small_components_of_a_wide_set_stay_whole(tmp_path):
    part = parts.inspected(modes=3, each=24)
    blocks = np.arange(72) // 6
    pairs = parts.pairs_within(part, blocks, 600)
    bank, facts = make_bank(parts.wide_triplets(part, pairs), tmp_path)
    assert (facts["split_by"], facts["triplets_crossing"]) == ("component", 0)
    assert sum(facts[f"triplets_{name}"] for name in PARTS) == facts["triplets_brought"] == 600
    linked = linked_components(72, np.concatenate([bank.triplets[name][:, 1:] for name in PARTS]))
    assert all(len(set(bank.part[linked == component])) == 1 for component in set(linked))


def test_a_giant_component_is_cut_and_the_cut_counted(tmp_path):
    part = parts.inspected(modes=3, each=24)
    table = parts.wide_triplets(part, parts.pairs_within(part, np.zeros(72, int), 500))
    bank, facts = make_bank(table, tmp_path)
    assert facts["split_by"] == "record (one giant component)"
    assert 100 < facts["triplets_crossing"] == facts["triplets_replaced"] < 400
    assert sum(facts[f"triplets_{name}"] for name in PARTS) == 500
    for name in PARTS:
        assert np.isin(bank.triplets[name][:, 1:], bank.rows(name)).all()
        assert (bank.mode[bank.triplets[name][:, 2]] != bank.triplets[name][:, 0]).all()
    _, dropped = make_bank(table, tmp_path, triplets=TripletsConfig(replace_crossing=False))
    assert (dropped["triplets_crossing"], dropped["triplets_replaced"]) == (facts["triplets_crossing"], 0)
    assert dropped["triplets_train"] < facts["triplets_train"]


def test_a_few_large_components_do_not_stop_the_run(tmp_path):
    """Three components, four parts: splitting by component would leave one empty."""
    part = parts.inspected(modes=3, each=24)
    pairs = parts.pairs_within(part, np.arange(72) // 24, 600)
    _, facts = make_bank(parts.wide_triplets(part, pairs), tmp_path)
    assert facts["split_by"] == "record (fewer than 4 components)"
    assert facts["triplets_crossing"] > 0


def test_brought_anchors_are_compared_and_not_used(tmp_path):
    part = parts.inspected(modes=3, each=24)
    pairs = parts.pairs_within(part, np.zeros(72, int), 500)
    table = parts.wide_triplets(part, pairs)
    bank, facts = make_bank(table, tmp_path / "a")
    difference = facts["brought_anchors"]
    assert difference["count"] == 3
    assert 0 < difference["median_difference"] < difference["largest"] < 0.2
    other = pa.table({n: table[n].to_numpy() + 50 * n.startswith("arch") for n in table.column_names})
    strange, far = make_bank(other, tmp_path / "b")
    np.testing.assert_array_equal(strange.anchors, bank.anchors)
    assert far["brought_anchors"]["median_difference"] > 10


def test_a_mode_whose_mean_is_zero_has_an_anchor_too(tmp_path):
    """A perfect part's map is all zeros; the comparison with its anchor must stay a number."""
    part = parts.inspected(modes=3, each=24)
    part.maps[part.mode == 0] = 0
    part.maps[part.mode == 0, 0] = np.tile([-1, 1], 12) * np.arange(1, 25)
    part.maps[part.mode == 0, 0] -= part.maps[part.mode == 0, 0].mean()
    pairs = parts.pairs_within(part, np.arange(72) // 6, 600)
    bank, facts = make_bank(parts.wide_triplets(part, pairs), tmp_path)
    assert np.isfinite(facts["brought_anchors"]["largest"])
    assert np.isfinite(bank.anchors).all()


def test_contradictory_records_and_small_modes_are_dropped_and_counted(tmp_path, part):
    twin = part.take([3])
    twin.mode[:] = 2
    few = parts.inspected(modes=1, each=2, seed=9)
    few.mode[:] = 7
    bank, facts = make_bank(parts.map_column(joined(part, twin, few)), tmp_path)
    assert (facts["dropped_contradictory"], facts["dropped_small_modes"]) == (1, 2)
    assert bank.modes == ["0", "1", "2"]
    assert len(bank.maps) == 59
    np.testing.assert_array_equal(bank.maps, np.delete(part.maps, 3, axis=0))


def test_a_contradiction_can_make_a_mode_too_small(tmp_path, part):
    few = parts.inspected(modes=1, each=3, seed=9)
    few.mode[:] = 7
    twin = few.take([0])
    twin.label[:] = 1
    bank, facts = make_bank(parts.map_column(joined(part, few, twin)), tmp_path)
    assert (facts["dropped_contradictory"], facts["dropped_small_modes"]) == (1, 2)
    assert bank.modes == ["0", "1", "2"]


def test_triplets_of_dropped_records_are_counted(tmp_path):
    part = parts.inspected(modes=4, each=20)
    small = part.take([i for i in range(80) if part.mode[i] < 3 or i < 8])  # mode 3 keeps two records
    pairs = parts.pairs_within(small, np.zeros(len(small), int), 500)
    _, facts = make_bank(parts.wide_triplets(small, pairs), tmp_path)
    gone = int((small.mode[pairs] == 3).any(axis=1).sum())
    assert facts["dropped_small_modes"] == 2
    assert 0 < gone == facts["dropped_triplets"] == 500 - facts["triplets_brought"]


def test_a_separate_test_source_is_the_test(tmp_path, part):
    other = parts.inspected(modes=3, each=10, seed=5)
    stage = held_out(parts.map_column(part), parts.wide_records(other), tmp_path)
    bank = load_bank(stage.path)
    assert stage.facts["records"]["test"] == 30
    np.testing.assert_array_equal(bank.maps[bank.rows("test")], other.maps)
    train_side = sum(stage.facts["records"][name] for name in PARTS[:3])
    assert train_side == 60
    assert (bank.part[:60] != 3).all()


def test_records_of_both_sources_are_left_out_of_the_test_and_counted(tmp_path, part):
    other = parts.inspected(modes=3, each=10, seed=5)
    both = joined(other, part.take([0, 7, 31]))
    both.label[30] = both.mode[30] = 1  # known by its values, whatever it is called here
    stage = held_out(parts.map_column(part), parts.map_column(both), tmp_path)
    assert stage.facts["test_in_train"] == 3
    assert stage.facts["records"]["test"] == 30
    bank = load_bank(stage.path)
    assert len(set(bank.hash)) == len(bank.hash)


def test_a_test_source_that_is_mostly_trained_on_is_split_with_the_training_source(tmp_path):
    """As with triplets that were cut from the very records of the test set: four records would be left to test on."""
    both = parts.inspected(modes=3, each=60)
    inside = both.take([i for i in range(len(both)) if i % 45])
    pairs = parts.pairs_within(inside, np.zeros(len(inside), int), 900)
    stage = held_out(parts.wide_triplets(inside, pairs), parts.map_column(both), tmp_path)
    bank, facts = load_bank(stage.path), stage.facts
    assert facts["pooled"] == {"test_records": 180, "in_train": 176, "unshared": 4}
    assert sum(facts["records"].values()) == 180 == len(set(bank.hash))
    assert facts["records"]["test"] >= 20
    assert "test_in_train" not in facts
    assert BankFacts.from_json(facts).pooled == facts["pooled"]
    assert "176 of the test source's 180 records" in split_text(BankFacts.from_json(facts))


def test_records_that_two_pooled_sources_call_otherwise_are_left_out(tmp_path, part):
    other = part.take(np.arange(len(part)))
    other.label[:5] = other.mode[:5] = 1
    stage = held_out(parts.map_column(part), parts.map_column(other), tmp_path)
    assert stage.facts["pooled"]["unshared"] == 0
    assert stage.facts["dropped_contradictory"] == 3, "two of the five are of mode 1 in both"


def test_a_test_source_with_enough_of_its_own_is_not_pooled(tmp_path, part):
    other = parts.inspected(modes=3, each=40, seed=5)
    stage = held_out(parts.map_column(part), parts.map_column(joined(other, part)), tmp_path)
    assert "pooled" not in stage.facts
    assert (stage.facts["test_in_train"], stage.facts["records"]["test"]) == (60, 120)


def test_a_test_source_of_a_few_records_is_refused(tmp_path, part):
    with pytest.raises(UnfitData, match=r"enough to test on: 12 test records are left, 20 are needed"):
        held_out(parts.map_column(part), parts.map_column(parts.inspected(modes=3, each=4, seed=5)), tmp_path)


def test_unknown_modes_and_contradictions_of_the_test_source_are_counted(tmp_path, part):
    other = parts.inspected(modes=5, each=20, seed=5)
    twin = other.take([0])
    twin.label[:] = 1
    stage = held_out(parts.map_column(part), parts.map_column(joined(other, twin)), tmp_path)
    assert (stage.facts["test_unknown_mode"], stage.facts["test_contradictory"]) == (40, 1)
    assert stage.facts["records"]["test"] == 59
    assert load_bank(stage.path).modes == ["0", "1", "2"]


def test_modes_without_a_training_record_are_dropped_and_counted(tmp_path):
    """Mode 2 comes from one lot alone, and that lot is not in the training part: nothing can be learnt of it."""
    part = parts.inspected(modes=3, each=24, groups=8)
    alone = part.mode == 2
    for lot in [f"L{i}" for i in range(8)]:
        part.group[alone] = lot
        bank, facts = make_bank(parts.map_column(part), tmp_path)
        assert facts["dropped_untrained_mode"] == (24 if len(bank.modes) == 2 else 0)
        assert all(counts["train"] for counts in facts["modes"].values())


def test_too_little_data_is_told_before_training(tmp_path):
    part = parts.inspected(modes=2, each=3)
    with pytest.raises(UnfitData, match=r"enough to split: .*add more records"):
        make_bank(parts.map_column(part), tmp_path)
    assert [path.name for path in (tmp_path / "data" / "stages").iterdir()] == []


def test_modes_that_come_from_one_lot_each_are_told_with_their_lot(tmp_path):
    part = parts.inspected(modes=3, each=40)
    groups = np.array([f"rej{mode}" if mode else f"lot{i % 20}" for i, mode in enumerate(part.mode)])
    part = replace(part, group=groups)
    text = r"all records of mode 1 \(from rej1\), mode 2 \(from rej2\) come from one group, .* from other groups"
    with pytest.raises(UnfitData, match=text):
        make_bank(parts.map_column(part), tmp_path)


def test_the_summary_counts_what_the_bank_holds(tmp_path, part):
    bank, facts = make_bank(parts.map_column(part), tmp_path)
    for code, name in enumerate(PARTS):
        rows = bank.rows(name)
        assert facts["records"][name] == len(rows) == sum(counts[name] for counts in facts["modes"].values())
        assert facts["good"][name] == int((part.label[bank.part == code] == 0).sum())
    assert facts["values"] == 20


def test_modes_that_are_numbers_come_in_order():
    names = ["10", "2", "-1", "scratch", "0", "--5", "²", "1.5", "欠け", ""]
    assert sorted(names, key=natural_order)[:4] == ["-1", "0", "2", "10"]
    assert set(sorted(names, key=natural_order)[4:]) == {"--5", "²", "1.5", "scratch", "欠け", ""}


def test_the_bank_reads_no_pickle(tmp_path, part):
    stage = parts.split_stage(parts.map_column(part), tmp_path)
    np.save(Path(stage.path) / "anchors.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load_bank(stage.path)


def test_test_records_of_a_group_that_was_trained_on_are_left_out_and_counted(tmp_path):
    """Four groups in the training source; the test source holds two of them and one of its own."""
    config = parts.configured(tmp_path)
    train = parts.cached(parts.map_column(parts.inspected(3, 40, groups=4)), tmp_path, config)
    fresh = parts.inspected(3, 40, groups=4, seed=1)
    fresh = fresh.take(np.flatnonzero(np.isin(fresh.group, ["L0", "L1", "L2"])))
    named = replace(fresh, group=np.where(fresh.group == "L2", "other", fresh.group))
    stage = triplets(train, parts.cached(parts.map_column(named), tmp_path, config, name="held out"), config)
    of_mode = int((named.group == "other").sum())
    assert stage.facts["test_group_in_train"] == len(named) - of_mode
    assert stage.facts["records"]["test"] == of_mode


def test_a_record_of_both_sources_is_not_counted_as_one_of_a_known_group_too(tmp_path):
    config = parts.configured(tmp_path)
    part = parts.inspected(3, 40, groups=4)
    train = parts.cached(parts.map_column(part), tmp_path, config)
    fresh = parts.inspected(3, 40, groups=4, seed=1)
    both = joined(replace(fresh, group=np.full(len(fresh), "other")), part.take([0, 7, 31]))
    facts = triplets(train, parts.cached(parts.map_column(both), tmp_path, config, name="held out"), config).facts
    assert (facts["test_in_train"], facts["test_group_in_train"], facts["records"]["test"]) == (3, 0, len(fresh))


def with_decisions(part: parts.Parts, folder: Path, decided: list[DecidedLabel]) -> tuple[Bank, dict]:
    """The bank of a folder source beside which people's labels lie."""
    source = folder / "source"
    (source / DECIDED_FILE).parent.mkdir(parents=True)
    pq.write_table(parts.map_column(part), source / "table.parquet")
    write_decided(source / DECIDED_FILE, decided)
    config = parts.configured(folder)
    cached = cache(download(resolve(str(source), None, folder)), config.data, config.data_path)
    stage = triplets(cached, None, config)
    return load_bank(stage.path), stage.facts


def decision(values: np.ndarray, **changes: object) -> DecidedLabel:
    facts = {"label": "1", "mode": "1", "picked": "chosen", "new": True, "by": "M. Sato", "when": "2026-01-02"}
    return DecidedLabel(values, **facts | changes)


def part_of(bank: Bank, one: DecidedLabel) -> str | None:
    rows = np.flatnonzero(bank.hash == one.key.hex().encode())
    return PARTS[bank.part[rows[0]]] if len(rows) else None


def test_of_added_parts_only_random_ones_are_tested_on(tmp_path, part):
    added = [decision(part.maps[i] + 1, picked=picked) for i, picked in enumerate(("chosen", "random") * 6)]
    bank, facts = with_decisions(part, tmp_path, added)
    assert [part_of(bank, one) for one in added] == ["train", "test"] * 6
    assert facts["decided"] == {"changed": 0, "confirmed": 0, "added": 12, "people": 1, "random_test": 6, "left_out": 0}
    assert "6 randomly picked parts are in the test set" in split_text(BankFacts.from_json(facts))


def test_a_chosen_record_of_the_test_set_is_left_out_and_a_random_one_stays(tmp_path, part):
    plain, _ = make_bank(parts.map_column(part), tmp_path / "plain")
    chosen, picked = plain.maps[plain.rows("test")[:2]]
    same = {"mode": "0", "label": "0", "new": False}
    decided = [decision(chosen, **same), decision(picked, picked="random", **same)]
    trained = decision(plain.maps[plain.rows("train")[0]], **same)
    bank, facts = with_decisions(part, tmp_path, [*decided, trained])
    assert part_of(bank, decided[0]) is None
    assert facts["decided"]["left_out"] >= 1
    assert part_of(bank, decided[1]) in PARTS
    assert part_of(bank, trained) is not None


def test_a_new_lot_stays_together(tmp_path):
    part = parts.inspected(modes=3, each=24, groups=6)
    lots = {"a": ("chosen", "random"), "b": ("chosen", "chosen"), part.group[0]: ("random", "chosen")}
    added = [
        decision(part.maps[3 * number + i] + 1, picked=picked, group=lot)
        for number, (lot, both) in enumerate(lots.items())
        for i, picked in enumerate(both)
    ]
    bank, facts = with_decisions(part, tmp_path, added)
    where = PARTS[bank.part[bank.group == part.group[0]][0]]
    assert [part_of(bank, one) for one in added[:4]] == [None, "test", "train", "train"]
    assert part_of(bank, added[4]) == where
    for lot in np.unique(bank.group):
        assert len(set(bank.part[bank.group == lot].tolist())) == 1, "a lot is in one part of the split"
    assert facts["decided"]["random_test"] >= 1
