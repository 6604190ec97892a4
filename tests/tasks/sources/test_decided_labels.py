"""Labels that people decided: the table, what it does to a source's blocks, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from tasks.config.run import DataConfig
from tasks.core.errors import UnreadableSource
from tasks.data.decode import DecodedBlock
from tasks.data.schema import MapBlock
from tasks.sources.decided_labels import (
    CHOSEN,
    DECIDED_FILE,
    NEW_RANDOM,
    DecidedLabel,
    LabelOverlay,
    merge_decided,
    read_decided,
    write_decided,
)

DATA = DataConfig(2, 2)
WHEN = "2026-01-02T03:04:05.678+00:00"


def decided(value: float, **changes) -> DecidedLabel:
    """A chosen record of the source, all of whose values are the same."""
    values = {"label": "1", "mode": "dent", "picked": "chosen", "new": False, "by": "M. Sato", "when": WHEN}
    return DecidedLabel(np.full(4, value, np.float32), **values | changes)


def block(*values: float, role: str = "record") -> DecodedBlock:
    maps = np.repeat(np.array(values, np.float32)[:, None], 4, axis=1)
    texts = [["0"] * len(values), ["good"] * len(values), [None] * len(values)]
    return DecodedBlock(MapBlock(role, "map", "fmode", "label"), maps, *texts, wrong_size=np.zeros(len(values), bool))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / DECIDED_FILE).parent.mkdir()
    added = decided(9, new=True, picked="random", group="lot 9", part="SN-9")
    confirmed = [decided(value, label="0", mode="good") for value in (2, 4)]
    write_decided(tmp_path / DECIDED_FILE, [decided(1), *confirmed, added])
    return tmp_path


def test_the_table_keeps_everything(folder):
    read = read_decided(folder / DECIDED_FILE)
    assert [(one.map.tolist(), one.label, one.mode, one.new, one.part) for one in read] == [
        ([1.0] * 4, "1", "dent", False, None),
        ([2.0] * 4, "0", "good", False, None),
        ([4.0] * 4, "0", "good", False, None),
        ([9.0] * 4, "1", "dent", True, "SN-9"),
    ]
    assert read_decided(folder / "nowhere") == []


def test_records_are_corrected_and_parts_are_added(folder):
    overlay = LabelOverlay.read([folder], DATA, adds=True)
    corrected = overlay.relabel(block(1, 2, 3, 4))
    assert (corrected.mode, corrected.label) == (["dent", "good", "good", "good"], ["1", "0", "0", "0"])
    added = overlay.additions()
    assert (added.maps[0, 0], added.group, added.id, added.mode) == (9, ["lot 9"], ["SN-9"], ["dent"])
    assert overlay.summary() == {"changed": 1, "confirmed": 2, "added": 1, "people": 1}
    assert sorted(overlay.codes().values()) == [CHOSEN, CHOSEN, CHOSEN, NEW_RANDOM]


def test_an_added_part_that_the_source_has_by_now_is_one_of_its_records(folder):
    overlay = LabelOverlay.read([folder], DATA, adds=True)
    overlay.relabel(block(9))
    assert overlay.additions() is None
    assert overlay.summary()["added"] == 0


def test_a_held_out_part_of_the_source_gets_no_parts_and_anchors_stay(folder):
    overlay = LabelOverlay.read([folder], DATA, adds=False)
    anchor = block(1, role="anchor")
    assert overlay.relabel(anchor) is anchor
    assert overlay.additions() is None
    assert overlay.codes() == {}
    assert overlay.summary()["added"] == 0


def test_a_later_decision_stands_and_the_first_label_is_kept():
    first = decided(1, was_mode="good", was_label="0")
    later = decided(1, mode="scratch", by="K. Ito", was_mode="dent", was_label="1")
    (merged,) = merge_decided([first], [later])
    assert (merged.mode, merged.by, merged.was_mode, merged.was_label) == ("scratch", "K. Ito", "good", "0")
    assert len(merge_decided([first], [decided(2)])) == 2


def test_a_file_of_another_form_is_refused_in_one_line(folder):
    path = folder / DECIDED_FILE
    table = pq.read_table(path)
    pq.write_table(table.set_column(0, "record", table["record"].take([1, 0, 2, 3])), path)
    with pytest.raises(UnreadableSource, match=r"the map of record .* is not the one that was decided"):
        read_decided(path)
    pq.write_table(table.drop(["mode"]), path)
    with pytest.raises(UnreadableSource, match="expected the labels that people decided"):
        read_decided(path)
    path.write_bytes(b"PAR1")
    with pytest.raises(UnreadableSource, match="restore it"):
        read_decided(path)


def test_maps_of_another_size_are_refused(folder):
    with pytest.raises(UnreadableSource, match="expected maps of 9 values, as the source has, found 4"):
        LabelOverlay.read([folder], replace(DATA, rows=3, cols=3), adds=True)
