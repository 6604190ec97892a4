"""The files of a release: each is read as it was written, and older or later forms of them are understood."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pytest
from support.inspected_parts import banked, inspected

from tasks.core.errors import NothingToCalibrate
from tasks.data.map_statistics import map_summaries
from tasks.model.fused_score import P_VALUES, RANKS, Fusion
from tasks.registry import release_files
from tasks.registry.release_files import (
    UNREADABLE_RELEASE,
    CalibrationScores,
    ClassifierArrays,
    SplitRecords,
    Threshold,
    ThresholdSettings,
    load_scores,
)

CUT = Threshold("good or defect", "target_fpr", 0.05, "euclidean", 40, 20, 1.25, (1.0, 1.5))
REFUSED = Threshold("same mode", "youden", None, "euclidean", 3, 2, None, None, "too few")
SETTINGS = ThresholdSettings({"name": "rt", "ridge": 0.1}, "fused", "mean-map", 4, 5, (CUT, REFUSED))
SCORES = CalibrationScores(
    np.array([1.0, 2, 3]),
    np.array([True, False, True]),
    np.array([False, True, True]),
    np.arange(3),
    np.array("record"),
)


def equal(first, second):
    """Whether two records hold the same arrays."""
    return all(np.array_equal(getattr(first, field.name), getattr(second, field.name)) for field in fields(first))


def test_threshold_settings_are_read_as_they_were_written(tmp_path):
    SETTINGS.save(tmp_path)
    assert ThresholdSettings.load(tmp_path) == SETTINGS
    assert ThresholdSettings.load(tmp_path).by_name["good or defect"].interval == (1.0, 1.5)


def test_the_stored_names_of_thresholds_stay(tmp_path):
    SETTINGS.save(tmp_path)
    stored = json.loads((tmp_path / "threshold.json").read_text())
    assert list(stored) == ["distance", "score", "prototype", "rows", "cols", "thresholds", "shifts"]
    assert stored["thresholds"][0] == {
        "name": "good or defect",
        "rule": "target_fpr",
        "target": 0.05,
        "distance": "euclidean",
        "units": 40,
        "negatives": 20,
        "value": 1.25,
        "interval": [1.0, 1.5],
        "refused": None,
        "lots": None,
        "crossed": None,
    }


def test_thresholds_of_an_older_and_of_a_later_form_are_read(tmp_path):
    entries = SETTINGS.as_json()
    del entries["score"], entries["prototype"], entries["shifts"], entries["thresholds"][0]["distance"]
    entries["thresholds"][0]["later"] = 1
    (tmp_path / "threshold.json").write_text(json.dumps(entries | {"later": 1}))
    settings = ThresholdSettings.load(tmp_path)
    assert (settings.score, settings.thresholds[0].distance, settings.thresholds[0].value) == ("distance", None, 1.25)
    assert settings.shifts == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"distance": {}, "rows": 1, "cols": 1, "thresholds": 3}', "null"])
def test_settings_of_another_form_raise_a_known_error(tmp_path, text):
    (tmp_path / "threshold.json").write_text(text)
    with pytest.raises(UNREADABLE_RELEASE):
        ThresholdSettings.load(tmp_path)


@pytest.mark.parametrize("good", [None, {"mean": np.full((1, 2), 7.0)}])
@pytest.mark.parametrize("fusion", [None, Fusion(np.arange(3.0), np.arange(3.0) + 1)])
def test_a_classifiers_arrays_are_read_as_they_were_written(tmp_path, good, fusion):
    prototypes = {"mean": np.arange(4.0).reshape(2, 2), "inverse": np.ones((2, 2, 2))}
    anchors = np.arange(6, dtype=np.float32).reshape(2, 3)
    ClassifierArrays(["0", "欠け"], anchors, prototypes, good, fusion).save(tmp_path)
    arrays = ClassifierArrays.load(tmp_path)
    assert arrays.modes == ["0", "欠け"]
    assert arrays.anchors.dtype == np.float64
    assert arrays.anchors.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert {name: value.tolist() for name, value in arrays.prototypes.items()} == {
        name: value.tolist() for name, value in prototypes.items()
    }
    assert (arrays.good is None) == (good is None)
    assert good is None or arrays.good["mean"].tolist() == good["mean"].tolist()
    assert (arrays.fusion is None) == (fusion is None)
    assert fusion is None or equal(arrays.fusion, fusion)


def test_a_fused_score_of_earlier_versions_is_the_sum_of_ranks_and_one_of_later_versions_is_refused(tmp_path):
    def stored(**changes):
        arrays = {"modes": np.array(["0"]), "maps": np.ones((1, 3)), "prototype_mean": np.ones((1, 2))}
        reference = {"reference_distance": np.arange(3.0), "reference_peak": np.arange(3.0)}
        np.savez(tmp_path / "anchors.npz", **arrays, **reference, **changes)
        return ClassifierArrays.load(tmp_path)

    assert stored().fusion.form == RANKS
    assert stored(fusion_form=np.array(P_VALUES)).fusion.form == P_VALUES
    with pytest.raises(ValueError, match="the form 'later'"):
        stored(fusion_form=np.array("later"))


def test_the_records_of_a_bank_are_written_block_by_block(tmp_path, monkeypatch):
    monkeypatch.setattr(release_files, "MAPS_PER_BLOCK", 7)
    bank = banked(inspected(modes=3, each=12))
    SplitRecords.of(bank).save(tmp_path)
    stored = SplitRecords.load(tmp_path)
    np.testing.assert_array_equal(stored.mode, np.array(bank.modes)[bank.mode])
    np.testing.assert_array_equal(stored.summary, map_summaries(bank.maps))
    for name in ("hash", "part", "good"):
        np.testing.assert_array_equal(getattr(stored, name), getattr(bank, name))
    assert (stored.mode.dtype, stored.summary.dtype, stored.summary.shape) == ("<U1", np.float32, (36, 3))


def test_the_records_that_a_model_has_seen_are_all_but_those_of_the_test_part(tmp_path):
    hashes = np.array([b"a", b"b", b"c", b"d"], "S32")
    part = np.array([0, 3, 1, 2])
    SplitRecords(hashes, part, np.array(["0"] * 4), np.ones(4, bool), np.zeros((4, 3))).save(tmp_path)
    assert SplitRecords.load(tmp_path).is_seen.tolist() == [True, False, True, True]


def test_scores_are_read_part_by_part(tmp_path):
    SCORES.save(tmp_path)
    score, defect, unit = load_scores(tmp_path).part(True)
    assert (score.tolist(), defect.tolist(), unit.tolist()) == ([2, 3], [True, False], [1, 2])


@pytest.mark.parametrize("stored", [False, True])
def test_a_release_without_scores_has_nothing_to_calibrate(tmp_path, stored):
    if stored:
        CalibrationScores(*(value[:0] for value in (np.zeros(1),) * 4), np.array("record")).save(tmp_path)
    with pytest.raises(NothingToCalibrate, match="expected a release with the scores of good and defective parts"):
        load_scores(tmp_path)
