"""`kensa.load`: a release that gives verdicts on maps in memory, the same as `kensa score` writes."""

from __future__ import annotations

import numpy as np
import pytest

import kensa
from tasks.core.errors import UnknownRelease, UnreadableSource
from tasks.scoring.table import PREDICTIONS_SCHEMA
from tasks.scoring.verdicts import predict


@pytest.fixture(scope="module")
def inspector(small_line):
    return kensa.load(artifacts=small_line.artifacts_folder)


@pytest.fixture(scope="module")
def maps(hidden, inspector):
    data = inspector.release.data
    return hidden(seed=5).maps[:40].reshape(-1, data.rows, data.cols)


def test_the_champion_a_name_and_a_folder_are_the_same_release(inspector, small_line, maps):
    named = kensa.load("v1", small_line.artifacts_folder)
    folder = kensa.load(small_line.artifacts_path / "releases" / "v1")
    assert [one.version for one in (inspector, named, folder)] == ["v1"] * 3
    assert named.predict(maps).equals(folder.predict(maps))
    with pytest.raises(UnknownRelease, match="v9: no such release"):
        kensa.load("v9", small_line.artifacts_folder)


def test_verdicts_are_a_table_with_the_columns_of_the_command(inspector, maps):
    table = inspector.predict(maps)
    expected = predict(inspector.release, maps.reshape(len(maps), -1))
    assert list(table.columns) == PREDICTIONS_SCHEMA.names
    assert list(table.row) == list(range(len(maps)))
    assert list(table.verdict) == list(expected.verdict)
    assert set(table["mode"]) <= set(inspector.modes)
    np.testing.assert_array_equal(table.score, expected.score)


def test_the_threshold_is_the_one_of_the_verdicts(inspector, maps):
    table = inspector.predict(maps)
    assert ((table.score <= inspector.threshold) == (table.verdict == "good")).all()
    np.testing.assert_allclose(table.margin, inspector.threshold - table.score)


def test_flat_maps_and_a_single_map_are_read_as_well(inspector, maps):
    assert inspector.predict(maps.reshape(len(maps), -1)).equals(inspector.predict(maps))
    assert len(inspector.predict(maps[0])) == 1
    assert inspector.embed(maps).shape == (len(maps), 8)


def test_an_explanation_is_of_the_map_itself(inspector, maps):
    explanation = inspector.explain(maps[3])
    np.testing.assert_array_equal(explanation.map, maps[3])
    assert explanation.record.verdict == inspector.predict(maps[3]).verdict[0]
    assert explanation.heatmap.shape == maps[3].shape


def test_the_manifest_tells_of_the_training(inspector):
    assert inspector.manifest.status == "released"
    assert "auroc" in inspector.manifest.metrics


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda maps: maps[:, :-1], r"maps: expected an array \(n, 4, 5\).*found \(40, 3, 5\)"),
        (lambda maps: np.where(np.arange(len(maps))[:, None, None] == 7, np.nan, maps), "finite.*map 7"),
    ],
    ids=["size", "NaN"],
)
def test_maps_of_another_form_are_refused(inspector, maps, change, message):
    with pytest.raises(UnreadableSource, match=message):
        inspector.predict(change(maps))
