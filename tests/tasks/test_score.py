"""Verdicts on new parts: one row a record, from a release alone, and nothing half-written."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.inspected_parts import configured, map_column, source, wide_records

from tasks.core.errors import DamagedRelease, UnknownRelease, UnreadableSource
from tasks.imaging import rt
from tasks.registry.champion import current_champion
from tasks.registry.loading import load_classifier
from tasks.score import score


@pytest.fixture(scope="module")
def parts(hidden):
    """Records to train on."""
    return hidden(each=200)


@pytest.fixture(scope="module")
def fresh(hidden):
    """Records that nothing was trained on."""
    return hidden(each=20, seed=1)


@pytest.fixture(scope="module")
def config(small_line):
    """A folder with one release, trained on generated parts."""
    return small_line


@pytest.fixture
def judged(config, fresh, tmp_path):
    """The verdicts on some parts that were not trained on."""
    out = tmp_path / "verdicts.parquet"
    return score(source(map_column(fresh), tmp_path / "new"), config, None, str(out)), pq.read_table(out)


def test_one_row_a_record_in_order(judged):
    scored, rows = judged
    assert rows.column_names == ["row", "mode", "distance", "score", "verdict", "margin", "beta", "sqrt_ve"]
    assert rows["row"].to_pylist() == list(range(60))
    assert sum(scored.counts.values()) == 60
    assert scored.release == "v1"


def test_the_verdict_follows_from_the_releases_own_thresholds(judged, config):
    _, rows = judged
    told = json.loads((config.artifacts_path / "releases" / "v1" / "threshold.json").read_text())
    cut = {entry["name"]: entry["value"] for entry in told["thresholds"]}
    for row in rows.to_pylist():
        assert row["margin"] == pytest.approx(cut["good or defect"] - row["score"])
        assert (row["verdict"] == "good") == (row["score"] <= cut["good or defect"])
        if row["verdict"] == "unknown":
            assert row["distance"] > cut["same mode"]


def test_distances_and_rt_coordinates_are_the_releases(judged, config, fresh):
    _, rows = judged
    release = current_champion(config.artifacts_path)
    distances = load_classifier(release).mode_distances(fresh.maps)
    np.testing.assert_allclose(rows["distance"].to_numpy(), distances.min(axis=1), rtol=1e-5)
    with np.load(release.path / "anchors.npz") as file:
        anchor = file["maps"][distances.argmin(axis=1)[7]]
    beta, sqrt_ve = rt.coordinates(fresh.maps[7:8], anchor)[0]
    assert rows["beta"][7].as_py() == pytest.approx(beta)
    assert rows["sqrt_ve"][7].as_py() == pytest.approx(sqrt_ve)


def test_the_file_names_release_source_and_revision(judged):
    scored, rows = judged
    told = json.loads(rows.schema.metadata[b"kensa"])
    assert told == {"release": "v1", "source": scored.source, "revision": scored.revision}


def test_labels_say_what_the_verdicts_are_worth(judged, fresh):
    scored, rows = judged
    called = rows["verdict"].to_numpy() != "good"
    told = scored.figures
    assert told["records"] == 60
    assert told["false_alarms"]["count"] == int(called[fresh.label == 0].sum())
    assert told["escapes"]["count"] == int((~called[fresh.label == 1]).sum())
    np.testing.assert_array_equal(np.sum(told["confusion"], axis=1), np.bincount(fresh.mode))
    right = rows["mode"].to_numpy() == fresh.mode.astype(str)
    assert told["mode_accuracy"]["rate"] == pytest.approx(right.mean())


def test_an_empty_source_is_refused(config, parts, tmp_path):
    with pytest.raises(UnreadableSource, match="without rows"):
        score(source(map_column(parts).slice(0, 0), tmp_path / "new"), config, None, str(tmp_path / "out.parquet"))
    assert not (tmp_path / "out.parquet").exists()


def test_labels_are_not_needed(config, parts, tmp_path):
    table = wide_records(parts).drop_columns(["label", "fmode"])
    scored = score(source(table, tmp_path / "new"), config, "v1", str(tmp_path / "out.parquet"))
    assert sum(scored.counts.values()) == len(parts.maps)
    assert scored.figures is None


@pytest.mark.parametrize("broken", ["size", "nan", "shape"])
def test_what_does_not_fit_is_refused_and_leaves_nothing(config, parts, tmp_path, broken):
    maps = parts.maps[:5].copy()
    if broken == "nan":
        maps[3, 2] = np.nan
    table = pa.table({"map": list(maps[:, :-1] if broken == "size" else maps)})
    if broken == "shape":
        table = pa.table({"weight": [1.0, 2.0]})
    out = tmp_path / "out" / "verdicts.parquet"
    with pytest.raises(UnreadableSource, match="expected"):
        score(source(table, tmp_path / "new"), config, None, str(out))
    assert list(out.parent.iterdir()) == []


def test_without_a_release_nothing_can_be_judged(parts, tmp_path):
    with pytest.raises(UnknownRelease, match="champion"):
        score(source(map_column(parts), tmp_path / "new"), configured(tmp_path), None, str(tmp_path / "out.parquet"))


def test_a_damaged_release_is_not_used(config, parts, tmp_path):
    threshold = config.artifacts_path / "releases" / "v1" / "threshold.json"
    whole = threshold.read_bytes()
    threshold.write_bytes(whole.replace(b"euclidean", b"euclidian"))
    try:
        with pytest.raises(DamagedRelease):
            score(source(map_column(parts), tmp_path / "new"), config, None, str(tmp_path / "out.parquet"))
    finally:
        threshold.write_bytes(whole)
