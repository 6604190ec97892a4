"""A model beside the champion: which one, what both say, and what labels tell of them later."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import binomtest
from support import inspected_parts as parts
from support.scored_parts import scored_batches

from tasks.core.errors import DamagedRelease
from tasks.core.results import PinnedSource
from tasks.promotion import shadow
from tasks.promotion.shadow import (
    SCHEMA,
    ShadowCollector,
    find_challenger,
    merge,
    shadow_entry,
    shadow_path,
    summarize,
)
from tasks.registry.champion import champion_state, promote
from tasks.registry.release_files import DEFECT_THRESHOLD, SplitRecords
from tasks.registry.releases import get_release


@pytest.fixture
def line(tmp_path):
    """The champion v1."""
    parts.release(tmp_path, "v1")
    promote(tmp_path, "v1")
    return tmp_path


def draft(artifacts, name, against, created="2026-01-01T00:00:00+00:00"):
    folder = parts.release(artifacts, "v99", status="rejected", compared_with=against, created=created)
    (artifacts / "drafts").mkdir(exist_ok=True)
    folder.rename(artifacts / "drafts" / name)


def found(artifacts):
    champion = get_release(artifacts, champion_state(artifacts).champion)
    release = find_challenger(artifacts, champion)
    return release and release.version


def test_the_waiting_candidate_comes_before_releases_and_those_before_drafts(line):
    assert found(line) is None
    draft(line, "a" * 16, "v0")
    assert found(line) is None, "it was compared with another champion"
    draft(line, "b" * 16, "v1", "2026-01-02T00:00:00+00:00")
    draft(line, "c" * 16, "v1", "2026-01-03T00:00:00+00:00")
    assert found(line) == "c" * 16
    parts.release(line, "v2", fingerprint="2" * 64)
    assert found(line) == "v2"
    parts.release(line, "v3", status="candidate", compared_with="v1", fingerprint="3" * 64)
    parts.release(line, "v4", fingerprint="4" * 64)
    parts.release(line, "v5", config={"data": {"rows": 9, "cols": 9}}, fingerprint="5" * 64)
    assert found(line) == "v3", "it waits"


def test_a_candidate_that_waits_judges_beside_the_champion(line):
    parts.release(line, "v2", fingerprint="2" * 64)
    parts.release(line, "v3", status="candidate", compared_with="v1", fingerprint="3" * 64)
    assert found(line) == "v3"
    promote(line, "v2")
    assert found(line) is None, "it was compared with another champion, and a former one is no challenger"


def test_a_release_for_one_lot_judges_no_other_parts(line):
    parts.release(line, "v2", fingerprint="2" * 64, enrolled={"kind": "lot", "name": "17"})
    assert found(line) is None
    parts.release(line, "v3", fingerprint="3" * 64, enrolled={"kind": "mode", "name": "bridge"})
    assert found(line) == "v3"


@pytest.fixture(scope="module")
def strict(plain_release):
    """The same model with a lower threshold: it stops more."""
    threshold = replace(plain_release.thresholds[DEFECT_THRESHOLD], value=plain_release.defect_threshold * 0.8)
    return replace(plain_release, thresholds=plain_release.thresholds | {DEFECT_THRESHOLD: threshold})


@pytest.fixture(scope="module")
def records(hidden):
    return hidden(each=40, seed=21)


@pytest.fixture(scope="module")
def table(plain_release, strict, records):
    collector = ShadowCollector(plain_release, strict)
    for batch in scored_batches(plain_release, records, 32, strict):
        collector.update(batch)
    return collector.result()


def test_both_verdicts_on_each_record_with_its_label_and_mode(table, plain_release, strict, records):
    assert table.schema == SCHEMA
    embedded = plain_release.classifier.embed(records.maps)
    for name, side in (("champion", plain_release), ("challenger", strict)):
        called = np.array(table[name].to_pylist()) != "good"
        np.testing.assert_array_equal(called, side.classifier.score(embedded) > side.defect_threshold)
    assert table["label"].to_pylist() == ["good" if label == 0 else "defect" for label in records.label]
    assert table["mode"].to_pylist() == [str(mode) for mode in records.mode]


def test_the_summary_counts_agreement_changes_modes_and_errors(table, plain_release, strict):
    summary = summarize(table, plain_release, strict)
    differ = np.array(table["champion"].to_pylist()) != np.array(table["challenger"].to_pylist())
    assert (summary.records, summary.agreed.count) == (120, int((~differ).sum()))
    assert 0 < differ.sum() == sum(summary.changes.values())
    assert all(name.startswith("good → ") for name in summary.changes), "the challenger only stops more"
    assert sum(rate.count for rate in summary.modes.values()) == differ.sum()
    assert list(summary.modes.values()) == sorted(summary.modes.values(), key=lambda rate: -rate.rate)
    alarms = summary.false_alarms
    assert alarms.champion.of == alarms.challenger.of == 40
    assert alarms.difference == pytest.approx((alarms.challenger.count - alarms.champion.count) / 40)
    assert alarms.interval[0] < alarms.difference < alarms.interval[1]
    exact = binomtest(alarms.challenger.count, 40).proportion_ci(0.95, "wilson")
    assert alarms.challenger.interval == pytest.approx((exact.low, exact.high))
    good = np.array(table["label"].to_pylist()) == "good"
    for side in ("champion", "challenger"):
        passed = np.array(table[side].to_pylist()) == "good"
        assert getattr(alarms, side).count == (good & ~passed).sum()
        assert getattr(summary.escapes, side).count == (~good & passed).sum()


def test_labels_that_come_later_reach_the_rows_of_before_and_are_kept(table, plain_release, strict, tmp_path):
    path = tmp_path / "shadow" / "pair.parquet"
    bare = table.set_column(SCHEMA.names.index("label"), "label", pa.nulls(len(table), pa.string()))
    first = summarize(merge(path, bare, {}), plain_release, strict)
    assert (first.labelled, first.escapes, first.false_alarms) == (0, None, None)
    decided = {table["record"][0].as_py(): "defect", "f" * 32: "good"}
    assert summarize(merge(path, bare.slice(0, 0), decided), plain_release, strict).labelled == 1
    whole = merge(path, table.slice(10), {})
    assert len(whole) == 120, "a record that is judged again has one row"
    assert summarize(whole, plain_release, strict).labelled == 111
    assert summarize(merge(path, bare, {}), plain_release, strict).labelled == 111, "a label stays"


def test_records_that_a_model_was_made_with_count_for_agreement_but_not_for_errors(table, plain_release, strict):
    split = SplitRecords.load(plain_release.path)
    known = split.hash[split.is_seen][0].decode()
    row = table.slice(0, 1).set_column(0, "record", pa.array([known]))
    both = summarize(pa.concat_tables([table.slice(1), row]), plain_release, strict)
    assert (both.records, both.labelled) == (120, 119)


def test_a_damaged_file_is_named(plain_release, tmp_path):
    path = shadow_path(tmp_path, plain_release.release, replace(plain_release.release, version="v2"))
    assert path.name.startswith("v1-v2-")
    path.parent.mkdir()
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(DamagedRelease, match="remove it to begin anew"):
        merge(path, SCHEMA.empty_table(), {})


def test_the_journal_has_one_entry_for_a_source(table, plain_release, strict):
    challenger = replace(plain_release.release, version="v2")
    source = PinnedSource("acme/new", "hub", "acme/new", "0123abc")
    summary = summarize(table, plain_release, strict)
    first, again = (shadow_entry(summary, plain_release.release, challenger, source) for _ in range(2))
    assert (first.event, first.subject, first.key) == ("shadowed", "v2", again.key)
    assert first.why == summary.sentence
    assert first.facts["champion"] == "v1"
    other = replace(source, revision="456")
    assert shadow_entry(summary, plain_release.release, challenger, other).key != first.key


def rows_of(*pairs):
    """Rows of records with labels."""
    return pa.Table.from_pylist([{"record": record, "label": label} for record, label in pairs], SCHEMA)


def test_the_newest_rows_are_kept_with_the_labels_of_earlier_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(shadow, "MAX_RECORDS", 3)
    path = tmp_path / "shadow" / "pair.parquet"
    merge(path, rows_of(("a", "good"), ("b", None), ("c", "defect"), ("a", None), ("c", "good")), {"b": "defect"})
    table = merge(path, rows_of(("d", None), ("b", None)), {"d": "good", "e": "good"})
    kept = list(zip(table["record"].to_pylist(), table["label"].to_pylist(), strict=True))
    assert kept == [("c", "good"), ("d", "good"), ("b", "defect")]


def test_a_long_source_leaves_its_newest_rows(table, plain_release, strict, records, monkeypatch):
    monkeypatch.setattr(shadow, "MAX_RECORDS", 50)
    collector = ShadowCollector(plain_release, strict)
    for batch in scored_batches(plain_release, records, 32, strict):
        collector.update(batch)
    assert len(collector.result()) <= 100
    assert collector.result().slice(len(collector.result()) - 50).equals(table.slice(70))
