"""The drift reference of a release: what it was not trained on, written and read; and what is kept of new parts."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
from support.inspected_parts import banked
from support.scored_parts import scored_batches

from tasks.model.embeddings import EmbeddedBank
from tasks.monitoring import reference as module
from tasks.monitoring.reference import NewPartsCollector, Reference, build_reference
from tasks.scoring.verdicts import VERDICTS, predict


def test_the_reference_of_a_release_is_of_the_records_that_it_was_not_trained_on(small_release):
    reference = Reference.load_if_stored(small_release.path)
    with np.load(small_release.path / "split.npz") as split:
        assert len(reference.mode) == int((split["part"] != 0).sum())
    assert reference.verdicts.sum() == len(reference.mode)
    assert len(reference.maps) == int(reference.good.sum())


def test_it_holds_the_releases_own_predictions_and_is_read_as_written(small_release, hidden, tmp_path):
    bank = banked(hidden(each=30, seed=6))
    reference = build_reference(small_release, EmbeddedBank(small_release.classifier.encoder, bank))
    held_out = np.flatnonzero(bank.part != 0)
    predictions = predict(small_release, bank.maps[held_out])
    np.testing.assert_allclose(np.sort(reference.score), np.sort(predictions.score), rtol=1e-5)
    assert reference.good.sum() == (predictions.verdict == "good").sum()
    reference.save(tmp_path)
    again = Reference.load_if_stored(tmp_path)
    for field in fields(reference):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(reference, field.name))


def test_many_records_are_sampled_by_their_hashes(small_release, hidden, monkeypatch):
    bank = banked(hidden(each=30, seed=6))
    monkeypatch.setattr(module, "MAX_REFERENCE_RECORDS", 10)
    monkeypatch.setattr(module, "MAX_REFERENCE_MAPS", 2)
    reference = build_reference(small_release, EmbeddedBank(small_release.classifier.encoder, bank))
    first = np.sort(bank.hash[bank.part != 0])[:10]
    scores = predict(small_release, bank.maps[np.isin(bank.hash, first)]).score
    np.testing.assert_allclose(np.sort(reference.score), np.sort(scores), rtol=1e-5)
    assert len(reference.maps) <= 2


def test_a_release_that_predates_references_has_none(tmp_path):
    assert Reference.load_if_stored(tmp_path) is None


def test_records_are_kept_in_order_whatever_the_batches(small_release, hidden):
    parts = hidden(each=20, seed=3)
    parts = replace(parts, group=np.repeat(["A", "", "B"], 20))
    collector = NewPartsCollector(small_release)
    for batch in scored_batches(small_release, parts, 11):
        collector.update(batch)
    new, predictions = collector.result(), predict(small_release, parts.maps)
    assert len(new) == 60
    np.testing.assert_array_equal(new.mode, predictions.mode)
    for name in ("beta", "sqrt_ve", "score"):
        np.testing.assert_allclose(getattr(new, name), getattr(predictions, name), rtol=1e-5)
    np.testing.assert_array_equal(new.lot, np.repeat([0, 1, 2], 20))
    assert new.verdicts.tolist() == [(predictions.verdict == name).sum() for name in VERDICTS]
    good = parts.maps[predictions.verdict == "good"]
    np.testing.assert_array_equal(new.good, predictions.verdict == "good")
    assert new.maps.count == len(good)
    np.testing.assert_allclose(new.maps.mean, good.mean(axis=0), rtol=1e-5)
