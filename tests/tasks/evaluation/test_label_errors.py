"""Labels to look at again: wrong ones lead the queue, right ones stay out, every distance can be asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from support.inspected_parts import banked, hidden_bank

from tasks.evaluation.label_errors import find_label_issues, illustrate_label_issues, write_label_issues
from tasks.model.classifier import fit_prototypes
from tasks.model.distances import distance
from tasks.model.embeddings import EmbeddedBank
from tasks.registry.loading import load_release
from tasks.report.label_page import MAX_SHOWN, write_labels

EUCLIDEAN = distance("euclidean")


def fitted(bank, measure=EUCLIDEAN):
    """A classifier of the raw maps, and the bank as it embeds it."""
    records = EmbeddedBank(lambda maps: np.asarray(maps, float), bank)
    return fit_prototypes("plain", records, measure, "mean-embedding"), records


@pytest.mark.parametrize("name", ["euclidean", "cosine", "rt"])
def test_flipped_labels_lead_the_queue(name):
    """Of 300 well separated records twelve have a wrong mode: they are the first twelve suspects, or nearly."""
    bank, flipped = hidden_bank(12)
    options = {"blocks": 2} if name == "rt" else {}
    found = find_label_issues(*fitted(bank, distance(name, **options)))
    assert np.isin(found.rows[:12], flipped).sum() >= 10
    assert found.checked == 300
    assert (np.diff(found.confidence) <= 0).all()


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
    assert lone[0] in find_label_issues(*fitted(bank)).rows


def test_the_table_holds_every_suspect_with_its_map(tmp_path):
    bank, _ = hidden_bank(12)
    classifier, records = fitted(bank)
    found = find_label_issues(classifier, records)
    write_label_issues(found, bank, tmp_path)
    table = pq.read_table(tmp_path / "labels.parquet")
    assert len(table) == len(found.rows)
    assert table["rank"].to_pylist() == list(range(1, len(table) + 1))
    np.testing.assert_array_equal(np.array(table["map"].to_pylist(), np.float32), bank.maps[found.rows])
    assert table["record"][0].as_py() == bank.hash[found.rows[0]].decode()


def test_the_shown_are_beside_the_nearest_of_both_modes():
    bank, _ = hidden_bank(12)
    classifier, records = fitted(bank)
    found = find_label_issues(classifier, records)
    for one, row in zip(illustrate_label_issues(found, classifier, records, (4, 5), 5), found.rows, strict=False):
        assert one.own_mode != one.predicted_mode
        assert one.own_distance > 0, "a record is no neighbour of itself"
        np.testing.assert_array_equal(one.record.ravel(), bank.maps[row])


def test_a_clean_set_gives_an_empty_page(tmp_path):
    bank = banked(*[hidden_bank(0, parts=True)])
    told = write_labels(*fitted(bank), (4, 5), tmp_path, "en")
    assert told["suspects"] < 5
    assert len(list(tmp_path.iterdir())) == 2


def test_a_release_brings_its_queue(small_line):
    folder = load_release(small_line.artifacts_path).release.path
    assert (folder / "labels.html").read_text().count('<figure class="triplet">') <= MAX_SHOWN
    assert 'href="labels.html"' in (folder / "report.html").read_text()
