"""Labels to look at again: wrong ones lead the queue, right ones stay out, every distance can be asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from support.classifiers import embedded_prototypes
from support.inspected_parts import hidden_bank

from tasks.evaluation.label_errors import find_label_issues, illustrate_label_issues, write_label_issues
from tasks.model.distances import distance


@pytest.mark.parametrize("name", ["euclidean", "cosine", "rt"])
def test_flipped_labels_lead_the_queue(name):
    """Of 300 well separated records twelve have a wrong mode: they are the first twelve suspects, or nearly."""
    bank, flipped = hidden_bank(12)
    options = {"blocks": 2} if name == "rt" else {}
    issues = find_label_issues(*embedded_prototypes(bank, distance(name, **options)))
    assert np.isin(issues.rows[:12], flipped).sum() >= 10
    assert issues.checked == 300
    assert (np.diff(issues.confidence) <= 0).all()


def test_a_training_record_does_not_vouch_for_itself():
    """Mode 2 has one training record beside others' places: with its own prototype it would look right."""
    bank, _ = hidden_bank(0)
    train = np.flatnonzero(bank.part == 0)
    lone = train[bank.mode[train] == 2][:6]
    mode = bank.mode.copy()
    mode[train[bank.mode[train] == 2]] = 1
    mode[lone] = 2
    maps = bank.maps.copy()
    maps[lone[0]] = maps[train[bank.mode[train] == 0][0]] + 0.01
    bank = replace(bank, mode=mode, maps=maps)
    assert lone[0] in find_label_issues(*embedded_prototypes(bank)).rows


def test_the_table_holds_every_suspect_with_its_map(tmp_path):
    bank, _ = hidden_bank(12)
    classifier, records = embedded_prototypes(bank)
    issues = find_label_issues(classifier, records)
    write_label_issues(issues, bank, tmp_path)
    table = pq.read_table(tmp_path / "labels.parquet")
    assert len(table) == len(issues.rows)
    assert table["rank"].to_pylist() == list(range(1, len(table) + 1))
    np.testing.assert_array_equal(np.array(table["map"].to_pylist(), np.float32), bank.maps[issues.rows])
    assert table["record"][0].as_py() == bank.hash[issues.rows[0]].decode()


def test_examples_are_beside_the_nearest_of_both_modes():
    bank, _ = hidden_bank(12)
    classifier, records = embedded_prototypes(bank)
    issues = find_label_issues(classifier, records)
    for example, row in zip(illustrate_label_issues(issues, classifier, records, (4, 5), 5), issues.rows, strict=False):
        assert example.own_mode != example.predicted_mode
        assert example.own_distance > 0, "a record is no neighbour of itself"
        np.testing.assert_array_equal(example.record.ravel(), bank.maps[row])
